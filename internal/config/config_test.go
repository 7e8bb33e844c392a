package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad_FlagOverFileOverDefault(t *testing.T) {
	file := write(t, "http = \":81\"\nssh = \":23\"\nports = \"21000-21999\"\nmemory = \"1GiB\"\nbuild_timeout = \"5m\"\nautocreate = false\n")
	c, err := Load([]string{"--config", file, "--ssh", ":24"})
	if err != nil {
		t.Fatal(err)
	}
	if c.SSH != ":24" || c.HTTP != ":81" || c.Domain != "localhost" || c.Ports != (Ports{21000, 21999}) || c.Memory != 1<<30 || time.Duration(c.BuildTimeout) != 5*time.Minute || c.Autocreate {
		t.Errorf("%+v", c)
	}
}

func TestLoad_Errors(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		args []string
		want string
	}{
		"unknown key":      {text: "# comment\nhttp = \":81\"\n\ncolour = 1\n", want: "server.toml:4: unknown key \"colour\""},
		"unknown table":    {text: "http = \":81\"\n[tls]\na = 1\n", want: "server.toml:2: unknown key \"tls\""},
		"syntax":           {text: "http = \n", want: "server.toml:1:"},
		"bad size":         {text: "memory = \"lots\"\n", want: "\"lots\" is not a size"},
		"bad share":        {text: "swap_memory = \"half\"\n", want: "\"half\" is not a share"},
		"bad ports":        {text: "ports = \"9-1\"\n", want: "not a range of ports"},
		"bad address":      {args: []string{"--http", "8080"}, want: "--http \"8080\" is not an address"},
		"unknown flag":     {args: []string{"--colour"}, want: "unknown flag: --colour"},
		"operand":          {args: []string{"now"}, want: "takes no operand"},
		"bad network":      {text: "trusted_proxies = [\"10.0.0.0/33\"]\n", want: "is not a network"},
		"hsts alone":       {text: "hsts = \"8760h\"\n", want: "hsts without --https"},
		"bad hsts":         {text: "hsts = \"a year\"\n", want: "\"a year\" is not a duration"},
		"acme alone":       {args: []string{"--acme-email", "ann@example.com"}, want: "--acme-email without --https"},
		"bad email":        {args: []string{"--https", ":443", "--acme-email", "ann"}, want: "--acme-email \"ann\" is not an address"},
		"bad directory":    {text: "acme_directory = \"http://x\"\n", args: []string{"--https", ":443", "--acme-email", "a@b"}, want: "acme_directory \"http://x\" is not an https address"},
		"directory alone":  {text: "acme_directory = \"https://x\"\n", want: "without --acme-email"},
		"bad https":        {args: []string{"--https", "443"}, want: "--https \"443\" is not an address"},
		"principals alone": {text: "[principals.ops]\nrole = \"operate\"\n", want: "principals without user_ca"},
		"limited admin":    {text: "user_ca = \"x\"\n[principals.ops]\nrole = \"admin\"\napps = [\"a\"]\n", want: "principals.ops needs a role"},
		"unknown right":    {text: "user_ca = \"x\"\n[principals.ops]\nfrom = 1\n", want: "unknown key \"principals.ops.from\""},
		"unknown packages": {args: []string{"--packages", "arch"}, want: "want nixpkgs or debian"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(append([]string{"--config", write(t, c.text)}, c.args...))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestLoad_NamedFileMustExist(t *testing.T) {
	if _, err := Load([]string{"--config", "/nonexistent/server.toml"}); err == nil {
		t.Error("a file that was named but is missing was passed over")
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "12": 12, "1k": 1024, "64KiB": 65536, "512 MB": 512 << 20, "1g": 1 << 30, "2TiB": 2 << 40, "x": -1, "-1": -1, "1kk": -1, "9999999999T": -1, "": -1} {
		got, err := ParseSize(text)
		if want < 0 != (err != nil) || err == nil && got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("http = \":1\"\nmemory = \"1k\"")
	f.Add("[a]\nb = '''\n'''")
	f.Fuzz(func(t *testing.T, text string) {
		c := Default()
		if err := c.decode("f", []byte(text)); err != nil && err.Error() == "" {
			t.Error("an error without a word")
		}
	})
}
