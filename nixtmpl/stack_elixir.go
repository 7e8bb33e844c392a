package nixtmpl

import (
	"fmt"
	"slices"

	"hop3/detect"
	"hop3/detect/constraint"
	"hop3/nixtmpl/packages"
)

// An elixirView is what Elixir's template needs beyond the plan.
type elixirView struct {
	Fetches  bool     // mix.lock names packages
	Beam     string   // where nixpkgs has Elixir for the wanted Erlang: "beamPackages"
	OTPFrom  string   // who asks for that Erlang
	Locked   []string // "app name-version checksum"
	Tailwind string   // attribute of the program, ""
	Assets   bool
}

func elixirRule() rule {
	return rule{
		resolve: resolveElixir,
		view: func(p detect.Plan, r Resolution, v *view) {
			e := p.Elixir
			s := elixirView{Fetches: len(e.Hex)+len(e.Git) > 0, Beam: "beamPackages", Assets: e.Assets != ""}
			if len(r.Second.Attr) > 0 {
				s.Beam, s.OTPFrom = "beam.packages."+r.Second.Attr, r.Second.From
			}
			for _, h := range e.Hex {
				s.Locked = append(s.Locked, h.App+" "+h.Name+"-"+h.Version+" "+h.Outer)
			}
			switch e.Tailwind {
			case "":
			case "4":
				s.Tailwind = "tailwindcss_4"
			default:
				s.Tailwind = "tailwindcss"
			}
			v.Stack = s
		},
		need: func(p detect.Plan, _ Resolution, n *packages.Need) { n.Native = p.Elixir.Native },
	}
}

func elixirRuntime() runtimeRule {
	return runtimeRule{
		choose: chooseElixir,
		attr:   func(n []int) string { return fmt.Sprintf("elixir_%d_%d", n[0], at(n, 1)) },
	}
}

func erlangRuntime() runtimeRule {
	return runtimeRule{
		choose: chooseErlang,
		attr:   func(n []int) string { return fmt.Sprintf("erlang_%d", n[0]) },
	}
}

func resolveElixir(p detect.Plan, o RenderOptions, r *Resolution) error {
	if len(p.Elixir.Hex)+len(p.Elixir.Git) > 0 {
		r.Layers = []string{"deps"}
	}
	i := slices.IndexFunc(p.Runtimes, func(q detect.Runtime) bool { return q.Name == "erlang" })
	if i < 0 {
		return nil
	}
	have := o.versions(p, "erlang")
	c, err := pick(p.Runtimes[i], have)
	if err != nil {
		return err
	}
	if c.warning != "" {
		r.Warnings = append(r.Warnings, c.warning)
	}
	if c.version != first(have) {
		r.Second = SecondRuntime{Attr: c.attr, From: p.Runtimes[i].From + " → erlang " + p.Runtimes[i].Version}
	}
	return nil
}

// chooseElixir understands requirements of mix.exs. A pinned version is served by its minor version, else by a newer one
// of the same major: Elixir keeps compiling old code.
func chooseElixir(want string, have []string) string {
	if want == "" {
		return first(have)
	}
	if pin := numbers(want); pin != nil {
		if same := choosePrefix(want, have); same != "" {
			return same
		}
		for _, v := range slices.Backward(have) {
			if n := numbers(v); n[0] == pin[0] && compare(n, pin) > 0 {
				return v
			}
		}
		return ""
	}
	set, err := constraint.Hex(want)
	if err != nil {
		return ""
	}
	return set.Newest(have)
}

// chooseErlang takes the same major version, else the oldest that is newer: Erlang runs the code of two majors before.
func chooseErlang(want string, have []string) string {
	pin := numbers(want)
	if want == "" || pin == nil {
		return first(have)
	}
	for _, v := range slices.Backward(have) {
		if numbers(v)[0] >= pin[0] {
			return v
		}
	}
	return ""
}
