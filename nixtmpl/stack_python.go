package nixtmpl

import (
	"fmt"
	"slices"
	"strings"

	"hop3/detect"
	"hop3/nixtmpl/packages"
)

func pythonRule() rule {
	return rule{
		resolve: resolvePython,
		view:    func(p detect.Plan, _ Resolution, v *view) { v.Collect = p.Python.Collect != "" },
		need: func(_ detect.Plan, r Resolution, n *packages.Need) {
			if r.Template == "python/wheels" {
				n.Python = []string{"pip"}
			}
		},
	}
}

func pythonRuntime() runtimeRule {
	return runtimeRule{
		nixpkgs: []string{"3.13", "3.12", "3.11"},
		choose:  choosePython,
		attr:    func(n []int) string { return fmt.Sprintf("python%d%d", n[0], at(n, 1)) },
	}
}

// resolvePython takes the packages of the set when they satisfy every requirement, else wheels.
func resolvePython(p detect.Plan, o RenderOptions, r *Resolution) error {
	why := wheelsBecause(p.Python, o.PythonPackages)
	if why == "" {
		r.Template, r.Layers = "python/packages", []string{"deps"}
		for _, q := range p.Python.Requirements {
			if !slices.Contains(r.PythonAttrs, q.Name) {
				r.PythonAttrs = append(r.PythonAttrs, q.Name)
			}
		}
		slices.Sort(r.PythonAttrs)
		return nil
	}
	r.Template, r.Layers = "python/wheels", []string{"wheels", "deps"}
	r.Fixed = []FixedOutput{fixed("wheels-"+r.Attr, p.Python.LockDigest)}
	if !p.Python.Pinned {
		r.Warnings = append(r.Warnings, "requirements.txt does not pin every version ("+why+"): the wheels of the first build are kept until it changes")
	}
	return nil
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

func choosePython(want string, have []string) string {
	want = strings.TrimSpace(strings.TrimPrefix(strings.ToLower(want), "python"))
	want = strings.TrimPrefix(strings.TrimPrefix(want, "-"), "==")
	if exact := numbers(strings.TrimSuffix(want, ".*")); exact != nil {
		exact = exact[:min(len(exact), 2)]
		for _, v := range have {
			if slices.Equal(numbers(v)[:min(len(exact), len(numbers(v)))], exact) {
				return v
			}
		}
		return ""
	}
	for _, v := range have {
		if satisfies(newest(v), want) {
			return v
		}
	}
	return ""
}
