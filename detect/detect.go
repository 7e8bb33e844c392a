// Package detect says what kind of application a source tree holds and how it is started.
//
// It is pure: a [fs.FS] goes in and a [Plan] comes out. Nothing is executed, nothing is logged, no symbolic link is
// followed, and the same tree gives the same plan whatever the order in which its folders are read. Reading is bounded by
// the constants of this package, so that a hostile tree costs little.
//
// A plan speaks the ecosystem's language ("go 1.23, from go.mod"); package nixtmpl translates it into Nix.
package detect

import (
	"cmp"
	"fmt"
	"io/fs"
	"strings"
)

// A stack recognises one kind of application. Its templates and cases are the folder of the same name in nixtmpl
// ("flake" for the stack nix, whose name the driver's package has).
type stack struct {
	name string

	// claim returns the evidence that t is this stack's, nil when it is not.
	claim func(t *tree) []Evidence

	// plan fills p; it is called for the winner only.
	plan func(t *tree, p *Plan) error
}

// stacks is tried in order and the first claim wins. The order says who is primary when a tree holds several.
func stacks() []stack {
	return []stack{
		{"nix", claimNix, planNix},                // the app's own recipe beats what we would guess
		{"go", claimGo, planGo},                   // go.mod at the root is never there by accident; package.json beside it builds assets
		{"python", claimPython, planPython},       // a Django or Flask app often carries a package.json for its front end
		{"node", claimNode, planNode},             // after those that use node for assets only
		{"static", claimStatic, planStatic},       // index.html is also part of apps of every other stack
		{"procfile", claimProcfile, planProcfile}, // says how to start, not what it is: last
	}
}

// Stacks returns the names of the stacks in the order in which they are tried.
func Stacks() []string {
	var names []string
	for _, s := range stacks() {
		names = append(names, s.name)
	}
	return names
}

// Detect returns the plan of the application in src.
//
// The error is an [*UnknownError] when no stack claims src, an [*UnsupportedError] when what was found cannot be built yet,
// a [*StartError] when nothing says how to start it, and a [*ParseError] for a file that breaks its own format.
func Detect(src fs.FS) (Plan, error) {
	t, err := load(src)
	if err != nil {
		return Plan{}, err
	}
	m, t, err := readManifest(t)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Version: planVersion, Root: cmp.Or(m.Build.Root, "."), Manifest: m, Warnings: m.warnings}
	if err := choose(t, &p); err != nil {
		return Plan{}, err
	}
	p.Ignored = ignored(t, p)
	p.finish(t)
	return p, nil
}

// choose finds the stack that claims t, explicit before detected, and lets it plan.
func choose(t *tree, p *Plan) error {
	winner, err := pick(t, p)
	if err != nil {
		return err
	}
	p.Stack = winner.name
	p.Static = p.Manifest.static
	for _, pr := range p.Manifest.procs {
		p.Processes = append(p.Processes, pr)
	}
	p.Release = p.Manifest.Release
	if err := winner.plan(t, p); err != nil {
		return err
	}
	if len(p.Processes) == 0 && p.Static == "" {
		return &StartError{Stack: p.Stack, Tried: p.tried}
	}
	return nil
}

func pick(t *tree, p *Plan) (stack, error) {
	explicit := p.Manifest.Build.Stack
	var winner stack
	for _, s := range stacks() {
		ev := s.claim(t)
		switch {
		case explicit == s.name:
			winner = s
			line := t.lineOf("hop3.toml", "stack")
			p.Evidence = append([]Evidence{{File: "hop3.toml", Line: line, Why: "[build] stack"}}, ev...)
		case len(ev) == 0:
		case explicit == "" && winner.name == "" && !yields(t, s.name):
			winner, p.Evidence = s, ev
		default:
			p.Rejected = append(p.Rejected, Candidate{Stack: s.name, Evidence: ev})
		}
	}
	if winner.name != "" {
		if err := foreign(t, winner.name, explicit); err != nil {
			return stack{}, err
		}
		return winner, nil
	}
	if explicit != "" {
		return stack{}, &ParseError{File: "hop3.toml", Line: t.lineOf("hop3.toml", "stack"),
			Msg: fmt.Sprintf("unknown stack %q%s", explicit, didYouMean(explicit, Stacks()))}
	}
	if err := foreign(t, "", ""); err != nil {
		return stack{}, err
	}
	return stack{}, unknown(t)
}

// yields reports whether a stack that claims t leaves it to a later one: a Python requirements file beside a node server
// is that server's helper when nothing in the tree is a Python entry.
func yields(t *tree, name string) bool {
	if name != "python" || !t.has("package.json") {
		return false
	}
	pkg, err := readPackage(t)
	return err == nil && pkg.Scripts["start"] != "" && pythonEntry(t) == ""
}

// foreign refuses a tree that belongs to a stack which hop3 does not build yet, instead of serving its index.html
// or running its Procfile without its runtime.
func foreign(t *tree, winner, explicit string) error {
	if explicit != "" || winner != "" && winner != "static" && winner != "procfile" {
		return nil
	}
	for _, f := range foreignManifests() {
		if t.has(f.file) {
			return &UnsupportedError{What: f.stack, Evidence: f.file}
		}
	}
	return nil
}

type foreignManifest struct{ file, stack string }

// foreignManifests are root files that name a stack for certain.
func foreignManifests() []foreignManifest {
	return []foreignManifest{
		{"Gemfile", "ruby"}, {"composer.json", "php"}, {"Cargo.toml", "rust"}, {"mix.exs", "elixir"}, {"pom.xml", "java"},
		{"build.gradle", "java"}, {"build.gradle.kts", "kotlin"}, {"build.sbt", "scala"}, {"project.clj", "clojure"},
		{"deps.edn", "clojure"}, {"gleam.toml", "gleam"}, {"Package.swift", "swift"}, {"pubspec.yaml", "dart"},
		{"shard.yml", "crystal"}, {"stack.yaml", "haskell"}, {"cabal.project", "haskell"}, {"build.zig", "zig"},
		{"CMakeLists.txt", "cpp"}, {"meson.build", "cpp"}, {"deno.json", "deno"}, {"deno.jsonc", "deno"},
		{"cpanfile", "perl"}, {"go.work", "go workspaces"},
	}
}

func join(list []string) string { return strings.Join(list, ", ") }
