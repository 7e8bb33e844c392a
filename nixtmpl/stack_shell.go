package nixtmpl

import (
	"hop3/detect"
	"hop3/nixtmpl/packages"
)

type shellView struct{ Package string }

func shellRule() rule {
	return rule{
		view: func(p detect.Plan, _ Resolution, v *view) {
			s := shellView{Package: "bash"} // which brings sh too
			if p.Shell.Shell == "zsh" {
				s.Package = "zsh"
			}
			v.Stack = s
		},
		need: func(_ detect.Plan, _ Resolution, n *packages.Need) { n.Stack = "procfile" },
	}
}
