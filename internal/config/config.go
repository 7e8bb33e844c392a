// Package config reads the settings of a server: the flags of `hop3 serve`
// over its TOML file over the defaults.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// DefaultFile is read if it exists and no other file is named.
const DefaultFile = "/etc/hop3/server.toml"

// A Config holds every setting of a server. The TOML keys are the flags'
// names with _ for -, and some that have no flag.
type Config struct {
	Data      string `toml:"data"`
	SSH       string `toml:"ssh"`
	HTTP      string `toml:"http"`
	HTTPS     string `toml:"https"`
	ACMEEmail string `toml:"acme_email"`
	Domain    string `toml:"domain"`
	AdminKey  string `toml:"admin_key"`
	Metrics   string `toml:"metrics"`
	Packages  string `toml:"packages"` // "nixpkgs", "debian" or "" (decide at the first start)
	Nixpkgs   string `toml:"nixpkgs"`
	LogFormat string `toml:"log_format"` // "text", "json" or "" (text on a terminal)
	StopApps  bool   `toml:"stop_apps"`

	// Who may log in with a certificate: a file with the public keys of the
	// authorities, and what its principals may do beside those that are names
	// of keys.
	UserCA     string               `toml:"user_ca"`
	Principals map[string]Principal `toml:"principals"`

	Autocreate   bool     `toml:"autocreate"`
	MaxPushSize  Size     `toml:"max_push_size"`
	Ingester     string   `toml:"ingester"` // who checks and indexes pushed packs: "hop3" or "git" (index-pack)
	Ports        Ports    `toml:"ports"`
	Network      string   `toml:"network"`     // "private", "host" or "" (private where the machine can)
	Outgoing     Outgoing `toml:"outgoing"`    // where apps may connect to: "open", "closed" or a list of places
	DNS          []string `toml:"dns"`         // name servers of apps with private networks; none: the machine's
	Isolation    string   `toml:"isolation"`   // "require", "prefer" or "" (require when root)
	Memory       Size     `toml:"memory"`      // per process, 0 for no limit
	CPU          int      `toml:"cpu"`         // per process, in thousandths of a core, 0 for no limit
	Pids         int      `toml:"pids"`        // per process
	SwapMemory   Share    `toml:"swap_memory"` // of the machine's memory, for an app's two releases during a swap; 0 for no limit
	Builds       int      `toml:"builds"`      // at once
	BuildTimeout Duration `toml:"build_timeout"`
	MinFree      Size     `toml:"min_free"`
	Releases     int      `toml:"releases_kept"`
	OSV          string   `toml:"osv"` // vulnerability database for releases:audit: a folder, zip or file of OSV records
	// The authority that certifies names when acme_email is set: its
	// directory ("" is Let's Encrypt), and for a private one a file with the
	// certificate of who vouches for that.
	ACMEDirectory string `toml:"acme_directory"`
	ACMECA        string `toml:"acme_ca"`
	// TrustedProxies are the proxies before this server whose word on the client is taken.
	TrustedProxies []Network `toml:"trusted_proxies"`
	HSTS           Duration  `toml:"hsts"` // how long browsers are told to use https only, 0 for not at all

	// Where the package set is fetched from; empty: as the machine's own
	// clients (apt, npm, go, pip) are set up.
	DebMirror   string `toml:"deb_mirror"`
	NpmRegistry string `toml:"npm_registry"`
	GoProxy     string `toml:"go_proxy"`
	PipIndex    string `toml:"pip_index"`
	Keyring     string `toml:"keyring"` // that signs the Debian mirror's index
}

// A Principal is what a certificate that names it may do.
type Principal struct {
	Role string   `toml:"role"`
	Apps []string `toml:"apps"` // empty: all
}

// Default returns the settings of a server that is told nothing.
func Default() Config {
	return Config{
		Data: "/var/lib/hop3", SSH: ":2222", HTTP: ":8080", Domain: "localhost",
		Autocreate:   true,
		Ingester:     "hop3",
		MaxPushSize:  512 << 20, // a large repository with its history; larger ones hold data, not code
		Ports:        Ports{20000, 29999},
		Memory:       512 << 20, // Heroku's smallest dyno
		Pids:         512,       // a JVM with many threads fits, a fork bomb does not
		SwapMemory:   75,        // the rest is for other apps, which run on meanwhile
		Builds:       2,
		Outgoing:     Outgoing{"open"},
		BuildTimeout: Duration(30 * time.Minute),
		MinFree:      1 << 30,
		Releases:     20,
	}
}

