package nixtmpl

import (
	"hop3/detect"
	"hop3/nixtmpl/packages"
)

// A rule is what one stack adds to the path that all share; every part may be nil. The rule of a stack is in the file
// stack_NAME.go, its templates in the folder NAME.
type rule struct {
	// resolve completes r: another template than NAME/app, the layers, the fixed outputs, warnings.
	resolve func(p detect.Plan, o RenderOptions, r *Resolution) error

	// view fills in what the templates need beyond the plan, usually v.Stack.
	view func(p detect.Plan, r Resolution, v *view)

	// need completes what is taken of the offline package set; spec.json says what every app of the stack takes.
	need func(p detect.Plan, r Resolution, n *packages.Need)
}

func rules() map[string]rule {
	return map[string]rule{
		"crystal": crystalRule(),
		"go":      goRule(),
		"cpp":     cppRule(),
		"java":    jvmRule(),
		"kotlin":  jvmRule(),
		"scala":   jvmRule(),
		"clojure": jvmRule(),
		"cobol":   cobolRule(),
		"swift":   swiftRule(),
		"zig":     zigRule(),
		"haskell": haskellRule(),
		"nix":     nixRule(),
		"deno":    denoRule(),
		"node":    nodeRule(),
		"lua":     luaRule(),
		"perl":    perlRule(),
		"php":     phpRule(),
		"python":  pythonRule(),
		"rust":    rustRule(),
		"scheme":  schemeRule(),
		"ruby":    rubyRule(),
		"shell":   shellRule(),
		"elixir":  elixirRule(),
		"r":       rRule(),
		"gleam":   gleamRule(),
		"dart":    dartRule(),
		"dotnet":  dotnetRule(),
	}
}

// A runtimeRule is how the versions of a runtime are chosen and named.
type runtimeRule struct {
	choose  func(want string, have []string) string // the version to take among have, newest first; "" if none will do
	attr    func(version []int) string              // its attribute in nixpkgs
	minimum bool                                    // a request names a minimum: a newer version is no surprise
}

func runtimes() map[string]runtimeRule {
	return map[string]runtimeRule{
		"crystal": crystalRuntime(),
		"go":      goRuntime(),
		"java":    javaRuntime(),
		"gradle":  gradleRuntime(),
		"swift":   swiftRuntime(),
		"zig":     zigRuntime(),
		"ghc":     haskellRuntime(),
		"node":    nodeRuntime(),
		"lua":     luaRuntime(),
		"perl":    perlRuntime(),
		"php":     phpRuntime(),
		"python":  pythonRuntime(),
		"rust":    rustRuntime(),
		"guile":   guileRuntime(),
		"ruby":    rubyRuntime(),
		"elixir":  elixirRuntime(),
		"erlang":  erlangRuntime(),
		"r":       rRuntime(),

		"pnpm":       managerRuntime("pnpm", "_"),
		"yarn":       oneRuntime("yarn"),
		"yarn-berry": managerRuntime("yarn-berry", "_"),
		"deno":       oneRuntime("deno"),
		"bun":        oneRuntime("bun"),
		"gleam":      gleamRuntime(),
		"dart":       dartRuntime(),
		"dotnet":     dotnetRuntime(),
	}
}

func nixRule() rule {
	return rule{resolve: func(p detect.Plan, _ RenderOptions, r *Resolution) error {
		r.Template, r.Layers = "flake/app", []string{"package"}
		switch p.Nix.Kind {
		case "default":
			r.Template = "flake/default"
		case "shell", "devshell":
			r.Template, r.Layers = "flake/tools", []string{"tools"}
			return nil
		}
		for _, in := range flakeInputs(p) {
			return &InputError{in.Name, map[bool]string{true: "default.nix", false: "flake.nix"}[p.Nix.Kind == "default"]}
		}
		return nil
	}}
}
