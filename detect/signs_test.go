package detect

import (
	"errors"
	gort "runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// TestDetect_Nesting holds parsers of others back from what would take them minutes: keys that lie thousands deep in each other.
func TestDetect_Nesting(t *testing.T) {
	shapes := map[string]string{
		"dots":    "\n" + strings.Repeat("a.", 4000) + "a = 1\n",
		"header":  "\n[" + strings.Repeat("a.", 4000) + "a]\n",
		"inline":  "\na = " + strings.Repeat("{a = ", 4000),
		"mixed":   "\na = " + strings.Repeat("{b = 1, a.a.a.a = ", 1000),
		"lists":   "\na = " + strings.Repeat("[", 4000),
		"strings": "\n" + strings.Repeat(`"a".`, 4000) + "a = 1\n",
	}
	beside := map[string]string{
		"hop3.toml": "", "Cargo.toml": "", "pyproject.toml": "", "gleam.toml": "", "Pipfile": "", "gradle/libs.versions.toml": "build.gradle",
		"Cargo.lock": "Cargo.toml", "uv.lock": "pyproject.toml", "poetry.lock": "pyproject.toml", "pdm.lock": "pyproject.toml",
	}
	text := map[string]string{"Cargo.toml": "[package]\nname = 'a'\nversion = '1.0.0'\n", "pyproject.toml": "[project]\nname = 'a'\n", "build.gradle": "plugins { id 'java' }\n"}
	var before, after gort.MemStats
	for file, other := range beside {
		for name, shape := range shapes {
			src := fstest.MapFS{file: &fstest.MapFile{Data: []byte(shape)}}
			if other != "" {
				src[other] = &fstest.MapFile{Data: []byte(text[other])}
			}
			gort.ReadMemStats(&before)
			_, err := Detect(src)
			gort.ReadMemStats(&after)
			if pe, ok := errors.AsType[*ParseError](err); !ok || pe.File != file || pe.Line != 2 {
				t.Errorf("%s of %s: %v", file, name, err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
				t.Errorf("%s of %s allocates %d MiB", file, name, n>>20)
			}
		}
	}
}

func TestCheckTOML(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"as people write":   {"[a.b.c]\nd.e = {f = [1.5, 2.5], g.h = '....'} # [[[[.....\ni = \"\"\"\n......\n\"\"\"\n", ""},
		"long lists":        {"a = [" + strings.Repeat("1.5, ", 5000) + "]", ""},
		"deep":              {"a = 1\nb = " + strings.Repeat("[", maxKeyDepth+1), "x:2: "},
		"after a long text": {"a = '''\n\n'''\n" + strings.Repeat("b.", maxKeyDepth+1), "x:4: "},
		"many signs":        {strings.Repeat("a = 1\n", maxSigns), "x:10001: "},
	} {
		err := checkTOML("x", []byte(c.text), maxSigns)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := checkYAML("x", []byte(strings.Repeat("a: 1\n", maxSigns))); err == nil || !strings.HasPrefix(err.Error(), "x:10001: ") {
		t.Error(err)
	}
}

// FuzzLockLines reads lock files of YAML: an error names the file, and nothing is made of more packages than lines.
func FuzzLockLines(f *testing.F) {
	f.Add("lockfileVersion: '9.0'\npackages:\n  '@a/b@1.0.0':\n    resolution: {integrity: sha512-x}\n    os: [linux, '!win32']\n")
	f.Add("packages:\n  ? a@1\n  : resolution: {integrity: x}\n    deprecated: >-\n      b: c\n\n      d\n    engines: {node: '>=1'}\n---\nx: y\n")
	f.Add("__metadata:\n  version: 8\n\n\"a@npm:^1, a@npm:2\":\n  version: 1.2.3\n  resolution: \"a@npm:1.2.3\"\n  bin:\n    a: ./a.js\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name, read := range map[string]func(string, []byte, *NodeFacts) error{"pnpm-lock.yaml": readPnpmLock, "yarn.lock": readBerryLock} {
			facts := &NodeFacts{}
			err := read(name, []byte(text), facts)
			if err != nil && !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
			if len(facts.Tarballs) > 1+strings.Count(text, "\n") {
				t.Errorf("%s: %d packages of %q", name, len(facts.Tarballs), text)
			}
		}
	})
}

// TestLocks_Bounded gives lock files more entries than any has: each is refused by a name and a line.
func TestLocks_Bounded(t *testing.T) {
	many := func(head, entry string, n int) string { return head + strings.Repeat(entry, n) }
	const manifest = `{"scripts":{"start":"x"},"dependencies":{"a":"1"}}`
	for _, c := range []struct{ file, text, beside, manifest string }{
		{"yarn.lock", many("", "\n", maxLockLines+1), "package.json", manifest},
		{"pnpm-lock.yaml", many("lockfileVersion: 9\n", "a:\n", maxLockLines), "package.json", manifest},
		{"package-lock.json", many("[", "\n{},", maxNpmSigns/2+1), "package.json", manifest},
		{"bun.lock", many("[", "\n{},", maxJSONSigns/2+1), "package.json", manifest},
		{"composer.lock", many("[", "\n{},", maxJSONSigns/2+1), "composer.json", "{}"},
		{"Cargo.lock", many("", "a = 1\n", maxLockSigns/2+1), "Cargo.toml", "[package]\nname = 'a'\nversion = '1.0.0'\n"},
		{"uv.lock", many("", "a = 1\n", maxLockSigns/2+1), "pyproject.toml", "[project]\nname = 'a'\n"},
		{"requirements.txt", many("", "a==1\n", maxRequirements+1), "main.py", ""},
		{"requirements.txt", many("", "\n", maxPipLines+1), "main.py", ""},
		{"pubspec.lock", many("", "a: 1\n", maxYAMLLock/2+1), "pubspec.yaml", "name: a\n"},
	} {
		_, err := Detect(fstest.MapFS{c.file: &fstest.MapFile{Data: []byte(c.text)}, c.beside: &fstest.MapFile{Data: []byte(c.manifest)}})
		if pe, ok := errors.AsType[*ParseError](err); !ok || pe.File != c.file || pe.Line < maxRequirements {
			t.Errorf("%s: %v", c.file, err)
		}
	}
}