// Flags adds the flags of `hop3 serve` to set, with c's values as defaults.
func (c *Config) Flags(set *pflag.FlagSet) {
	set.StringVar(&c.Data, "data", c.Data, "folder of all state")
	set.StringVar(&c.SSH, "ssh", c.SSH, "address of the SSH server; port 0 takes a free one")
	set.StringVar(&c.HTTP, "http", c.HTTP, "address of the HTTP router")
	set.StringVar(&c.HTTPS, "https", c.HTTPS, "address of the HTTPS router (off)")
	set.StringVar(&c.ACMEEmail, "acme-email", c.ACMEEmail, "have an ACME authority certify the names of apps; who it writes to (off)")
	set.StringVar(&c.Domain, "domain", c.Domain, "app blog answers at blog.DOMAIN")
	set.StringVar(&c.AdminKey, "admin-key", c.AdminKey, "file of public keys that get the role admin")
	set.StringVar(&c.Metrics, "metrics", c.Metrics, "address of /metrics, /healthz and /readyz (off)")
	set.StringVar(&c.Packages, "packages", c.Packages, "where toolchains come from: nixpkgs or debian (decided at the first start)")
	set.StringVar(&c.Nixpkgs, "nixpkgs", c.Nixpkgs, "flake reference for inputs.nixpkgs (a pin in this program)")
	set.StringVar(&c.LogFormat, "log-format", c.LogFormat, "text or json (text on a terminal, else json)")
	set.BoolVar(&c.StopApps, "stop-apps", c.StopApps, "stop the apps too when the server stops")
}

// Load reads the settings from args, flags over the file over the defaults.
// Its errors name the flag, or the file and the line.
func Load(args []string) (Config, error) {
	// The file lies between the defaults and the flags, so the flags are
	// read twice: first to find the file, then over it.
	var file string
	first := Default()
	if err := parse(&first, &file, args); err != nil {
		return Config{}, err
	}
	c := Default()
	named := file != DefaultFile
	b, err := os.ReadFile(file)
	switch {
	case err == nil:
		if err := c.decode(file, b); err != nil {
			return Config{}, err
		}
	case named || !errors.Is(err, fs.ErrNotExist):
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	if err := parse(&c, &file, args); err != nil {
		return Config{}, err
	}
	return c, c.check()
}

func parse(c *Config, file *string, args []string) error {
	set := pflag.NewFlagSet("hop3 serve", pflag.ContinueOnError)
	set.Usage = func() {} // the caller prints help
	c.Flags(set)
	set.StringVar(file, "config", DefaultFile, "TOML file of the same settings")
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() > 0 {
		return fmt.Errorf("hop3 serve takes no operand: %q", set.Arg(0))
	}
	return nil
}

var domain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (c *Config) check() error {
	for name, addr := range map[string]string{"ssh": c.SSH, "http": c.HTTP, "https": c.HTTPS, "metrics": c.Metrics} {
		if addr == "" && (name == "https" || name == "metrics") {
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("--%s %q is not an address: want HOST:PORT or :PORT", name, addr)
		}
	}
	for _, choice := range []struct {
		name, value string
		legal       []string
	}{
		{"packages", c.Packages, []string{"", "nixpkgs", "debian"}},
		{"log-format", c.LogFormat, []string{"", "text", "json"}},
		{"isolation", c.Isolation, []string{"", "require", "prefer"}},
		{"network", c.Network, []string{"", "private", "host"}},
		{"ingester", c.Ingester, []string{"", "hop3", "git"}},
	} {
		if !contains(choice.legal, choice.value) {
			return fmt.Errorf("%s is %q: want %s", choice.name, choice.value, strings.Join(choice.legal[1:], " or "))
		}
	}
	c.Domain = strings.ToLower(strings.TrimSuffix(c.Domain, "."))
	if !domain.MatchString(c.Domain) {
		return fmt.Errorf("domain is %q: want a host name like apps.example.com", c.Domain)
	}
	if c.CPU < 0 || c.Pids < 0 {
		return errors.New("cpu and pids are not negative")
	}
	if c.Data == "" || c.Domain == "" {
		return errors.New("data and domain may not be empty")
	}
	if c.Builds < 1 || c.Releases < 1 {
		return errors.New("builds and releases_kept are at least 1")
	}
	if c.UserCA == "" && len(c.Principals) > 0 {
		return errors.New("principals without user_ca: no authority certifies them")
	}
	for name, p := range c.Principals {
		if p.Role == "" || p.Role == "admin" && len(p.Apps) > 0 {
			return fmt.Errorf("principals.%s needs a role, and apps only with another than admin", name)
		}
	}
	return c.checkTLS()
}

// checkTLS refuses what only HTTPS has a use for where that is off.
func (c *Config) checkTLS() error {
	switch {
	case c.HTTPS == "" && c.HSTS != 0:
		return errors.New("hsts without --https: browsers could not reach the apps any more")
	case c.HTTPS == "" && c.ACMEEmail != "":
		return errors.New("--acme-email without --https: certificates would have no use")
	case c.ACMEEmail != "" && !strings.Contains(c.ACMEEmail, "@"):
		return fmt.Errorf("--acme-email %q is not an address: want NAME@HOST", c.ACMEEmail)
	case c.ACMEEmail == "" && (c.ACMEDirectory != "" || c.ACMECA != ""):
		return errors.New("acme_directory and acme_ca without --acme-email: no authority is asked")
	case c.ACMEDirectory != "" && !strings.HasPrefix(c.ACMEDirectory, "https://"):
		return fmt.Errorf("acme_directory %q is not an https address", c.ACMEDirectory)
	}
	return nil
}

func contains(legal []string, v string) bool {
	for _, l := range legal {
		if l == v {
			return true
		}
	}
	return false
}

// Ports is a range of ports, both ends included, written "20000-29999".
type Ports struct{ First, Last int }

// UnmarshalText reads FIRST-LAST.
func (p *Ports) UnmarshalText(b []byte) error {
	first, last, ok := strings.Cut(string(b), "-")
	f, err1 := strconv.Atoi(first)
	l, err2 := strconv.Atoi(last)
	if !ok || err1 != nil || err2 != nil || f < 1024 || l > 65535 || f > l {
		return fmt.Errorf("%q is not a range of ports: want FIRST-LAST between 1024 and 65535", b)
	}
	*p = Ports{f, l}
	return nil
}

// Size is a number of bytes, written as a number or as "512MiB".
type Size int64

// UnmarshalTOML reads a number of bytes or text with a unit.
func (s *Size) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return fmt.Errorf("%d is not a size", v)
		}
		*s = Size(v)
		return nil
	case string:
		n, err := ParseSize(v)
		*s = Size(n)
		return err
	}
	return fmt.Errorf("%v is not a size: want a number of bytes or text like \"512MiB\"", v)
}

