package nixtmpl

import (
	"hop3/detect"
	"hop3/detect/constraint"
)

func crystalRule() rule {
	return rule{resolve: func(p detect.Plan, _ RenderOptions, r *Resolution) error {
		if d := p.Crystal.LockDigest; d != "" {
			r.Layers = []string{"shards"}
			r.Fixed = []FixedOutput{fixed("shards", d)}
		}
		return nil
	}}
}

func crystalRuntime() runtimeRule {
	return runtimeRule{
		choose:  chooseCrystal,
		attr:    func([]int) string { return "crystal" },
		minimum: true,
	}
}

// chooseCrystal reads what shard.yml writes: a plain version is the oldest that will do, operators are those of gems.
func chooseCrystal(want string, have []string) string {
	if want == "" || want == "*" || want == "latest" {
		return first(have)
	}
	if numbers(want) != nil {
		want = ">= " + want
	}
	set, err := constraint.Ruby(want)
	if err != nil {
		return ""
	}
	return set.Newest(have)
}
