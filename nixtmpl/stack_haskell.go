package nixtmpl

import (
	"fmt"
	"slices"
	"strings"

	"hop3/detect"
	"hop3/nixtmpl/packages"
)

// haskellView are the computed values of the Haskell templates.
type haskellView struct{ Attrs []string }

func haskellRule() rule {
	return rule{
		resolve: resolveHaskell,
		view:    func(p detect.Plan, _ Resolution, v *view) { v.Stack = haskellView{haskellNames(p)} },
		need: func(p detect.Plan, r Resolution, n *packages.Need) {
			n.Versions = map[string]string{"ghc": r.Version}
			if r.Template == "haskell/packages" {
				n.Packages = map[string][]string{"haskell": haskellNames(p)}
			}
		},
	}
}

func haskellRuntime() runtimeRule {
	return runtimeRule{
		choose:  chooseGHC,
		attr:    func(n []int) string { return fmt.Sprintf("ghc%d%d", n[0], at(n, 1)) },
		minimum: true,
	}
}

// chooseGHC takes the minor version that is asked for, else the newest: what libraries are for which compiler is decided by
// their version ranges.
func chooseGHC(want string, have []string) string {
	w := numbers(strings.TrimPrefix(want, "ghc-"))
	for _, v := range have {
		if n := numbers(v); w != nil && slices.Equal(n[:min(len(n), 2)], w[:min(len(w), 2)]) {
			return v
		}
	}
	return first(have)
}

func haskellNames(p detect.Plan) []string {
	var list []string
	for _, d := range p.Haskell.Depends {
		list = append(list, d.Name)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// resolveHaskell takes the libraries of the set when they satisfy every range, else those that cabal chooses.
func resolveHaskell(p detect.Plan, o RenderOptions, r *Resolution) error {
	want := p.Runtimes[0]
	if w := numbers(strings.TrimPrefix(want.Version, "ghc-")); w != nil && compare(w[:min(len(w), 2)], numbers(r.Version)) != 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("ghc %s (%s) is served by ghc %s of the package set", want.Version, want.From, r.Version))
	}
	why := cabalBecause(p.Haskell, o.Packages["haskell"])
	if why == "" {
		r.Template, r.Layers = "haskell/packages", []string{"deps"}
		return nil
	}
	r.Template, r.Layers = "haskell/cabal", []string{"sources", "deps"}
	r.Fixed = []FixedOutput{fixed("hackage-"+r.Attr, p.Haskell.LockDigest)}
	if !p.Haskell.Frozen {
		r.Warnings = append(r.Warnings, "cabal.project.freeze is not committed ("+why+"): the packages of the first build are kept until the package description changes; run cabal freeze and commit it")
	}
	return nil
}

// cabalBecause returns the first range that the set cannot satisfy, "" if there is none. Of a set whose versions are not
// known everything is believed: it is one snapshot that builds together.
func cabalBecause(f *detect.HaskellFacts, have map[string]string) string {
	if f.Frozen {
		return "it is frozen"
	}
	for _, d := range f.Depends {
		version, ok := have[d.Name]
		switch {
		case have == nil:
		case !ok:
			return d.Name + " is not in the package set"
		case !inCabalRange(version, d.Spec):
			return fmt.Sprintf("%s %s (%s), and the package set has %s", d.Name, d.Spec, d.From, version)
		}
	}
	return ""
}

// inCabalRange reports whether a version lies in a range of build-depends. What it cannot read holds nothing.
func inCabalRange(version, spec string) bool {
	have := numbers(version)
	if have == nil {
		return false
	}
	if strings.TrimSpace(spec) == "" {
		return true
	}
	for either := range strings.SplitSeq(spec, "||") {
		all := true
		for clause := range strings.SplitSeq(either, "&&") {
			all = all && inCabalClause(have, strings.Trim(clause, " ()"))
		}
		if all {
			return true
		}
	}
	return false
}

func inCabalClause(have []int, clause string) bool {
	op := clause[:len(clause)-len(strings.TrimLeft(clause, "=<>^-"))]
	text := strings.TrimSpace(clause[len(op):])
	if op == "-" {
		return text == "any"
	}
	if set, ok := strings.CutPrefix(text, "{"); ok { // ^>= { 1.0, 1.2 }
		for one := range strings.SplitSeq(strings.TrimSuffix(set, "}"), ",") {
			if inCabalClause(have, op+strings.TrimSpace(one)) {
				return true
			}
		}
		return false
	}
	prefix, star := strings.CutSuffix(text, ".*")
	want := numbers(prefix)
	if want == nil {
		return false
	}
	same := func(n int) bool { return slices.Equal(have[:min(len(have), n)], want[:min(len(want), n)]) }
	switch op {
	case "==":
		return compare(have, want) == 0 || star && same(len(want))
	case ">=":
		return compare(have, want) >= 0
	case "<=":
		return compare(have, want) <= 0
	case ">":
		return compare(have, want) > 0
	case "<":
		return compare(have, want) < 0
	case "^>=":
		return compare(have, want) >= 0 && same(2)
	}
	return false
}
