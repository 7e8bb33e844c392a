package packages

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// The keys of config.json: where the files of the lock come from.
const (
	sourceDebian   = "debian"
	sourceSecurity = "security"
	sourceNpm      = "npm"
	sourceGo       = "go"
)

// clientTimeout bounds a question to a client of the machine.
const clientTimeout = 20 * time.Second

// askClient runs a read-only query of a client and returns its one-line answer;
// "" if the client is not installed or does not know.
func askClient(ctx context.Context, name string, args ...string) string {
	exe, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// goProxy returns the first address of GOPROXY, as the go command has it.
func goProxy(ctx context.Context) string {
	list := os.Getenv("GOPROXY")
	if list == "" {
		list = askClient(ctx, "go", "env", "GOPROXY")
	}
	return firstProxy(list)
}

// firstProxy picks the first web address of a GOPROXY list.
func firstProxy(list string) string {
	for _, p := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '|' }) {
		if p = strings.TrimSpace(p); strings.HasPrefix(p, "https://") || strings.HasPrefix(p, "http://") {
			return p
		}
	}
	return ""
}

// npmRegistry returns the registry that npm is configured with: environment,
// .npmrc of the user and of the machine, else what npm itself says.
func npmRegistry(ctx context.Context) string {
	for _, k := range []string{"NPM_CONFIG_REGISTRY", "npm_config_registry"} {
		if v := os.Getenv(k); v != "" {
			return v
		}
	}
	files := []string{"/etc/npmrc"}
	if home, err := os.UserHomeDir(); err == nil {
		files = append([]string{filepath.Join(home, ".npmrc")}, files...)
	}
	for _, f := range files {
		if v := npmrcRegistry(f); v != "" {
			return v
		}
	}
	if v := askClient(ctx, "npm", "config", "get", "registry"); strings.HasPrefix(v, "http") {
		return v
	}
	return ""
}

func npmrcRegistry(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return "" // no such file is the normal case
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		k, v, ok := strings.Cut(sc.Text(), "=")
		if ok && strings.TrimSpace(k) == "registry" {
			return strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return ""
}

// defaultOf says where a client that is not installed keeps its own default
// address inside its Debian package.
type defaultOf struct {
	file  *regexp.Regexp
	value *regexp.Regexp
}

var clientDefaults = map[string]defaultOf{
	sourceNpm: {
		// Where it is has changed between npm 9 and 10.
		file:  regexp.MustCompile(`/(@npmcli/config/lib/definitions|npm/lib/utils/config)/definitions\.js$`),
		value: regexp.MustCompile(`(?s)define\('registry',\s*\{\s*default:\s*'(https://[^']+)'`),
	},
	sourceGo: {
		file:  regexp.MustCompile(`^usr/share/go-[0-9.]+/go\.env$`),
		value: regexp.MustCompile(`(?m)^GOPROXY=(\S+)`),
	},
}

// packagedAddress reads a client's default address out of its .deb, so that a
// machine without the client needs no configuration: the file is covered by the
// signed index like every other.
func packagedAddress(source, deb string) (string, error) {
	d := clientDefaults[source]
	f, err := os.Open(deb)
	if err != nil {
		return "", fmt.Errorf("read default of %s: %w", source, err)
	}
	defer f.Close()
	b, err := readDebFile(f, d.file.MatchString)
	if err != nil {
		return "", fmt.Errorf("read default of %s: %w", source, err)
	}
	m := d.value.FindSubmatch(b)
	if m == nil {
		return "", fmt.Errorf("read default of %s: its package names none", source)
	}
	if source == sourceGo {
		return firstProxy(string(m[1])), nil
	}
	return string(m[1]), nil
}
