package nixtmpl

import (
	"fmt"

	"hop3/detect"
)

// An assetView is what the define "assets" needs of one front end.
type assetView struct {
	view
	Key, Dir string   // its name in the flake, and where it is in the app's tree
	Only     bool     // it reads nothing outside Dir
	Skip     []string // endings of files that it does not read
}

func assetViews(p detect.Plan, o RenderOptions, r Resolution) []assetView {
	var list []assetView
	for i, a := range p.Assets {
		v := assetView{view: values(*a.Plan, o, r.Assets[i]), Key: "frontend", Dir: a.Dir, Only: a.Dir != "." && !a.Everything}
		if i > 0 {
			v.Key += fmt.Sprint(i + 1)
		}
		v.Name += "-" + v.Key
		if !v.Only && !a.Everything {
			v.Skip = sources(p.Stack)
		}
		list = append(list, v)
	}
	return list
}

// sources are the endings of a stack's program files, which its front end does not read.
func sources(stack string) []string {
	return map[string][]string{
		"go": {".go", "go.mod", "go.sum"}, "python": {".py", "requirements.txt"}, "rust": {".rs"}, "java": {".java"}, "kotlin": {".kt"},
		"dotnet": {".cs", ".fs"}, "php": {"composer.lock"}, "ruby": {"Gemfile.lock"}, "elixir": {"mix.lock"},
	}[stack]
}
