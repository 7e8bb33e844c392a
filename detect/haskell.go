package detect

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// HaskellFacts are what the Haskell templates need beyond the plan.
type HaskellFacts struct {
	Packages   []string        // folders of the app's packages
	Hpack      []string        // those that have package.yaml and no .cabal file
	Programs   []string        // sorted
	Depends    []HaskellDepend // what they depend on beside themselves and what comes with GHC
	Manifests  []string        // the files that decide about dependencies
	LockDigest string          // of Manifests, hex
	Frozen     bool            // cabal.project.freeze is there
}

func claimHaskell(t *tree) []Evidence {
	var ev []Evidence
	for _, f := range t.in(".") {
		if path.Ext(f) == ".cabal" {
			ev = append(ev, Evidence{File: f, Why: "package description"})
		}
	}
	for _, f := range []string{"package.yaml", "cabal.project", "stack.yaml"} {
		if t.has(f) && slices.ContainsFunc(t.order, func(f string) bool { return path.Ext(f) == ".hs" }) {
			ev = append(ev, Evidence{File: f, Why: "project"})
		}
	}
	return ev
}

func planHaskell(t *tree, p *Plan) error {
	facts := &HaskellFacts{Frozen: t.has("cabal.project.freeze")}
	p.Haskell = facts
	p.Tool = Tool{Name: "cabal", From: p.Evidence[len(p.Evidence)-1].File}
	r := haskellReader{t: t, facts: facts}
	if err := r.project(); err != nil {
		return err
	}
	p.Runtimes = []Runtime{runtime("ghc", append(append([]request{p.asked("ghc"), pinned(t, ".ghc-version")},
		polyglot(t, "ghc")...), r.compilers...), "")}
	for _, dir := range r.dirs {
		if err := r.read(dir); err != nil {
			return err
		}
	}
	facts.Depends = slices.DeleteFunc(facts.Depends, func(d HaskellDepend) bool { return slices.Contains(r.local, d.Name) || comesWithGHC(d.Name) })
	for _, d := range facts.Depends {
		if slices.Contains([]string{"happstack-server", "ihp", "scotty", "servant-server", "snap-server", "Spock", "twain", "warp", "yesod-core"}, d.Name) && !slices.Contains(p.Frameworks, d.Name) {
			p.Frameworks = append(p.Frameworks, d.Name)
		}
	}
	for _, f := range []string{"cabal.project", "cabal.project.freeze"} {
		if t.has(f) {
			facts.Manifests = append(facts.Manifests, f)
		}
	}
	slices.Sort(facts.Manifests)
	slices.Sort(facts.Programs)
	var err error
	if facts.LockDigest, err = t.digest(facts.Manifests); err != nil {
		return err
	}
	p.startPrograms("an executable of "+join(facts.Manifests), r.programs, r.local...)
	return nil
}

// comesWithGHC reports whether GHC itself has a library.
func comesWithGHC(name string) bool {
	return slices.Contains([]string{
		"array", "base", "binary", "bytestring", "containers", "deepseq", "directory", "exceptions", "filepath", "ghc-prim", "mtl",
		"parsec", "pretty", "process", "stm", "template-haskell", "text", "time", "transformers", "unix",
	}, name)
}

// A haskellReader collects what the packages of a project say.
type haskellReader struct {
	t         *tree
	facts     *HaskellFacts
	dirs      []string // of packages
	local     []string // names of packages and of their inner libraries
	programs  []program
	compilers []request
}

// project finds the packages and the compiler that cabal.project and stack.yaml name.
func (r *haskellReader) project() error {
	var patterns []string
	if r.t.has("cabal.project") {
		b, err := r.t.read("cabal.project")
		if err != nil {
			return err
		}
		project, err := parseCabal("cabal.project", b)
		if err != nil {
			return err
		}
		patterns = strings.FieldsFunc(project.value("packages"), func(c rune) bool { return c == ',' || c <= ' ' })
		r.compilers = append(r.compilers, request{strings.TrimPrefix(project.value("with-compiler"), "ghc-"), "cabal.project with-compiler"})
	}
	if r.t.has("stack.yaml") {
		b, err := r.t.read("stack.yaml")
		if err != nil {
			return err
		}
		var stack yaml.Node
		if err := decodeYAML("stack.yaml", b, &stack); err != nil {
			return err
		}
		if list := lookup(&stack, "packages"); list != nil && len(patterns) == 0 {
			for _, n := range list.Content {
				patterns = append(patterns, scalar(n))
			}
		}
		resolver := cmp.Or(scalar(lookup(&stack, "resolver")), scalar(lookup(&stack, "snapshot")))
		r.compilers = append(r.compilers, request{strings.TrimPrefix(scalar(lookup(&stack, "compiler")), "ghc-"), "stack.yaml compiler"},
			request{resolverGHC(resolver), "stack.yaml resolver " + clip(resolver)})
	}
	r.find(patterns)
	return nil
}

