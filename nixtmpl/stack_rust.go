package nixtmpl

import (
	"fmt"
	"strings"

	"hop3/detect"
	"hop3/nixtmpl/packages"
)

// rustView are the computed values of the Rust template.
type rustView struct {
	Layered  bool   // dependencies are compiled apart from the app
	Packages string // " -p web -p worker": what is built, "" for all at the root
	Members  string // " -p web -p lib": what the dependencies' layer leaves out
}

func rustRule() rule {
	return rule{
		resolve: resolveRust,
		view: func(p detect.Plan, _ Resolution, v *view) {
			f := p.Rust
			v.Stack = rustView{Layered: layered(f), Packages: flags(f.Packages), Members: flags(f.Members)}
		},
		need: func(_ detect.Plan, r Resolution, n *packages.Need) {
			n.Versions = map[string]string{"rust": r.Version}
		},
	}
}

func layered(f *detect.RustFacts) bool { return f.Crates || f.LockDigest != "" }

func flags(packages []string) string {
	var b strings.Builder
	for _, p := range packages {
		b.WriteString(" -p " + p)
	}
	return b.String()
}

func rustRuntime() runtimeRule {
	return runtimeRule{
		choose:  chooseRust,
		attr:    func([]int) string { return "rustc" },
		minimum: true,
	}
}

func resolveRust(p detect.Plan, _ RenderOptions, r *Resolution) error {
	if layered(p.Rust) {
		r.Layers = []string{"vendor", "deps"}
	}
	if d := p.Rust.LockDigest; d != "" {
		r.Fixed = []FixedOutput{fixed("crates", d)}
	}
	if want := p.Runtimes[0]; strings.HasPrefix(want.Version, "nightly") || strings.HasPrefix(want.Version, "beta") {
		r.Warnings = append(r.Warnings, fmt.Sprintf("rust %s (%s) is served by rust %s: the package set has releases only", want.Version, want.From, r.Version))
	}
	return nil
}

// chooseRust takes the newest: a release compiles what every older one does. A channel's name asks for nothing more.
func chooseRust(want string, have []string) string {
	want = strings.TrimPrefix(strings.TrimSpace(want), "v")
	if name, _, _ := strings.Cut(want, "-"); name == "" || name == "stable" || name == "beta" || name == "nightly" || name == "latest" {
		return first(have)
	}
	number, _, _ := strings.Cut(want, "-") // 1.85-x86_64-unknown-linux-gnu
	w := numbers(number)
	if w == nil || len(have) == 0 || compare(numbers(have[0]), w[:min(len(w), 2)]) < 0 {
		return ""
	}
	return have[0]
}
