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

// rubyView is what the Ruby templates need beyond the plan.
type rubyView struct {
	Gems    string // how the gems come: "locked", "found", "vendored"; "" = from the set
	Attrs   []string
	Skipped []string
	Server  string // of every gem
	Adapt   string // what is changed in Gemfile and lock file, "" for nothing
	Bundle  bool   // there is a Gemfile
	Clones  string // repositories, one a line
	From    string // what says which gems
}

func rubyRule() rule {
	return rule{
		resolve: resolveRuby,
		view:    viewRuby,
		need: func(p detect.Plan, r Resolution, n *packages.Need) {
			n.Native, n.Versions = r.Template == "ruby/bundle", map[string]string{"ruby": r.Version}
			if r.Template == "ruby/packages" {
				n.Packages = map[string][]string{"ruby": wantedGems(p.Ruby)}
			}
		},
	}
}

func rubyRuntime() runtimeRule {
	return runtimeRule{
		choose: func(want string, have []string) string {
			if numbers(want) != nil {
				return chooseLine(want, have, 2)
			}
			set, err := constraint.Ruby(want)
			if err != nil {
				return ""
			}
			return set.Newest(have)
		},
		attr: func(n []int) string { return fmt.Sprintf("ruby_%d_%d", n[0], at(n, 1)) },
	}
}

// chooseLine takes the newest version of have that begins with as much of want as a line of releases has parts: "3.3.5"
// is served by 3.3, and "3" by any.
func chooseLine(want string, have []string, parts int) string {
	n := numbers(want)
	n = n[:min(len(n), parts)]
	for _, v := range have {
		if h := numbers(v); len(h) >= len(n) && slices.Equal(h[:len(n)], n) {
			return v
		}
	}
	return ""
}

// resolveRuby takes the gems of the set when they are what the app asks for, else those of the lock file.
func resolveRuby(p detect.Plan, o RenderOptions, r *Resolution) error {
	f := p.Ruby
	why := bundleBecause(f, o.Packages["ruby"])
	switch {
	case why == "":
		r.Template, r.Layers = "ruby/packages", []string{"deps"}
		return nil
	case f.Lock == "":
		return &detect.ParseError{File: f.Gemfile, Msg: "no lock file, and " + why + ": run bundle lock --add-platform x86_64-linux and commit it"}
	}
	r.Template, r.Layers = "ruby/bundle", []string{"gems", "deps"}
	if gemsFrom(f) == "found" {
		r.Fixed = []FixedOutput{fixed("gems", f.LockDigest)}
	}
	if !f.Checksums && !f.Vendored {
		r.Warnings = append(r.Warnings, f.Lock+" has no checksums: the gems of the first build are kept until it changes; bundle lock --add-checksums pins them")
	}
	return nil
}

// gemsFrom says how the gems of a lock file come: one by one where it has all hashes and one server. A commit is no hash of
// what is fetched; Bundler checks the hashes of the other gems then.
func gemsFrom(f *detect.RubyFacts) string {
	switch {
	case f.Vendored:
		return "vendored"
	case f.Checksums && f.Server != "" && len(f.Git) == 0:
		return "locked"
	}
	return "found"
}

// bundleBecause returns the first reason why the gems of the set will not do, "" if they will.
func bundleBecause(f *detect.RubyFacts, have map[string]string) string {
	for _, g := range f.Locked {
		if g.Platform != "" || have[g.Name] != g.Version {
			return fmt.Sprintf("%s %s of %s", g.Name, g.Version, f.Lock)
		}
	}
	if f.Lock != "" {
		return ""
	}
	if f.Dynamic != "" {
		return f.Dynamic
	}
	for _, g := range f.Gems {
		version, ok := have[g.Name]
		switch {
		case g.Elsewhere():
			return f.Where(g) + " comes from elsewhere"
		case have == nil && len(g.Requirements) == 0:
		case have == nil:
			return f.Where(g) + " asks for a version"
		case !ok:
			return f.Where(g) + " is not in the package set"
		case !allowsGem(g.Requirements, version):
			return fmt.Sprintf("%s asks for %s, and the package set has %s", f.Where(g), strings.Join(g.Requirements, ", "), version)
		}
	}
	return ""
}

func allowsGem(requirements []string, version string) bool {
	if len(requirements) == 0 {
		return true
	}
	set, err := constraint.Ruby(strings.Join(requirements, ", "))
	return err == nil && set.Allows(version)
}

// wantedGems are the gems of the Gemfile that the lock file, where there is one, has for production.
func wantedGems(f *detect.RubyFacts) []string {
	var list []string
	for _, g := range f.Gems {
		if !slices.Contains(list, g.Name) && (f.Lock == "" || !slices.Contains(f.Skipped, g.Name)) {
			list = append(list, g.Name)
		}
	}
	slices.Sort(list)
	return list
}

// adaptBundle is the command that leaves the patch of Ruby to the package set, and adds the platform that a lock file lacks.
func adaptBundle(f *detect.RubyFacts) string {
	var steps []string
	if f.RubyLine > 0 {
		steps = append(steps, fmt.Sprintf("sed -i '%ds/^/# /' %s", f.RubyLine, f.Gemfile))
	}
	if f.RubyLine > 0 && f.Lock != "" {
		steps = append(steps, fmt.Sprintf("sed -i '/^RUBY VERSION$/,/^$/d' %s", f.Lock))
	}
	if f.AddPlatform {
		steps = append(steps, fmt.Sprintf("sed -i 's/^PLATFORMS$/&\\n  ruby/' %s", f.Lock))
	}
	return strings.Join(steps, "; ")
}

func viewRuby(p detect.Plan, r Resolution, v *view) {
	f := p.Ruby
	s := rubyView{Skipped: f.Skipped, Server: f.Server, Bundle: f.Gemfile != "", From: cmp.Or(f.Lock, f.Gemfile, "no Gemfile")}
	s.Adapt = adaptBundle(f)
	s.Attrs = wantedGems(f)
	if r.Template == "ruby/bundle" {
		s.Gems = gemsFrom(f)
	}
	for _, g := range f.Git {
		modules := map[bool]string{true: "submodules", false: "no"}[g.Submodules]
		s.Clones += strings.Join([]string{g.Name, g.Commit, modules, g.URL}, " ") + "\n"
	}
	v.BuildStep = f.Precompile != "" || v.Build != ""
	v.Stack = s
}
