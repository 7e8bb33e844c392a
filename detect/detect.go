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
	"errors"
	"io/fs"
	"path"
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

// stacks are all that are known. All are asked; the heaviest evidence wins by the rules of [beats], and between equals the
// one that stands first here.
func stacks() []stack {
	return []stack{
		{"nix", claimNix, planNix},                // the app's own recipe beats what we would guess
		{"php", claimPHP, planPHP},                // composer.json or index.php; package.json beside it builds assets
		{"ruby", claimRuby, planRuby},             // a Rails app often carries scripts in other languages
		{"elixir", claimElixir, planElixir},       // mix.exs is never there by accident; a go.mod or package.json beside it is a helper's
		{"go", claimGo, planGo},                   // go.mod at the root is never there by accident; package.json beside it builds assets
		{"java", claimJava, planJava},             // Maven or Gradle at the root; a package.json beside it builds the front end
		{"kotlin", claimKotlin, planKotlin},       // java leaves builds with the Kotlin plug-in to it
		{"scala", claimScala, planScala},          // as go
		{"clojure", claimClojure, planClojure},    // as go; pom.xml beside deps.edn is written by its tools
		{"rust", claimRust, planRust},             // a crate with programs; one that is a Python module gives way
		{"dotnet", claimDotnet, planDotnet},       // a project at the root; those below it are helpers of other stacks
		{"python", claimPython, planPython},       // a Django or Flask app often carries a package.json for its front end
		{"perl", claimPerl, planPerl},             // its package.json builds assets
		{"lua", claimLua, planLua},                // a rockspec or a main.lua
		{"deno", claimDeno, planDeno},             // a deno.json beside a package.json with scripts serves its functions
		{"node", claimNode, planNode},             // after those that use node for assets only
		{"swift", claimSwift, planSwift},          // a package.json beside it builds assets
		{"crystal", claimCrystal, planCrystal},    // a package.json beside it builds assets
		{"haskell", claimHaskell, planHaskell},    // a package.json beside it builds assets
		{"zig", claimZig, planZig},                // build.zig may build C++ that has a CMakeLists.txt too
		{"cpp", claimCpp, planCpp},                // after those whose native extensions CMake builds
		{"gleam", claimGleam, planGleam},          // its manifest is never there by accident
		{"dart", claimDart, planDart},             // the same
		{"r", claimR, planR},                      // a report beside another stack's app has no manifest, or less evidence
		{"scheme", claimScheme, planScheme},       // a program at the root beats the page that it serves
		{"cobol", claimCobol, planCobol},          // sources at the root, no manifest
		{"static", claimStatic, planStatic},       // index.html is also part of apps of every other stack
		{"shell", claimShell, planShell},          // a start script is part of apps of every other stack
		{"procfile", claimProcfile, planProcfile}, // says how to start, not what it is: last
	}
}

const maxNested = 4 // folders, each the only one of its parent, between the root and an app that nothing points to

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
// The error is an [*UnknownError] when no stack claims src. Once the stack is known it is a [*StackError] around an
// [*UnsupportedError] when what was found cannot be built, a [*StartError] when nothing says how to start it, or a
// [*ParseError] for a file that breaks its own format.
func Detect(src fs.FS) (Plan, error) {
	t, err := load(src)
	if err != nil {
		return Plan{}, err
	}
	p, err := detectIn(t, "")
	if u, ok := errors.AsType[*UnknownError](err); ok {
		return detectNested(t, u)
	}
	return p, err
}

// detectIn plans the app in the folder dir of t, "" for where hop3.toml says or the root.
func detectIn(t *tree, dir string) (Plan, error) {
	m, app, err := readManifest(t, dir)
	if err != nil {
		if list := candidates(t, newManifest()); len(list) > 0 {
			return Plan{}, &StackError{Stack: list[0].Stack, Err: err}
		}
		return Plan{}, err
	}
	p := Plan{Version: planVersion, Root: cmp.Or(m.Build.Root, "."), Manifest: m, Warnings: m.warnings}
	if dir != "" {
		p.nested = &Evidence{File: dir + "/", Why: "the only folder, and nothing at the root says what this is"}
	}
	if err := choose(app, &p); err != nil {
		return Plan{}, err
	}
	p.Ignored = ignored(app, p)
	p.finish(app)
	return p, nil
}

// detectNested plans the app in the only folder of a root where no stack was found, or in the only folder of that one; u is
// returned when that does not help.
func detectNested(t *tree, u *UnknownError) (Plan, error) {
	dir := ""
	for range maxNested {
		sub := onlyFolder(t, dir)
		if sub == "" {
			break
		}
		dir = path.Join(dir, sub)
		p, err := detectIn(t, dir)
		if _, none := errors.AsType[*UnknownError](err); !none {
			return p, err
		}
	}
	return Plan{}, u
}

// choose finds the stack that claims t, explicit before detected, and lets it plan.
func choose(t *tree, p *Plan) error {
	winner, err := pick(t, p)
	if err != nil {
		return err
	}
	p.Stack = winner.name
	p.Static = p.Manifest.static
	p.Processes = append(p.Processes, p.Manifest.procs...)
	p.Release = p.Manifest.Release
	p.BuildEnv = BuildEnv(p.Manifest.Env)
	if err := slugHides(t, p); err != nil {
		return &StackError{Stack: p.Stack, Err: err}
	}
	if err := winner.plan(t, p); err != nil {
		return &StackError{Stack: p.Stack, Err: err, More: causes(t, p.Stack)}
	}
	if err := planAssets(t, p); err != nil {
		return &StackError{Stack: p.Stack, Err: err, More: causes(t, "node")}
	}
	if p.nested != nil {
		p.Evidence = append([]Evidence{*p.nested}, p.Evidence...)
	}
	if len(p.Processes) == 0 && p.Static == "" {
		return &StackError{Stack: p.Stack, Err: &StartError{Stack: p.Stack, Tried: p.tried, Choices: append(p.chosen, dockerStart(t)...)}, More: append(misspelt(t, pinFiles()), gitignored(t, []string{"Procfile", "hop3.toml"})...)}
	}
	return nil
}

// causes are what in the tree may be why the plan of a stack failed.
func causes(t *tree, stack string) []string {
	files := []string{"Procfile", "hop3.toml"}
	for _, c := range clues()[stack] {
		for _, f := range c.files {
			if c.weight >= weightLock { // a version pin that is not there stops nothing
				files = append(files, f)
			}
		}
	}
	return append(misspelt(t, pinFiles()), gitignored(t, files)...)
}

func join(list []string) string { return strings.Join(list, ", ") }
