package nixtmpl

import (
	"fmt"
	"slices"
	"strings"

	"hop3/detect"
)

// A Resolution is what a plan means on a package set.
type Resolution struct {
	Template    string   // "python/wheels"
	Runtime     string   // "python", "" where the stack has none
	Version     string   // of the runtime, as the set has it: "3.13"
	Attr        string   // "python313"
	PythonAttrs []string // packages of the set that the app gets
	Layers      []string // attributes of packages.<system> beside default that later builds need again
	Fixed       []FixedOutput
	Warnings    []string
}

// A FixedOutput is a derivation that fetches by a hash which no lock file has: it is found once and kept.
// LockDigest, which the name carries too, says when it has to be found again.
type FixedOutput struct{ Name, LockDigest string }

// Resolve chooses template, toolchain and packages for p. A *VersionError means that the set cannot satisfy the plan.
func Resolve(p detect.Plan, o RenderOptions) (Resolution, error) {
	r := Resolution{Template: p.Stack + "/app"}
	if len(p.Runtimes) > 0 {
		c, err := choose(p.Runtimes[0], available(o.Available, p.Runtimes[0].Name))
		if err != nil {
			return r, err
		}
		r.Runtime, r.Version, r.Attr = p.Runtimes[0].Name, c.version, c.attr
		if c.warning != "" {
			r.Warnings = append(r.Warnings, c.warning)
		}
	}
	switch p.Stack {
	case "go":
		r.Layers = []string{"std"}
		if p.Go.LockDigest != "" {
			r.Layers = append(r.Layers, "modules", "deps")
			r.Fixed = []FixedOutput{fixed("go-modules", p.Go.LockDigest)}
		}
	case "node":
		if len(p.Node.Tarballs) > 0 {
			r.Layers = []string{"deps"}
			if p.Node.DevPackages && (p.Node.BuildScript != "" || p.Manifest.Build.Build != "") {
				r.Layers = append(r.Layers, "buildDeps")
			}
		}
	case "python":
		resolvePython(p, o, &r)
	case "nix":
		r.Template, r.Layers = "flake/app", []string{"package"}
	}
	return r, nil
}

// FixedOutputs returns the outputs whose hashes RenderOptions.Hashes must hold for a build to succeed at once.
func FixedOutputs(p detect.Plan, o RenderOptions) ([]FixedOutput, error) {
	r, err := Resolve(p, o)
	return r.Fixed, err
}

func fixed(kind, digest string) FixedOutput {
	const shown = 12 // digits of the digest in the name: enough to tell lock files of one server apart
	return FixedOutput{Name: kind + "-" + digest[:min(len(digest), shown)], LockDigest: digest}
}

// resolvePython takes the packages of the set when they satisfy every requirement, else wheels.
func resolvePython(p detect.Plan, o RenderOptions, r *Resolution) {
	why := wheelsBecause(p.Python, o.PythonPackages)
	if why == "" {
		r.Template, r.Layers = "python/packages", []string{"deps"}
		for _, q := range p.Python.Requirements {
			if !slices.Contains(r.PythonAttrs, q.Name) {
				r.PythonAttrs = append(r.PythonAttrs, q.Name)
			}
		}
		slices.Sort(r.PythonAttrs)
		return
	}
	r.Template, r.Layers = "python/wheels", []string{"wheels", "deps"}
	r.Fixed = []FixedOutput{fixed("wheels-"+r.Attr, p.Python.LockDigest)}
	if !p.Python.Pinned {
		r.Warnings = append(r.Warnings, "requirements.txt does not pin every version ("+why+"): the wheels of the first build are kept until it changes")
	}
}

// wheelsBecause returns the first requirement that the set cannot satisfy, "" if there is none.
func wheelsBecause(f *detect.PythonFacts, have map[string]string) string {
	if f.Hashed {
		return "it carries hashes"
	}
	for _, q := range f.Requirements {
		version, ok := have[q.Name]
		switch {
		case len(q.Extras) > 0 || q.Marker != "":
			return q.Name + " has extras or a marker"
		case have == nil && q.Spec != "":
			return q.Name + q.Spec
		case have == nil:
		case !ok:
			return q.Name + " is not in the package set"
		case !satisfies(version, q.Spec):
			return fmt.Sprintf("%s%s, and the package set has %s", q.Name, q.Spec, version)
		}
	}
	return ""
}

// satisfies reports whether a version meets every clause of a PEP 440 specifier. Versions that are not plain numbers meet none.
func satisfies(version, spec string) bool {
	if spec == "" {
		return true
	}
	have := numbers(version)
	if have == nil {
		return false
	}
	for clause := range strings.SplitSeq(spec, ",") {
		if clause != "" && !satisfiesClause(have, clause) {
			return false
		}
	}
	return true
}

func satisfiesClause(have []int, clause string) bool {
	op := clause[:len(clause)-len(strings.TrimLeft(clause, "=<>!~"))]
	text := strings.TrimSpace(clause[len(op):])
	prefix, star := strings.CutSuffix(text, ".*")
	want := numbers(prefix)
	if want == nil {
		return false
	}
	same := slices.Equal(have[:min(len(have), len(want))], want)
	c := compare(have, want)
	switch op {
	case "==", "===":
		return c == 0 || star && same
	case "!=":
		return c != 0 && !(star && same)
	case ">=":
		return c >= 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case "<":
		return c < 0
	case "~=":
		head := want[:max(len(want)-1, 0)]
		return c >= 0 && len(head) > 0 && slices.Equal(have[:min(len(have), len(head))], head)
	}
	return false
}