// resolverGHC is the minor version of GHC that a Stackage snapshot is made for, "" if that is not known.
func resolverGHC(resolver string) string {
	lts, _, _ := strings.Cut(strings.TrimPrefix(resolver, "lts-"), ".")
	return map[string]string{"18": "8.10", "19": "9.0", "20": "9.2", "21": "9.4", "22": "9.6", "23": "9.8", "24": "9.10"}[lts]
}

// find lists the folders that the patterns of a project name: folders, globs, or .cabal files in them.
func (r *haskellReader) find(patterns []string) {
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	for _, d := range append([]string{"."}, r.t.folders()...) {
		named := slices.ContainsFunc(patterns, func(p string) bool {
			if strings.HasSuffix(p, ".cabal") {
				p = path.Dir(p)
			}
			ok, err := path.Match(path.Clean(p), d)
			return ok && err == nil
		})
		if named && len(r.dirs) < maxCrates {
			r.dirs = append(r.dirs, d)
		}
	}
}

// read reads the package in dir: its .cabal file, else package.yaml.
func (r *haskellReader) read(dir string) error {
	for _, f := range r.t.in(dir) {
		if path.Ext(f) != ".cabal" {
			continue
		}
		b, err := r.t.read(f)
		if err != nil {
			return err
		}
		root, err := parseCabal(f, b[:min(len(b), maxSource)])
		if err != nil {
			return err
		}
		r.facts.Packages, r.facts.Manifests = append(r.facts.Packages, dir), append(r.facts.Manifests, f)
		r.cabal(f, root)
		return nil
	}
	f := path.Join(dir, "package.yaml")
	if !r.t.has(f) {
		return nil
	}
	var pkg yaml.Node
	b, err := r.t.read(f)
	if err != nil {
		return err
	}
	if err := decodeYAML(f, b, &pkg); err != nil {
		return err
	}
	r.facts.Packages, r.facts.Manifests = append(r.facts.Packages, dir), append(r.facts.Manifests, f)
	r.facts.Hpack = append(r.facts.Hpack, dir)
	r.hpack(f, dir, &pkg)
	return nil
}

func (r *haskellReader) cabal(file string, root *cabalSection) {
	r.local = append(r.local, root.value("name"))
	common := map[string]*cabalSection{}
	for _, s := range root.sections {
		switch s.kind {
		case "common":
			common[s.name] = s
			continue
		case "library":
			if s.name != "" {
				r.local = append(r.local, s.name)
			}
		case "executable":
			r.program(s.name, fmt.Sprintf("%s:%d executable", file, s.line))
		default:
			continue // tests, benchmarks, flags
		}
		r.depends(file, s)
		for _, name := range strings.FieldsFunc(s.value("import"), func(c rune) bool { return c == ',' || c <= ' ' }) {
			if c := common[name]; c != nil {
				r.depends(file, c)
			}
		}
	}
	if len(root.all("build-depends")) > 0 { // as old descriptions have it
		r.depends(file, root)
	}
}

func (r *haskellReader) depends(file string, s *cabalSection) {
	for _, f := range s.all("build-depends") {
		r.add(parseDepends(f.value(), fmt.Sprintf("%s:%d", file, f.line)))
	}
}

func (r *haskellReader) add(list []HaskellDepend) {
	for _, d := range list {
		if !slices.ContainsFunc(r.facts.Depends, func(e HaskellDepend) bool { return e.Name == d.Name && e.Spec == d.Spec }) {
			r.facts.Depends = append(r.facts.Depends, d)
		}
	}
}

func (r *haskellReader) program(name, from string) {
	if programName.MatchString(name) {
		r.programs = append(r.programs, program{name, from})
		r.facts.Programs = append(r.facts.Programs, name)
	}
}

// hpack reads package.yaml.
func (r *haskellReader) hpack(file, dir string, pkg *yaml.Node) {
	name := cmp.Or(scalar(lookup(pkg, "name")), path.Base(dir))
	r.local = append(r.local, name)
	sections := []*yaml.Node{pkg, lookup(pkg, "library")}
	if lookup(pkg, "executable") != nil {
		r.program(name, file+" executable")
		sections = append(sections, lookup(pkg, "executable"))
	}
	for _, x := range pairs(lookup(pkg, "executables")) {
		r.program(x.key, fmt.Sprintf("%s:%d executables", file, x.line))
		sections = append(sections, x.value)
	}
	for _, s := range sections {
		deps := lookup(s, "dependencies")
		if one := scalar(deps); one != "" {
			r.add(parseDepends(one, file))
		} else if deps != nil && deps.Kind == yaml.SequenceNode {
			for _, n := range deps.Content {
				r.add(parseDepends(scalar(n), fmt.Sprintf("%s:%d", file, n.Line)))
			}
		}
		for _, d := range pairs(deps) {
			r.add(parseDepends(d.key+" "+scalar(d.value), fmt.Sprintf("%s:%d", file, d.line)))
		}
	}
}

// folders returns the folders of t, sorted, without the root.
func (t *tree) folders() []string {
	var list []string
	for d := range t.dirs {
		if d != "." {
			list = append(list, d)
		}
	}
	slices.Sort(list)
	return list
}
