package detect

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Candidate is a stack that claimed the tree, with all that speaks for it. Why says why a loser lost.
type Candidate struct {
	Stack    string
	Evidence []Evidence
	Weight   int
	Why      string

	claimed  []Evidence // as the stack claimed it
	place    int        // in the table of stacks
	servable bool
	stack    stack
}

// candidates returns all stacks that claim t, strongest first by the rules of [beats].
func candidates(t *tree, m Manifest) []Candidate {
	var list []Candidate
	for i, s := range stacks() {
		ev := s.claim(t)
		if len(ev) == 0 {
			ev = commanded(t, m, s.name)
		}
		if len(ev) == 0 {
			continue
		}
		all := weigh(t, s.name, ev)
		list = append(list, Candidate{Stack: s.name, Evidence: all, Weight: total(all), claimed: ev, place: i, servable: servable(t, s.name), stack: s})
	}
	if len(list) == 0 {
		return nil
	}
	// The rules are no total order (a gives way to b for a reason that c does not share), so the winner is found by one pass
	// in table order, not by sorting.
	best := 0
	for i := 1; i < len(list); i++ {
		if won, _ := beats(t, m, list[i], list[best]); won {
			best = i
		}
	}
	winner := list[best]
	list = slices.Delete(list, best, best+1)
	for i := range list {
		_, list[i].Why = beats(t, m, winner, list[i])
	}
	slices.SortStableFunc(list, func(a, b Candidate) int { return b.Weight - a.Weight })
	return append([]Candidate{winner}, list...)
}

// commanded is the evidence that a stack's own program is what the app starts with, in a tree that has none of its manifests:
// "web: python3 serve.py" needs Python, not only a Procfile.
func commanded(t *tree, m Manifest, name string) []Evidence {
	s, from := started(m)
	if s != name || !slices.Contains([]string{"node", "python", "ruby", "php", "perl", "lua", "r"}, s) {
		return nil
	}
	file, why, _ := strings.Cut(from, " ")
	return []Evidence{{File: file, Line: m.procLine("web"), Why: why, Weight: weightEntry}}
}

// beats reports whether a is more likely than b what the tree is, and the rule that says so, first rule first.
func beats(t *tree, m Manifest, a, b Candidate) (bool, string) {
	if x, y := heaviest(a.Evidence) >= weightOutright, heaviest(b.Evidence) >= weightOutright; x != y {
		return x, "the app's own recipe comes first"
	}
	if s, from := started(m); s != "" && (s == a.Stack) != (s == b.Stack) {
		return s == a.Stack, from
	}
	if why := givesWay(t, b.Stack, a.Stack); why != "" {
		return true, why
	}
	if why := givesWay(t, a.Stack, b.Stack); why != "" {
		return false, why
	}
	if x, y := heaviest(a.Evidence) >= weightManifest, heaviest(b.Evidence) >= weightManifest; x != y {
		return x, "it has no manifest"
	}
	const assets = "it builds the front end of the other"
	if x, y := a.assetsOf(b), b.assetsOf(a); x && b.servable || y && a.servable {
		return y, assets
	}
	if a.servable != b.servable {
		return a.servable, "nothing of it can be started"
	}
	if x, y := a.assetsOf(b), b.assetsOf(a); x != y {
		return y, assets
	}
	if a.Weight != b.Weight {
		return a.Weight > b.Weight, fmt.Sprintf("its evidence weighs less: %d against %d", min(a.Weight, b.Weight), max(a.Weight, b.Weight))
	}
	return a.place < b.place, "equal evidence, and it comes later in the order of stacks"
}

// assetsOf reports whether c is a front end's build in an app of other.
func (c Candidate) assetsOf(other Candidate) bool {
	return c.Stack == "node" && slices.Contains(usesNodeForAssets(), other.Stack) && heaviest(other.Evidence) >= weightManifest
}

