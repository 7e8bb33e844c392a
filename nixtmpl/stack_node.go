package nixtmpl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"hop3/detect"
	"hop3/nixtmpl/packages"
)

func nodeRule() rule {
	return rule{
		resolve: resolveNode,
		view: func(p detect.Plan, r Resolution, v *view) {
			v.Stack = nodeViewOf(p, r)
			v.Build = "" // it is one of the steps
		},
		need: func(p detect.Plan, r Resolution, n *packages.Need) {
			n.Node, n.Native = r.Version, p.Node.InstallScripts
			if r.ToolVersion != "" {
				n.Versions = map[string]string{p.Runtimes[1].Name: r.ToolVersion}
			}
		},
	}
}

func nodeRuntime() runtimeRule {
	return runtimeRule{
		choose: chooseNode,
		attr:   func(n []int) string { return fmt.Sprintf("nodejs_%d", n[0]) },
	}
}

func resolveNode(p detect.Plan, o RenderOptions, r *Resolution) error {
	if len(p.Runtimes) > 1 {
		c, err := pick(p.Runtimes[1], o.versions(p, p.Runtimes[1].Name))
		if err != nil {
			return err
		}
		r.ToolAttr, r.ToolVersion = c.attr, c.version
		if c.warning != "" {
			r.Warnings = append(r.Warnings, c.warning)
		}
	}
	v := nodeViewOf(p, *r)
	if !v.Packages {
		return nil
	}
	r.Layers = []string{"deps"}
	if v.Dev {
		r.Layers = append(r.Layers, "buildDeps")
	}
	if v.Whole {
		kind := "yarn-cache"
		if p.Node.Resolve {
			kind = "npm-packages"
		}
		r.Layers, r.Fixed = append(r.Layers, "fetched"), []FixedOutput{fixed(kind, p.Node.LockDigest)}
	}
	return nil
}

// codenames of Node's long-term releases, as .nvmrc may name them.
var codenames = map[string]string{
	"argon": "4", "boron": "6", "carbon": "8", "dubnium": "10", "erbium": "12", "fermium": "14",
	"gallium": "16", "hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24",
}

// chooseNode understands what .nvmrc, engines and the version managers write. Where several would do it takes the newest
// long-term release (an even major).
func chooseNode(want string, have []string) string {
	want = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(want)), "v")
	lts := slices.DeleteFunc(slices.Clone(have), func(v string) bool { return numbers(v)[0]%2 == 1 })
	name := strings.TrimPrefix(want, "lts/")
	switch {
	case want == "node" || want == "latest" || want == "current" || want == "stable":
		return first(have)
	case want == "" || want == "lts" || name == "*" || name == "-1":
		return first(append(lts, have...))
	case codenames[name] != "":
		want = codenames[name]
	}
	if exact := numbers(want); exact != nil {
		for _, v := range have {
			if numbers(v)[0] == exact[0] {
				return v
			}
		}
		return ""
	}
	c, err := semver.NewConstraint(want)
	if err != nil {
		return ""
	}
	for _, v := range append(lts, have...) {
		if s, err := semver.NewVersion(newest(v)); err == nil && c.Check(s) {
			return v
		}
	}
	return ""
}
