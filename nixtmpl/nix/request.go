package nix

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	attrName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_'-]{0,99}$`)
	inputName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_/-]{0,199}$`)
	envName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,199}$`)
	// What the driver itself decides for nix.
	envTaken = regexp.MustCompile(`^(?:NIX_.*|LD_.*|XDG_.*|GC_.*|_NIX_.*|PATH|HOME|TMPDIR|USER|SHELL)$`)
)

// check refuses what must not become an argument of nix.
func (b BuildRequest) check() error {
	if !filepath.IsAbs(b.Flake) {
		return fmt.Errorf("flake %q is not an absolute path", b.Flake)
	}
	if b.RootDir != "" && !filepath.IsAbs(b.RootDir) {
		return fmt.Errorf("root directory %q is not an absolute path", b.RootDir)
	}
	for _, attr := range append([]string{b.Attr}, b.Layers...) {
		if !attrName.MatchString(attr) {
			return fmt.Errorf("%q is not an attribute name", attr)
		}
	}
	for input, ref := range b.Overrides {
		if !inputName.MatchString(input) || ref == "" || strings.HasPrefix(ref, "-") {
			return fmt.Errorf("input %q cannot be overridden by %q", input, ref)
		}
	}
	for _, kv := range b.Env {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || !envName.MatchString(name) || strings.ContainsRune(kv, 0) {
			return fmt.Errorf("%q is not an environment variable's name", clip(name, 100))
		}
		if envTaken.MatchString(name) && name != "NIX_SSL_CERT_FILE" {
			return fmt.Errorf("environment variable %s cannot be set for a build", name)
		}
	}
	return nil
}

// flakeRef is the reference of the flake in the working directory: "path:", so
// that it is taken as it is, in a git work tree too; and relative, because no
// quoting of a directory's name is understood by all versions of nix.
const flakeRef = "path:."
