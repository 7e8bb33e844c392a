package nixtmpl

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"hop3/detect"
)

// TestSettings_ReachEveryBuild renders each case with a variable for the build: every template of a stack hands it to the
// build's commands, but for an app's own flake, which decides alone, and a site without any.
func TestSettings_ReachEveryBuild(t *testing.T) {
	files, err := filepath.Glob("*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	rendered, parsed := 0, map[string]bool{}
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		src := fstest.MapFS{}
		for _, f := range ar.Files {
			if !strings.HasPrefix(f.Name, "want/") {
				src[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
			}
		}
		p, err := detect.Detect(src)
		if err != nil || p.Stack == "nix" || p.Stack == "static" {
			continue
		}
		p.BuildEnv["API_URL"] = "https://a'$b"
		flake, err := Render(p, setForCases())
		if err != nil {
			continue
		}
		rendered++
		if text := string(flake); strings.Contains(text, "mkDerivation") && (!strings.Contains(text, "export API_URL=") || !strings.Contains(text, `eval "$environment"`)) {
			t.Errorf("%s: the build does not see the variable", file)
		}
		if !parsed[p.Stack] {
			parsed[p.Stack] = true
			parses(t, flake)
		}
	}
	if rendered < 100 {
		t.Errorf("%d flakes were looked at", rendered)
	}
}
