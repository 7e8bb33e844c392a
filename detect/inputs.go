package detect

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	attrPath    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$`)
	flakeInput  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,62}$`)
	hostedFlake = regexp.MustCompile(`^~?[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+/([0-9a-f]{40})$`)
	gitRevision = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// checkBuilder accepts the words of [build] builder that mean what hop3 does.
func checkBuilder(text, name string) error {
	if name == "" || name == "auto" || name == "nix" {
		return nil
	}
	return tomlErr(text, "build.builder", "%q: hop3 builds with nix; write \"nix\" or leave it out", clip(name))
}

// mergeNix takes [nix], and the packages of [build] that may come from its inputs.
func (f tomlFile) mergeNix(text string, m *Manifest) error {
	if err := checkBuilder(text, f.Build.Builder); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(f.Nix.Inputs)) {
		key := "nix.inputs." + name
		if !flakeInput.MatchString(name) || name == "self" || name == "nixpkgs" || name == "app" {
			return tomlErr(text, key, "is not a name that an input can have")
		}
		if err := checkFlakeRef(f.Nix.Inputs[name]); err != nil {
			return tomlErr(text, key, "%v", err)
		}
	}
	for _, p := range m.Build.Packages {
		input, attr, other := strings.Cut(p, "#")
		if !other {
			attr = p
		}
		if !attrPath.MatchString(attr) {
			return tomlErr(text, "build.packages", "%q is not the name of a package", clip(p))
		}
		if _, known := f.Nix.Inputs[input]; other && !known {
			return tomlErr(text, "build.packages", "%q: [nix] inputs has no %q", clip(p), clip(input))
		}
	}
	m.Nix = NixSettings{f.Nix.Nixpkgs, f.Nix.Inputs}
	return nil
}

// checkFlakeRef accepts references that name one commit, so that the same tree is built from the same inputs for ever, and that
// do not reach into the server's own files.
func checkFlakeRef(ref string) error {
	const pinned = `write it with its commit: "github:OWNER/REPO/COMMIT" or "git+https://HOST/PATH?rev=COMMIT", COMMIT in 40 digits`
	u, err := url.Parse(ref)
	if err != nil || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%q is not a reference of a flake: %s", clip(ref), pinned)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fmt.Errorf("%q is not a reference of a flake: %s", clip(ref), pinned)
	}
	allowed, fixed := []string{"dir", "host", "narHash"}, false
	switch u.Scheme {
	case "github", "gitlab", "sourcehut":
		fixed = hostedFlake.MatchString(u.Opaque)
	case "git+https", "git+http":
		allowed = []string{"dir", "rev", "ref", "shallow", "submodules", "allRefs", "narHash"}
		fixed = u.Host != "" && gitRevision.MatchString(query.Get("rev"))
	default:
		return fmt.Errorf("%q: an input has a reference of the kind github:, gitlab:, sourcehut: or git+https", clip(ref))
	}
	for key := range query {
		if !slices.Contains(allowed, key) {
			return fmt.Errorf("%q: %q is not known there", clip(ref), clip(key))
		}
	}
	if !fixed {
		return fmt.Errorf("%q is not fixed: %s", clip(ref), pinned)
	}
	return nil
}
