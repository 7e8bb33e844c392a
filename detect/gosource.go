package detect

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A goPackage is what one folder of Go files declares for linux/amd64, tests left out.
type goPackage struct {
	main    bool   // package main with a func main
	from    string // file:line of func main
	imports []string
}

// scanGo finds the programs of t and what they import, following packages of the module itself.
func scanGo(t *tree, facts *GoFacts) error {
	pkgs := map[string]goPackage{}
	for _, f := range t.order {
		if dir := path.Dir(f); strings.HasSuffix(f, ".go") && !skipGo(dir) {
			if _, done := pkgs[dir]; !done {
				pkgs[dir] = t.goPackage(dir)
			}
		}
	}
	for dir, pkg := range pkgs {
		if pkg.main && facts.owns(dir) {
			name := path.Base(dir)
			if i := slices.IndexFunc(facts.local, func(m goModule) bool { return m.dir == dir }); i >= 0 {
				name = goBinary(facts.local[i].path)
			} else if dir == "." {
				name = goBinary(facts.Module)
			}
			facts.Mains = append(facts.Mains, GoMain{Dir: dir, Name: name, from: pkg.from + " package main"})
		}
	}
	slices.SortFunc(facts.Mains, func(a, b GoMain) int { return strings.Compare(a.Dir, b.Dir) })
	if slices.ContainsFunc(facts.Mains, func(m GoMain) bool { return !sideProgram(m.Dir) }) {
		facts.Mains = slices.DeleteFunc(facts.Mains, func(m GoMain) bool { return sideProgram(m.Dir) })
	}
	follow(pkgs, facts)
	return nil
}

// owns reports whether a folder belongs to a module that is built: of a workspace, to one that it uses.
func (f *GoFacts) owns(dir string) bool {
	return !f.Work || slices.ContainsFunc(f.local, func(m goModule) bool {
		return m.dir == "." || m.dir == dir || strings.HasPrefix(dir, m.dir+"/")
	})
}

// skipGo reports whether the go command never takes a folder for a package of the module.
func skipGo(dir string) bool {
	for el := range strings.SplitSeq(dir, "/") {
		if el == "vendor" || el == "testdata" || el != "." && (el[0] == '_' || el[0] == '.') {
			return true
		}
	}
	return false
}

// sideProgram reports whether a program is an example, a test or a tool of the developers beside the app.
func sideProgram(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		switch part {
		case "_examples", "hack", "testing", "internal":
			return true
		}
	}
	return sideFolder(dir)
}

// follow collects the imports of the programs and of the module's packages that they reach.
func follow(pkgs map[string]goPackage, facts *GoFacts) {
	seen := map[string]bool{}
	var todo []string
	for _, m := range facts.Mains {
		todo = append(todo, m.Dir)
	}
	external := map[string]bool{}
	for len(todo) > 0 {
		dir := todo[0]
		todo = todo[1:]
		if seen[dir] {
			continue
		}
		seen[dir] = true
		for _, imp := range pkgs[dir].imports {
			first, _, _ := strings.Cut(imp, "/")
			switch own := facts.folder(imp); {
			case imp == "C":
				facts.Cgo = true
			case own != "":
				todo = append(todo, own)
			case strings.Contains(first, "."):
				external[imp] = true
			}
		}
	}
	for imp := range external {
		facts.Imports = append(facts.Imports, imp)
	}
	slices.Sort(facts.Imports)
}

// within reports whether an import path belongs to a module.
func within(imp, module string) bool { return imp == module || strings.HasPrefix(imp, module+"/") }

func (t *tree) goPackage(dir string) goPackage {
	var pkg goPackage
	ctxt := t.buildContext()
	for _, f := range t.in(dir) {
		base := path.Base(f)
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			continue
		}
		src := t.code(f, maxSource)
		if ok, err := ctxt.MatchFile(dir, base); err != nil || !ok {
			continue // not for linux, or broken: the compiler will say so
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, base, src, parser.SkipObjectResolution|parser.ImportsOnly)
		if err == nil && file.Name.Name == "main" && !pkg.main { // only there a function decides
			file, err = parser.ParseFile(fset, base, src, parser.SkipObjectResolution)
		}
		if err != nil && file == nil {
			continue
		}
		if pos := pkg.add(file); pos.IsValid() {
			pkg.from = fmt.Sprintf("%s:%d", f, fset.Position(pos).Line)
		}
	}
	return pkg
}

// add takes over a file and returns where its func main is.
func (pkg *goPackage) add(file *ast.File) (main token.Pos) {
	for _, spec := range file.Imports {
		if imp, err := strconv.Unquote(spec.Path.Value); err == nil {
			pkg.imports = append(pkg.imports, imp)
		}
	}
	if file.Name == nil || file.Name.Name != "main" {
		return token.NoPos
	}
	for _, d := range file.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "main" {
			pkg.main, main = true, fn.Pos()
		}
	}
	return main
}

// buildContext matches files as `go build` on the server does, reading them from t.
func (t *tree) buildContext() build.Context {
	c := build.Default
	c.GOOS, c.GOARCH, c.CgoEnabled, c.BuildTags = "linux", "amd64", true, nil
	c.JoinPath = path.Join
	c.OpenFile = func(name string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(t.code(name, maxSource))), nil
	}
	return c
}
