package nixtmpl

import (
	"hop3/detect"
	"hop3/nixtmpl/packages"
)

func cppRule() rule {
	return rule{need: func(p detect.Plan, _ Resolution, n *packages.Need) {
		n.Native = true
		n.Roots = append(n.Roots, p.Cpp.Tool)
	}}
}
