package packages

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDebianMirrors(t *testing.T) {
	list := t.TempDir() + "/mirrors.list"
	for name, c := range map[string]struct {
		files             map[string]string
		archive, security string
	}{
		"one line": {map[string]string{"sources.list": "# deb http://no/ bookworm main\ndeb-src http://src/ bookworm main\n" +
			"deb [arch=amd64 signed-by=/x] http://mirror.invalid/debian bookworm main contrib\ndeb http://mirror.invalid/sec/ bookworm-security main\n"},
			"http://mirror.invalid/debian/", "http://mirror.invalid/sec/"},
		"deb822": {map[string]string{"sources.list.d/debian.sources": "Types: deb deb-src\nURIs: https://mirror.invalid/debian/\nSuites: trixie trixie-updates\nComponents: main\n\n" +
			"Types: deb\nURIs: https://mirror.invalid/security\nSuites: trixie-security\nComponents: main\nSigned-By:\n -----BEGIN\n .\n -----END\n"},
			"https://mirror.invalid/debian/", "https://mirror.invalid/security/"},
		"others only": {map[string]string{"sources.list.d/node.sources": "Types: deb\nURIs: https://mirror.invalid/node\nSuites: nodistro\nComponents: main\n",
			"sources.list": "deb cdrom:[x] bookworm main\ndeb http://mirror.invalid/u noble main\n"}, "", ""},
		"disabled":    {map[string]string{"sources.list.d/a.sources": "Enabled: no\nTypes: deb\nURIs: http://no\nSuites: trixie\nComponents: main\n"}, "", ""},
		"mirror list": {map[string]string{"sources.list": "deb mirror+file:" + list + " stable main\n"}, "https://mirror.invalid/first/", ""},
		"nothing":     {nil, "", ""},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(list, []byte("# list\nhttps://mirror.invalid/first priority:1\nhttps://mirror.invalid/second\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for file, text := range c.files {
			file = filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		archive, security, err := debianMirrors(dir)
		if err != nil || archive != c.archive || security != c.security {
			t.Errorf("%s: got %q, %q, %v", name, archive, security, err)
		}
	}
}

func FuzzAptSources(f *testing.F) {
	f.Add("deb [a=b] http://x/ y z\n", "Types: deb\nURIs: a\nSuites: b\nComponents: c\n")
	f.Fuzz(func(t *testing.T, list, sources string) {
		for _, s := range parseListSources(list) {
			if s.URI == "" || s.Suite == "" || len(s.Components) == 0 {
				t.Fatalf("accepted %+v", s)
			}
		}
		found, err := parseDeb822Sources(sources)
		if err == nil {
			for _, s := range found {
				if s.URI == "" || s.Suite == "" {
					t.Fatalf("accepted %+v", s)
				}
			}
		}
	})
}
