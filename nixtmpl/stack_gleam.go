package nixtmpl

import (
	"hop3/detect"
	"hop3/detect/constraint"
)

func gleamRule() rule {
	return rule{resolve: func(p detect.Plan, _ RenderOptions, r *Resolution) error {
		if p.Gleam.Packages {
			r.Layers = []string{"deps"}
		}
		return nil
	}}
}

func gleamRuntime() runtimeRule {
	return runtimeRule{
		choose: func(want string, have []string) string {
			if want == "" {
				return first(have)
			}
			if pin := numbers(want); pin != nil { // gleam compiles the code of every older 1.x
				for _, v := range have {
					if numbers(v)[0] == pin[0] && compare(numbers(v), pin[:min(len(pin), 2)]) >= 0 {
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
		},
		attr: func([]int) string { return "gleam" },
	}
}
