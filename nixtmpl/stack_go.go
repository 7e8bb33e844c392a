package nixtmpl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hop3/detect"
	"hop3/nixtmpl/packages"
)

func goRule() rule {
	return rule{
		resolve: resolveGo,
		view: func(p detect.Plan, _ Resolution, v *view) {
			own := maps.Clone(p.BuildEnv)
			delete(own, "GOFLAGS") // which the template sets, with those of the app
			delete(own, "CGO_ENABLED")
			v.Environment = environment(own)
			v.Stack = goView{Flags: strings.TrimSpace("-trimpath " + p.Go.Flags)}
			for _, main := range p.Go.Mains {
				v.GoPrograms = append(v.GoPrograms, "./"+strings.TrimPrefix(main.Dir, "."))
			}
		},
		need: func(p detect.Plan, r Resolution, n *packages.Need) { n.Go, n.Native = r.Version, p.Go.Cgo },
	}
}

type goView struct{ Flags string }

func goRuntime() runtimeRule {
	return runtimeRule{
		choose:  chooseGo,
		attr:    func(n []int) string { return fmt.Sprintf("go_%d_%d", n[0], at(n, 1)) },
		minimum: true,
	}
}

func resolveGo(p detect.Plan, _ RenderOptions, r *Resolution) error {
	r.Layers = []string{"std"}
	if p.Go.LockDigest != "" {
		r.Layers = append(r.Layers, "modules", "deps")
		r.Fixed = []FixedOutput{fixed("go-modules", p.Go.LockDigest)}
	}
	return nil
}

// chooseGo takes the oldest that is new enough: the go line names a minimum, and go compiles every older language.
func chooseGo(want string, have []string) string {
	w := numbers(want)
	if want == "" || w == nil {
		return first(have)
	}
	w = w[:min(len(w), 2)] // the newest patch of a minor version is as new as any that is asked for
	for _, v := range slices.Backward(have) {
		if compare(numbers(v), w) >= 0 {
			return v
		}
	}
	return ""
}
