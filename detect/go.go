package detect

import (
	"path"
	"slices"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// GoFacts are what the Go template needs beyond the plan.
type GoFacts struct {
	Module     string   // module path; "app" for a tree without go.mod
	HasMod     bool     // go.mod or go.work is there
	HasSum     bool     // a go.sum is there, so modules have to be fetched unless Vendored
	Work       bool     // go.work is there: a workspace of several modules
	Vendored   bool     // vendor/modules.txt is there
	Cgo        bool     // a package that is built imports "C", or a required module is known to
	Mains      []GoMain // programs to build, sorted by Dir
	Imports    []string // packages of fetched modules that the programs import, sorted
	Flags      string   // GOFLAGS of the app
	Manifests  []string // go.work, go.mod, go.sum and those of replacements inside the tree
	LockDigest string   // of Manifests, hex; "" when nothing has to be fetched

	local []goModule // modules that the tree itself holds, the main one first
}

// A goModule is a module of the tree: its path and its folder.
type goModule struct{ path, dir string }

// A GoMain is a program: the folder of its main package, slash-separated, "." at the root, and its name.
type GoMain struct {
	Dir, Name string

	from string // the file and the line of func main
}

func claimGo(t *tree) []Evidence {
	if t.has("go.work") {
		return []Evidence{{File: "go.work", Why: "workspace"}}
	}
	if t.has("go.mod") {
		return []Evidence{{File: "go.mod", Why: "module"}}
	}
	if f := t.first("main.go"); f != "" {
		return []Evidence{{File: f, Why: "program without a module"}}
	}
	return nil
}

func planGo(t *tree, p *Plan) error {
	facts := &GoFacts{Module: "app", Flags: p.Manifest.Env["GOFLAGS"]}
	p.Go = facts
	p.Tool = Tool{Name: "go", From: p.Evidence[len(p.Evidence)-1].File}
	mods, requests, err := facts.modules(t)
	if err != nil {
		return err
	}
	if facts.HasMod {
		p.Tool.Name = "go modules"
	}
	if facts.Work {
		p.Tool = Tool{Name: "go workspace", From: "go.work"}
	}
	if facts.Vendored {
		p.Tool = Tool{Name: "go vendor", From: "vendor/modules.txt"}
	}
	p.Runtimes = []Runtime{goVersion(t, p, requests)}
	if err := scanGo(t, facts); err != nil {
		return err
	}
	switch p.Manifest.Env["CGO_ENABLED"] {
	case "0":
		facts.Cgo = false
	case "1":
		facts.Cgo = true
	}
	for _, mod := range mods {
		facts.install(mod)
	}
	for _, f := range goFrameworks() {
		if slices.ContainsFunc(facts.Imports, func(i string) bool { return within(i, f.path) }) {
			p.Frameworks = append(p.Frameworks, f.name)
		}
	}
	return startGo(p)
}

// goVersion chooses among what modules and workspace ask for: the toolchain lines pin, the go lines are minima.
func goVersion(t *tree, p *Plan, asked []goRequest) Runtime {
	var directive, toolchain, heroku request
	newer := func(a, b string) bool { return b == "" || semver.Compare("v"+a, "v"+b) > 0 }
	for _, a := range asked {
		if a.directive != "" && newer(a.directive, directive.version) {
			directive = request{a.directive, a.file}
			p.note(a.file, a.directiveLine)
		}
		if a.toolchain != "" && newer(a.toolchain, toolchain.version) {
			toolchain = request{a.toolchain, a.file + " toolchain"}
			p.note(toolchain.from, a.toolchainLine)
		}
		if a.heroku != "" {
			heroku = request{a.heroku, a.file + " +heroku goVersion"}
			p.note(heroku.from, a.herokuLine)
		}
	}
	if toolchain.version != "" && semver.Compare("v"+toolchain.version, "v"+directive.version) < 0 {
		toolchain = request{} // a toolchain older than the go line is ignored, as cmd/go does
	}
	requests := append([]request{p.asked("go"), toolchain}, polyglot(t, "go", "golang")...)
	return runtime("go", append(requests, directive, heroku), "")
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
	p.start("web", mains[web].Name, mains[web].from)
	for i, m := range mains {
		if i != web {
			p.start(m.Name, m.Name, m.from)
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
