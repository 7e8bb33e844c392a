package nixtmpl

import (
	"fmt"
	"slices"

	"hop3/detect"
)

func zigRule() rule {
	return rule{resolve: func(p detect.Plan, _ RenderOptions, r *Resolution) error {
		if d := p.Zig.LockDigest; d != "" {
			r.Layers = []string{"deps"}
			r.Fixed = []FixedOutput{fixed("zig-packages", d)}
		}
		return nil
	}}
}

func zigRuntime() runtimeRule {
	return runtimeRule{
		choose:  chooseZig,
		attr:    func(n []int) string { return fmt.Sprintf("zig_%d_%d", n[0], at(n, 1)) },
		minimum: true,
	}
}

// chooseZig takes the oldest minor version that is new enough: before 1.0 each breaks the sources of the one before.
func chooseZig(want string, have []string) string {
	w := numbers(want)
	if want == "" || want == "latest" || want == "master" {
		return first(have)
	}
	for _, v := range slices.Backward(have) {
		if w != nil && compare(numbers(v), w[:min(len(w), 2)]) >= 0 {
			return v
		}
	}
	return ""
}
