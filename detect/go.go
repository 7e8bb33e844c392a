package detect

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// GoFacts are what the Go template needs beyond the plan.
type GoFacts struct {
	Module     string   // module path; "app" for a tree without go.mod
	HasMod     bool     // go.mod is there
	HasSum     bool     // go.sum is there, so modules have to be fetched unless Vendored
	Vendored   bool     // vendor/modules.txt is there
	Cgo        bool     // a package that is built imports "C", or a required module is known to
	Mains      []GoMain // programs to build, sorted by Dir
	Imports    []string // packages of fetched modules that the programs import, sorted
	Manifests  []string // go.mod, go.sum and those of replacements inside the tree
	LockDigest string   // of Manifests, hex; "" when nothing has to be fetched

	replaced []string // modules that the tree itself holds
}

// A GoMain is a program: the folder of its main package, slash-separated, "." at the root, and its name.
type GoMain struct{ Dir, Name string }

func claimGo(t *tree) []Evidence {
	if t.has("go.mod") {
		return []Evidence{{File: "go.mod", Why: "module"}}
	}
	if t.has("go.work") {
		return nil
	}
	if f := t.first("main.go"); f != "" {
		return []Evidence{{File: f, Why: "program without a module"}}
	}
	return nil
}

func planGo(t *tree, p *Plan) error {
	facts := &GoFacts{Module: "app"}
	p.Go = facts
	p.Tool = Tool{Name: "go", From: p.Evidence[len(p.Evidence)-1].File}
	var directive, toolchain request
	if t.has("go.mod") {
		mod, err := readGoMod(t)
		if err != nil {
			return err
		}
		facts.HasMod = true
		facts.HasSum = t.has("go.sum")
		facts.Vendored = t.has("vendor/modules.txt")
		if mod.Module != nil {
			facts.Module = mod.Module.Mod.Path
		}
		if mod.Go != nil {
			directive = request{mod.Go.Version, "go.mod"}
		}
		if mod.Toolchain != nil && strings.HasPrefix(mod.Toolchain.Name, "go") {
			toolchain = request{strings.TrimPrefix(mod.Toolchain.Name, "go"), "go.mod toolchain"}
		}
		for _, r := range mod.Require {
			facts.Cgo = facts.Cgo || cgoModule(r.Mod.Path)
		}
		if err := facts.manifests(t, mod); err != nil {
			return err
		}
		p.Tool.Name = "go modules"
		if facts.Vendored {
			p.Tool = Tool{Name: "go vendor", From: "vendor/modules.txt"}
		}
	}
	requests := []request{p.asked("go"), toolchain}
	requests = append(append(requests, polyglot(t, "go", "golang")...), directive)
	if toolchain.version != "" && semver.Compare("v"+toolchain.version, "v"+directive.version) < 0 {
		requests[1] = request{} // a toolchain older than the go line is ignored, as cmd/go does
	}
	p.Runtimes = []Runtime{runtime("go", requests, "")}
	if err := scanGo(t, facts); err != nil {
		return err
	}
	for _, f := range goFrameworks() {
		if slices.ContainsFunc(facts.Imports, func(i string) bool { return within(i, f.path) }) {
			p.Frameworks = append(p.Frameworks, f.name)
		}
	}
	return startGo(p)
}

// cgoModule reports whether a well-known module does not work without a C compiler.
func cgoModule(modpath string) bool {
	switch modpath {
	case "github.com/mattn/go-sqlite3", "github.com/confluentinc/confluent-kafka-go/v2", "gopkg.in/gographics/imagick.v3", "github.com/h2non/bimg":
		return true
	}
	return false
}

func goFrameworks() []struct{ name, path string } {
	return []struct{ name, path string }{
		{"chi", "github.com/go-chi/chi"}, {"echo", "github.com/labstack/echo"}, {"fiber", "github.com/gofiber/fiber"},
		{"gin", "github.com/gin-gonic/gin"}, {"gorilla", "github.com/gorilla/mux"},
	}
}

func readGoMod(t *tree) (*modfile.File, error) {
	b, err := t.read("go.mod")
	if err != nil {
		return nil, err
	}
	mod, err := modfile.ParseLax("go.mod", b, nil)
	if err != nil {
		line := 0
		if list, ok := err.(modfile.ErrorList); ok && len(list) > 0 {
			line = list[0].Pos.Line
		}
		return nil, &ParseError{File: "go.mod", Line: line, Msg: err.Error()}
	}
	if strict, err := modfile.Parse("go.mod", b, nil); err == nil {
		return strict, nil // with replace lines, which ParseLax skips
	}
	return mod, nil
}

// manifests lists the files that decide which modules are fetched. A replacement by a folder outside the tree is refused:
// it cannot be part of the push.
func (f *GoFacts) manifests(t *tree, mod *modfile.File) error {
	f.Manifests = []string{"go.mod"}
	if t.has("go.sum") {
		f.Manifests = append(f.Manifests, "go.sum")
	}
	for _, r := range mod.Replace {
		if r.New.Version != "" || !modfile.IsDirectoryPath(r.New.Path) {
			continue
		}
		dir := path.Clean(r.New.Path)
		if path.IsAbs(dir) || strings.HasPrefix(dir, "..") || !t.dirs[dir] {
			return &ParseError{File: "go.mod", Line: r.Syntax.Start.Line, Msg: "replace " + r.Old.Path + ": " + clip(r.New.Path) + " is not in the pushed tree"}
		}
		f.replaced = append(f.replaced, r.Old.Path)
		if m := path.Join(dir, "go.mod"); t.has(m) {
			f.Manifests = append(f.Manifests, m)
		}
	}
	if !f.HasSum || f.Vendored {
		return nil
	}
	var err error
	f.LockDigest, err = t.digest(f.Manifests)
	return err
}

// startGo names the processes: all of the Procfile, else the only program, else the one that is called like a server.
func startGo(p *Plan) error {
	mains := p.Go.Mains
	if len(mains) == 0 {
		if p.wantsStart() {
			p.try("a package main with func main")
		}
		return nil
	}
	if !p.wantsStart() {
		return nil
	}
	web := webMain(p.Go)
	if web < 0 {
		var names []string
		for _, m := range mains {
			names = append(names, m.Dir)
		}
		p.try("the only program (there are several: " + join(names) + ")")
		p.try("a program called web, server, api or " + goBinary(p.Go.Module))
		return nil
	}
	p.start("web", mains[web].Name, "package main in "+cmp.Or(strings.TrimPrefix(mains[web].Dir, "."), "the root"))
	for i, m := range mains {
		if i != web {
			p.start(m.Name, m.Name, "package main in "+m.Dir)
		}
	}
	return nil
}

func webMain(f *GoFacts) int {
	if len(f.Mains) == 1 {
		return 0
	}
	for _, want := range []func(GoMain) bool{
		func(m GoMain) bool { return m.Dir == "." },
		func(m GoMain) bool { return m.Name == "web" },
		func(m GoMain) bool { return m.Name == "server" },
		func(m GoMain) bool { return m.Name == "api" },
		func(m GoMain) bool { return m.Name == goBinary(f.Module) },
	} {
		if i := slices.IndexFunc(f.Mains, want); i >= 0 {
			return i
		}
	}
	return -1
}

// goBinary is the name that `go build` gives the program of a package path: the last element that is not a major version.
func goBinary(pkg string) string {
	prefix, _, ok := module.SplitPathVersion(pkg)
	if !ok || prefix == "" {
		prefix = pkg
	}
	return path.Base(prefix)
}