// pick chooses the stack: explicit before the app's own recipe before evidence.
func pick(t *tree, p *Plan) (stack, error) {
	list := candidates(t, p.Manifest)
	if explicit := p.Manifest.Build.Stack; explicit != "" {
		return pickNamed(t, p, explicit, list)
	}
	if len(list) == 0 {
		if err := foreign(t, ""); err != nil {
			return stack{}, err
		}
		return stack{}, unknown(t)
	}
	if err := foreign(t, list[0].Stack); err != nil {
		return stack{}, err
	}
	p.Winner, p.Rejected = list[0], list[1:]
	p.Evidence = list[0].claimed
	return list[0].stack, nil
}

// pickNamed takes the stack that [build] stack names, whatever claims the tree.
func pickNamed(t *tree, p *Plan, name string, list []Candidate) (stack, error) {
	line := lineIn(t, "hop3.toml", []string{"build", "stack"})
	i := slices.IndexFunc(stacks(), func(s stack) bool { return s.name == name })
	if i < 0 {
		return stack{}, &ParseError{File: "hop3.toml", Line: line, Msg: fmt.Sprintf("unknown stack %q%s", clip(name), didYouMean(name, Stacks()))}
	}
	s := stacks()[i]
	said := Evidence{File: "hop3.toml", Line: line, Why: "[build] stack", Weight: weightOutright}
	p.Winner = Candidate{Stack: name, Evidence: []Evidence{said}, stack: s, place: i}
	for _, c := range list {
		if c.Stack == name {
			p.Winner.Evidence = append(p.Winner.Evidence, c.Evidence...)
			continue
		}
		c.Why = "hop3.toml names another stack"
		p.Rejected = append(p.Rejected, c)
	}
	p.Winner.Weight = total(p.Winner.Evidence)
	p.Evidence = append([]Evidence{said}, s.claim(t)...)
	return s, nil
}

// foreign refuses a tree that belongs to a stack which hop3 does not build, instead of serving its index.html
// or running its Procfile without its runtime.
func foreign(t *tree, winner string) error {
	if winner != "" && winner != "static" && winner != "procfile" && winner != "shell" {
		return nil
	}
	for _, f := range foreignManifests() {
		for _, name := range t.in(".") {
			if ok, err := path.Match(f.file, name); ok && err == nil && !slices.Contains(Stacks(), f.stack) {
				return &StackError{Stack: f.stack, Err: &UnsupportedError{What: cmp.Or(f.what, f.stack), Evidence: name}}
			}
		}
	}
	return nil
}

// A foreignManifest is a root file, or a pattern of them, that names a stack for certain.
type foreignManifest struct{ file, stack, what string }

func foreignManifests() []foreignManifest {
	return []foreignManifest{
		{file: "mix.exs", stack: "elixir"},
		{file: "gleam.toml", stack: "gleam"},
		{file: "Package.swift", stack: "swift"}, {file: "pubspec.yaml", stack: "dart"}, {file: "stack.yaml", stack: "haskell"},
		{file: "cabal.project", stack: "haskell"}, {file: "build.zig", stack: "zig"}, {file: "deno.json", stack: "deno"},
		{file: "deno.jsonc", stack: "deno"},
		{"dune-project", "ocaml", "OCaml"}, {"rebar.config", "erlang", "an Erlang release"}, {"Project.toml", "julia", "Julia"},
		{"dub.json", "d", "D"}, {"dub.sdl", "d", "D"}, {"elm.json", "elm", "Elm"}, {"*.nimble", "nim", "Nim"}, {"v.mod", "v", "V"},
		{"fpm.toml", "fortran", "Fortran"}, {"*.asd", "lisp", "Common Lisp"}, {"info.rkt", "racket", "Racket"}, {"*.lpr", "pascal", "Pascal"},
		{"MODULE.bazel", "bazel", "a Bazel build"}, {"WORKSPACE.bazel", "bazel", "a Bazel build"}, {"build.xml", "ant", "an Ant build"},
		{"environment.yml", "conda", "conda"}, {"Podfile", "ios", "a phone app"}, {"*.ipynb", "jupyter", "a notebook"},
	}
}
