package nixtmpl

import (
	"slices"

	"hop3/detect"
)

// A Resolution is what a plan means on a package set.
type Resolution struct {
	Template    string   // "python/wheels"
	Runtime     string   // "python", "" where the stack has none
	Version     string   // of the runtime, as the set has it: "3.13"
	Attr        string   // "python313"
	ToolAttr    string   // of the package manager, where it does not come with the runtime: "pnpm_9"
	ToolVersion string   // "9"
	PythonAttrs []string // packages of the set that the app gets
	Layers      []string // attributes of packages.<system> beside default that later builds need again
	Fixed       []FixedOutput
	Assets      []Resolution // of the front ends, in order
	Warnings    []string
	Second      SecondRuntime // what the runtime runs on where that is not the usual one
}

// A SecondRuntime is an attribute and who asks for it: Erlang below Elixir.
type SecondRuntime struct{ Attr, From string }

// A FixedOutput is a derivation that fetches by a hash which no lock file has: it is found once and kept.
// LockDigest, which the name carries too, says when it has to be found again.
type FixedOutput struct{ Name, LockDigest string }

// Resolve chooses template, toolchain and packages for p. A *VersionError means that the set cannot satisfy the plan.
func Resolve(p detect.Plan, o RenderOptions) (Resolution, error) {
	r := Resolution{Template: p.Stack + "/app"}
	if len(p.Runtimes) > 0 {
		c, err := pick(p.Runtimes[0], o.versions(p, p.Runtimes[0].Name))
		if err != nil {
			return r, err
		}
		r.Runtime, r.Version, r.Attr = p.Runtimes[0].Name, c.version, c.attr
		if c.warning != "" {
			r.Warnings = append(r.Warnings, c.warning)
		}
	}
	if f := rules()[p.Stack].resolve; f != nil {
		if err := f(p, o, &r); err != nil {
			return r, err
		}
	}
	o.Nixpkgs = nixpkgsRef(p, o)
	for _, a := range p.Assets {
		sub, err := Resolve(*a.Plan, o)
		if err != nil {
			return r, err
		}
		r.Assets, r.Warnings = append(r.Assets, sub), append(r.Warnings, sub.Warnings...)
	}
	return r, nil
}

// allFixed are the fixed outputs of the app and of its front ends.
func (r Resolution) allFixed() []FixedOutput {
	list := slices.Clone(r.Fixed)
	for _, a := range r.Assets {
		list = append(list, a.Fixed...)
	}
	return list
}

// FixedOutputs returns the outputs whose hashes RenderOptions.Hashes must hold for a build to succeed at once.
func FixedOutputs(p detect.Plan, o RenderOptions) ([]FixedOutput, error) {
	r, err := Resolve(p, o)
	return r.allFixed(), err
}

func fixed(kind, digest string) FixedOutput {
	const shown = 12 // digits of the digest in the name: enough to tell lock files of one server apart
	return FixedOutput{Name: kind + "-" + digest[:min(len(digest), shown)], LockDigest: digest}
}
