package nixtmpl

import "hop3/detect"

func swiftRule() rule {
	return rule{resolve: func(p detect.Plan, _ RenderOptions, r *Resolution) error {
		if d := p.Swift.LockDigest; d != "" {
			r.Layers = []string{"packages"}
			r.Fixed = []FixedOutput{fixed("swift-packages", d)}
		}
		return nil
	}}
}

func swiftRuntime() runtimeRule {
	return runtimeRule{
		choose:  chooseSwift,
		attr:    func([]int) string { return "swift" },
		minimum: true,
	}
}

// chooseSwift takes the newest: a compiler knows the language and the manifests of every older one.
func chooseSwift(want string, have []string) string {
	w := numbers(want)
	if want == "" || len(have) > 0 && w != nil && compare(numbers(have[0]), w[:min(len(w), 2)]) >= 0 {
		return first(have)
	}
	return ""
}
