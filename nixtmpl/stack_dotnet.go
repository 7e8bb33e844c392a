package nixtmpl

import (
	"fmt"
	"slices"
	"strings"

	"hop3/detect"
)

// A dotnetView is what .NET's template needs beyond the plan.
type dotnetView struct {
	Runtime  string   // attribute of what the programs run on
	Programs []string // "src/Web.csproj net8.0 Web"
}

func dotnetRule() rule {
	return rule{
		resolve: func(p detect.Plan, _ RenderOptions, r *Resolution) error {
			if p.Dotnet.Packages {
				r.Layers = []string{"packages", "deps"}
				r.Fixed = []FixedOutput{fixed("nuget-packages-"+r.Attr, p.Dotnet.LockDigest)}
			}
			for _, d := range p.Dotnet.Projects {
				if strings.ContainsAny(d.File, " \t\n") {
					return &detect.ParseError{File: d.File, Msg: "a project's path holds no blanks"}
				}
			}
			return nil
		},
		view: func(p detect.Plan, _ Resolution, v *view) {
			f := p.Dotnet
			kind := "dotnet-runtime_"
			if f.Web {
				kind = "dotnet-aspnetcore_"
			}
			major, _, _ := strings.Cut(f.Framework, ".")
			s := dotnetView{Runtime: kind + major}
			for _, d := range f.Projects {
				folder := "."
				if len(f.Projects) > 1 {
					folder = d.Assembly
				}
				s.Programs = append(s.Programs, d.File+" net"+d.Framework+" "+folder)
			}
			v.Stack = s
		},
	}
}

func dotnetRuntime() runtimeRule {
	return runtimeRule{
		choose: chooseDotnet,
		attr:   func(n []int) string { return fmt.Sprintf("dotnet-sdk_%d", n[0]) },
	}
}

// chooseDotnet takes the same major version, else the oldest newer one, which builds for older frameworks too: global.json's
// 8.0.100 names an SDK, 8.0 a framework.
func chooseDotnet(want string, have []string) string {
	if want == "" {
		return first(have)
	}
	w := numbers(want)
	if w == nil {
		return ""
	}
	for _, v := range slices.Backward(have) {
		if numbers(v)[0] >= w[0] {
			return v
		}
	}
	return ""
}
