package packages

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// aptSource is one repository of apt's configuration.
type aptSource struct {
	URI        string
	Suite      string
	Components []string
}

// debianSuite matches the names of Debian's own suites, so that repositories
// of others are not taken for a mirror of Debian.
var debianSuite = regexp.MustCompile(`^(stable|oldstable|oldoldstable|testing|unstable|sid|bullseye|bookworm|trixie|forky|duke)(-updates|-security|-backports|/updates)?$`)

// debianMirrors finds the base addresses of Debian's archive and of its
// security archive in apt's folder (normally /etc/apt): sources.list and
// sources.list.d, one-line and deb822. Either may be "".
func debianMirrors(dir string) (archive, security string, err error) {
	sources, err := readAptSources(dir)
	if err != nil {
		return "", "", err
	}
	for _, s := range sources {
		if !debianSuite.MatchString(s.Suite) || !slices.Contains(s.Components, "main") {
			continue
		}
		uri := resolveMirrorList(s.URI)
		if !strings.HasPrefix(uri, "http://") && !strings.HasPrefix(uri, "https://") {
			continue
		}
		uri = strings.TrimRight(uri, "/") + "/"
		if strings.HasSuffix(s.Suite, "-security") || strings.HasSuffix(s.Suite, "/updates") {
			if security == "" {
				security = uri
			}
		} else if archive == "" {
			archive = uri
		}
	}
	return archive, security, nil
}

// resolveMirrorList reads the first address of apt's "mirror+file:" lists.
func resolveMirrorList(uri string) string {
	name, ok := strings.CutPrefix(uri, "mirror+file:")
	if !ok {
		return uri
	}
	b, err := os.ReadFile("/" + strings.TrimLeft(name, "/"))
	if err != nil {
		return "" // apt could not use it either; another source may serve
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 0 && strings.HasPrefix(f[0], "http") {
			return f[0]
		}
	}
	return ""
}

func readAptSources(dir string) ([]aptSource, error) {
	names := []string{filepath.Join(dir, "sources.list")}
	for _, pattern := range []string{"*.list", "*.sources"} {
		more, err := filepath.Glob(filepath.Join(dir, "sources.list.d", pattern))
		if err != nil {
			return nil, fmt.Errorf("list apt sources: %w", err)
		}
		names = append(names, more...)
	}
	var out []aptSource
	for _, name := range names {
		b, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("read apt sources: %w", err)
		}
		if strings.HasSuffix(name, ".sources") {
			found, err := parseDeb822Sources(string(b))
			if err != nil {
				continue // apt says what is wrong with it; others may serve
			}
			out = append(out, found...)
		} else {
			out = append(out, parseListSources(string(b))...)
		}
	}
	return out, nil
}

// parseListSources reads the one-line form: deb [options] URI SUITE COMPONENT…
func parseListSources(text string) []aptSource {
	var out []aptSource
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "deb" {
			continue
		}
		f = f[1:]
		if len(f) > 0 && strings.HasPrefix(f[0], "[") {
			end := slices.IndexFunc(f, func(s string) bool { return strings.HasSuffix(s, "]") })
			if end < 0 {
				continue
			}
			f = f[end+1:]
		}
		if len(f) >= 3 {
			out = append(out, aptSource{URI: f[0], Suite: f[1], Components: f[2:]})
		}
	}
	return out
}

// parseDeb822Sources reads the form of *.sources files.
func parseDeb822Sources(text string) ([]aptSource, error) {
	var out []aptSource
	err := readParagraphs(strings.NewReader(text), nil, func(raw map[string]string) error {
		f := map[string]string{}
		for k, v := range raw {
			f[strings.ToLower(k)] = v
		}
		if strings.EqualFold(f["enabled"], "no") || !slices.Contains(strings.Fields(f["types"]), "deb") {
			return nil
		}
		for _, uri := range strings.Fields(f["uris"]) {
			for _, suite := range strings.Fields(f["suites"]) {
				out = append(out, aptSource{URI: uri, Suite: suite, Components: strings.Fields(f["components"])})
			}
		}
		return nil
	})
	return out, err
}
