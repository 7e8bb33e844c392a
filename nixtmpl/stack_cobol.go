package nixtmpl

import "hop3/detect"

// cobolView are the computed values of the COBOL template.
type cobolView struct{ Flags []string }

func cobolRule() rule {
	return rule{view: func(p detect.Plan, _ Resolution, v *view) {
		var flags []string
		if p.Cobol.Free {
			flags = append(flags, "-free")
		}
		for _, d := range p.Cobol.Copy {
			flags = append(flags, "-I"+d)
		}
		v.Stack = cobolView{flags}
	}}
}
