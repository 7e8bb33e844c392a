package detect

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func TestPlanDart_Broken(t *testing.T) {
	sum := strings.Repeat("a", 64)
	entry := "packages:\n  a:\n    description: {name: a, sha256: " + sum + ", url: \"https://pub.example.org\"}\n    source: hosted\n    version: \"1.0.0\"\n"
	for _, c := range []struct {
		lock string
		line int
	}{
		{entry, 0}, {"a: [", 1}, {strings.Replace(entry, sum, "short", 1), 2}, {strings.Replace(entry, "https", "http", 1), 2},
		{strings.Replace(entry, "name: a", "name: '../a'", 1), 2}, {strings.Replace(entry, `"1.0.0"`, `"1.0.0; id"`, 1), 2},
		{strings.ReplaceAll(entry, "  a:", "  b:"), 3},
	} {
		_, err := Detect(files("pubspec.yaml", "name: x\ndependencies:\n  a: ^1.0.0\n", "bin/server.dart", "void main() {}", "pubspec.lock", c.lock))
		pe, ok := errors.AsType[*ParseError](err)
		if c.line == 0 && err != nil || c.line > 0 && (!ok || pe.Line != c.line) {
			t.Errorf("%q: %v, want line %d", c.lock, err, c.line)
		}
	}
}

func FuzzPlanDart(f *testing.F) {
	f.Add("name: x\ndependencies:\n  a: ^1.0.0\n", "packages:\n  a:\n    description: {name: a, sha256: x, url: \"https://x\"}\n    source: hosted\n    version: \"1.0.0\"\n")
	f.Add("name: [*a]\nexecutables: &a {x: y}\n", "packages: {a: {source: git}}")
	f.Fuzz(func(t *testing.T, spec, lock string) {
		plan, err := Detect(fstest.MapFS{"pubspec.yaml": {Data: []byte(spec)}, "pubspec.lock": {Data: []byte(lock)}, "bin/a.dart": {Data: []byte("x")}})
		if err != nil || plan.Dart == nil {
			return
		}
		for _, d := range plan.Dart.Packages {
			if strings.ContainsAny(d.Name+d.Version+d.SHA256, " /$'\"") || strings.ContainsAny(d.Host, "/ ") {
				t.Fatalf("%q gave %+v", lock, d)
			}
		}
	})
}

func FuzzPlanGleam(f *testing.F) {
	f.Add("name = \"x\"\n[dependencies]\na = \"1\"\n", "packages = [ { name = \"a\", version = \"1.0.0\", source = \"hex\", outer_checksum = \"AA\" } ]\n")
	f.Fuzz(func(t *testing.T, spec, manifest string) {
		_, err := Detect(fstest.MapFS{"gleam.toml": {Data: []byte(spec)}, "manifest.toml": {Data: []byte(manifest)}, "src/x.gleam": {Data: []byte("x")}})
		if pe, ok := errors.AsType[*ParseError](err); ok && pe.File == "" {
			t.Fatal(err)
		}
	})
}
