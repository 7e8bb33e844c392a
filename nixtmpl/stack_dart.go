package nixtmpl

import (
	"strings"

	"hop3/detect"
	"hop3/detect/constraint"
)

// A dartView is what Dart's template needs beyond the plan.
type dartView struct {
	Locked []string // "name version server folder sha256"
}

func dartRule() rule {
	return rule{
		resolve: func(p detect.Plan, _ RenderOptions, r *Resolution) error {
			if len(p.Dart.Packages) > 0 {
				r.Layers = []string{"deps"}
			}
			return nil
		},
		view: func(p detect.Plan, _ Resolution, v *view) {
			s := dartView{}
			for _, d := range p.Dart.Packages {
				s.Locked = append(s.Locked, strings.Join([]string{d.Name, d.Version, d.URL, d.Host, d.SHA256}, " "))
			}
			v.Stack = s
		},
	}
}

func dartRuntime() runtimeRule {
	return runtimeRule{
		choose: func(want string, have []string) string {
			if want == "" || want == "any" {
				return first(have)
			}
			set, err := constraint.NPM(want) // pub's ^ and ranges mean the same
			if err != nil {
				return ""
			}
			return set.Newest(have)
		},
		attr: func([]int) string { return "dart" },
	}
}
