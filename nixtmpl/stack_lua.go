package nixtmpl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hop3/detect"
	"hop3/detect/constraint"
	"hop3/nixtmpl/packages"
)

// luaView is what the Lua templates need beyond the plan.
type luaView struct {
	Attrs   []string
	From    string // what lists the rocks
	Version string // of Lua: "5.4"
}

func luaRule() rule {
	return rule{
		resolve: resolveLua,
		view: func(p detect.Plan, r Resolution, v *view) {
			s := luaView{From: cmp.Or(p.Lua.Rockspec, "no rockspec"), Version: r.Version, Attrs: rockNames(p.Lua)}
			v.Stack = s
		},
		need: func(p detect.Plan, r Resolution, n *packages.Need) {
			n.Versions = map[string]string{"lua": r.Version}
			if r.Template == "lua/rocks" {
				n.Native, n.Roots = true, []string{"luaRocks"}
				return
			}
			n.Packages = map[string][]string{"lua": rockNames(p.Lua)}
		},
	}
}

// rockNames are the rocks of the app, sorted.
func rockNames(f *detect.LuaFacts) []string {
	var list []string
	for _, q := range f.Rocks {
		if !slices.Contains(list, q.Name) {
			list = append(list, q.Name)
		}
	}
	slices.Sort(list)
	return list
}

func luaRuntime() runtimeRule {
	return runtimeRule{
		choose: func(want string, have []string) string {
			if numbers(want) != nil {
				return chooseLine(want, have, 2)
			}
			set, err := rockSpec(want)
			if err != nil {
				return ""
			}
			return set.Newest(have)
		},
		attr: func(n []int) string { return fmt.Sprintf("lua%d_%d", n[0], at(n, 1)) },
	}
}

// rockSpec reads what a rockspec asks for: Ruby's operators, and == and ~= for equal and unequal.
func rockSpec(text string) (constraint.Set, error) {
	return constraint.Ruby(strings.NewReplacer("==", "=", "~=", "!=", "@", "=").Replace(text))
}

// resolveLua takes the rocks of the set when they are what the app asks for, else what LuaRocks fetches.
func resolveLua(p detect.Plan, o RenderOptions, r *Resolution) error {
	f := p.Lua
	why := rocksBecause(f, o.Packages["lua"])
	if why == "" {
		r.Template, r.Layers = "lua/packages", []string{"deps"}
		return nil
	}
	r.Template, r.Layers = "lua/rocks", []string{"rocks", "deps"}
	r.Fixed = []FixedOutput{fixed("rocks-"+r.Attr, f.LockDigest)}
	if !slices.Contains(f.Manifests, "luarocks.lock") {
		r.Warnings = append(r.Warnings, "no luarocks.lock pins the rocks ("+why+"): those of the first build are kept until "+f.Rockspec+" changes")
	}
	return nil
}

// rocksBecause returns the first reason why the rocks of the set will not do, "" if they will.
func rocksBecause(f *detect.LuaFacts, have map[string]string) string {
	if slices.Contains(f.Manifests, "luarocks.lock") {
		return "luarocks.lock names versions"
	}
	for _, q := range f.Rocks {
		version, ok := have[q.Name]
		switch {
		case have == nil && q.Spec == "":
		case have == nil:
			return q.Name + " " + q.Spec
		case !ok:
			return q.Name + " is not in the package set"
		case q.Spec != "":
			version, _, _ = strings.Cut(version, "-")
			if set, err := rockSpec(q.Spec); err != nil || !set.Allows(version) {
				return fmt.Sprintf("%s %s, and the package set has %s", q.Name, q.Spec, version)
			}
		}
	}
	return ""
}
