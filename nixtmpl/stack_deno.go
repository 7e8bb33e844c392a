package nixtmpl

import (
	"hop3/detect"
	"hop3/nixtmpl/packages"
)

func denoRule() rule {
	return rule{
		resolve: func(p detect.Plan, _ RenderOptions, r *Resolution) error {
			if p.Deno.LockDigest != "" {
				r.Layers, r.Fixed = []string{"fetched"}, []FixedOutput{fixed("deno-packages", p.Deno.LockDigest)}
			}
			return nil
		},
		view: func(p detect.Plan, _ Resolution, v *view) { v.Stack, v.Build = p.Deno, "" },
		need: func(_ detect.Plan, r Resolution, n *packages.Need) {
			n.Versions = map[string]string{"deno": r.Version}
		},
	}
}