// ParseSize reads "512MiB", "1G", "64k" or a number of bytes. Units are
// powers of 1024, whichever way they are written.
func ParseSize(text string) (int64, error) {
	t := strings.ToLower(strings.TrimSpace(text))
	t = strings.TrimSuffix(strings.TrimSuffix(t, "b"), "i")
	shift := 0
	if i := strings.IndexAny(t, "kmgt"); i >= 0 && i == len(t)-1 {
		shift = 10 * (1 + strings.IndexByte("kmgt", t[i]))
		t = t[:i]
	}
	n, err := strconv.ParseInt(strings.TrimSpace(t), 10, 64)
	if err != nil || n < 0 || n > (1<<62)>>shift {
		return 0, fmt.Errorf("%q is not a size: want a number of bytes or text like \"512MiB\"", text)
	}
	return n << shift, nil
}

// Share is a part of something in percent, written "75%".
type Share int

// UnmarshalText reads a percentage.
func (s *Share) UnmarshalText(b []byte) error {
	number, ok := strings.CutSuffix(string(b), "%")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 || n > 100 {
		return fmt.Errorf("%q is not a share: want text like \"75%%\"", b)
	}
	*s = Share(n)
	return nil
}

// Duration is a time written as in Go: "30m", "1h30m".
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is not a duration: want text like \"30m\"", b)
	}
	*d = Duration(v)
	return nil
}

// A Network is a range of addresses, written "10.0.0.0/8" or as one address.
type Network struct{ netip.Prefix }

// UnmarshalText reads a range or an address.
func (n *Network) UnmarshalText(b []byte) (err error) {
	if a, err := netip.ParseAddr(string(b)); err == nil && a.Zone() == "" {
		n.Prefix = netip.PrefixFrom(a, a.BitLen())
		return nil
	}
	if n.Prefix, err = netip.ParsePrefix(string(b)); err != nil {
		return fmt.Errorf("%q is not a network: want one like \"10.0.0.0/8\", or an address", b)
	}
	n.Prefix = n.Masked()
	return nil
}
