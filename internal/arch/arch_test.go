// Package arch holds the rules of the whole module as tests.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// imports is the policy: what each package of this module may import from
// this module. It says what is meant, not what happens to be so.
// DO NOT CHANGE THIS DATA TO FIX BUILDS: change the code to fit it.
var imports = map[string][]string{
	"sshd":                  {},
	"receive/packidx":       {},
	"receive":               {"receive/packidx"},
	"detect/constraint":     {},
	"detect":                {"detect/constraint"},
	"nixtmpl/nix":           {},
	"nixtmpl/packages":      {"nixtmpl/nix"},
	"nixtmpl":               {"detect", "detect/constraint", "nixtmpl/nix", "nixtmpl/packages", "internal/pypitest"}, // the last for its tests
	"internal/thread":       {},
	"procman/netns":         {"internal/thread"},
	"procman/proxy":         {},
	"procman/sandbox":       {},
	"procman/shim":          {"procman/sandbox", "internal/thread"},
	"procman":               {"procman/netns", "procman/proxy", "procman/sandbox", "procman/shim"},
	"internal/arch":         {},
	"internal/access":       {"internal/state"},
	"internal/acmetest":     {},
	"internal/pypitest":     {},
	"internal/certs":        {"internal/acmetest"}, // for its tests
	"internal/config":       {},
	"internal/service":      {},
	"internal/slim":         {},
	"internal/slim/program": {"procman/shim"},
	"internal/state":        {},
	"internal/deploy":       {"detect", "internal/osv", "internal/sbom", "internal/service", "nixtmpl", "nixtmpl/nix", "nixtmpl/packages", "procman", "procman/proxy", "procman/sandbox", "receive", "internal/state"},
	"internal/command":      {"procman", "procman/sandbox", "receive", "nixtmpl", "internal/certs", "internal/deploy", "internal/manual", "internal/overview", "internal/sbom", "internal/service", "internal/state"},
	"internal/demo":         {},
	"internal/foreman":      {},
	"internal/manual":       {},
	"internal/metrics":      {"procman", "procman/proxy", "procman/sandbox"},
	"internal/osv":          {"detect/constraint"},
	"internal/routerbench":  {"procman/proxy"},
	"internal/sbom":         {},
	"cmd/hop3":              {"*"},

	"internal/overview":       {},
	"internal/screen":         {},
	"internal/screen/picture": {"internal/screen"},
}

const (
	root   = "../.."
	module = "hop3/"

	// maxLines keeps a file to what a person reads in one sitting.
	maxLines = 400
)

func TestArchitecture(t *testing.T) {
	comments := map[string]int{}
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "examples" || p != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		checkFile(t, p, comments)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(comments) < len(imports) {
		t.Errorf("%d packages found, the policy names %d: a package of the policy is missing", len(comments), len(imports))
	}
	for dir, n := range comments {
		if n != 1 {
			t.Errorf("%s: %d package comments, want 1", dir, n)
		}
	}
}

func checkFile(t *testing.T, p string, comments map[string]int) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, filepath.Join(root, p), nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if n := fset.File(f.FileStart).LineCount(); n > maxLines {
		t.Errorf("%s: %d lines, more than %d: split it by idea", p, n, maxLines)
	}
	dir := path.Dir(p)
	if _, ok := comments[dir]; !ok {
		comments[dir] = 0
	}
	if f.Doc != nil {
		comments[dir]++
	}
	allowed, known := policy(dir)
	if !known {
		t.Errorf("%s: the package is not in the policy", dir)
	}
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		in, ok := strings.CutPrefix(name, module)
		if ok && !isOwn(dir, in) && !slices.Contains(allowed, in) && !slices.Contains(allowed, "*") {
			t.Errorf("%s: may not import %s", fset.Position(spec.Pos()), in)
		}
	}
}

// isOwn reports whether in is dir itself (an external test) or below it.
func isOwn(dir, in string) bool { return in == dir || strings.HasPrefix(in, dir+"/internal/") }

// policy finds the rule for dir; what is internal to a package shares its rule.
func policy(dir string) ([]string, bool) {
	if owner, _, ok := strings.Cut(dir, "/internal/"); ok {
		dir = owner
		return append(slices.Clone(imports[dir]), dir), true
	}
	allowed, known := imports[dir]
	return allowed, known
}
