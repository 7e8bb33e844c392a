package nixtmpl

import (
	"fmt"

	"hop3/detect"
)

// A schemeView is what Scheme's template needs beyond the plan.
type schemeView struct {
	Version  string   // that Guile's folders carry: "3.0"
	Packages []string // attributes of the packages that the modules are in
}

func schemeRule() rule {
	return rule{
		resolve: resolveScheme,
		view: func(p detect.Plan, r Resolution, v *view) {
			v.Stack = schemeView{Version: r.Version, Packages: p.Scheme.Packages}
		},
	}
}

// resolveScheme refuses a site that the set has no generator for, which nix would say less well.
func resolveScheme(p detect.Plan, o RenderOptions, _ *Resolution) error {
	if p.Scheme.Haunt && o.Available != nil && len(o.Available["haunt"]) == 0 {
		return &VersionError{Runtime: "haunt", Want: "site", From: "haunt.scm"}
	}
	return nil
}

func guileRuntime() runtimeRule {
	return runtimeRule{
		choose: choosePrefix,
		attr:   func(n []int) string { return fmt.Sprintf("guile_%d_%d", n[0], at(n, 1)) },
	}
}
