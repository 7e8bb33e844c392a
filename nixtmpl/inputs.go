package nixtmpl

import (
	"maps"
	"slices"

	"hop3/detect"
)

// A flakeInput is one of hop3.toml's [nix] inputs: another flake, one commit of it, whose packages [build] packages may name
// as NAME#PACKAGE. Where it has an input nixpkgs, that follows the app's, so that there is one set of packages.
type flakeInput struct{ Name, URL string }

func flakeInputs(p detect.Plan) []flakeInput {
	var list []flakeInput
	for _, name := range slices.Sorted(maps.Keys(p.Manifest.Nix.Inputs)) {
		list = append(list, flakeInput{name, p.Manifest.Nix.Inputs[name]})
	}
	return list
}

// An InputError is an input that hop3.toml gives to an app whose own Nix expression decides what it is built from.
type InputError struct{ Name, File string }

func (e *InputError) Error() string {
	return "hop3.toml [nix] inputs " + e.Name + ": this app is built by its own " + e.File
}

// Hint says what to do.
func (e *InputError) Hint() string { return "write the input into " + e.File }
