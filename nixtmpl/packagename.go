package nixtmpl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hop3/detect"
	"hop3/nixtmpl/nix"
)

// A PackageError is a package that the app asks for and that the package set does not have.
type PackageError struct {
	Name string
	From string // where it is asked for
	Near string // the name that was probably meant, ""
	Err  error  // what nix said
}

func (e *PackageError) Error() string {
	where := "the package set"
	if input, _, other := strings.Cut(e.Name, "#"); other {
		where = "the input " + input
	}
	return fmt.Sprintf("package %q (%s) is not in %s", e.Name, e.From, where)
}

// Unwrap returns the error of nix.
func (e *PackageError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *PackageError) Hint() string {
	if strings.Contains(e.Name, "#") {
		return "packages of an input are those of its packages.<system>"
	}
	if e.Near != "" {
		return fmt.Sprintf("did you mean %q?", e.Near)
	}
	return "names are those of nixpkgs; hop3 packages list shows what this server's set has, a flake.nix of the app's own can bring anything"
}

var missingAttribute = regexp.MustCompile(`attribute '([^'\s]{1,64})' missing`)

// explain names the package that an evaluation did not find, where the app asked for it.
func (b *Builder) explain(ctx context.Context, p detect.Plan, err error) error {
	be, ok := errors.AsType[*nix.BuildError](err)
	if !ok || be.Drv != "" {
		return err
	}
	m := missingAttribute.FindStringSubmatch(be.Message)
	if m == nil {
		return err
	}
	asked := p.Manifest.Build.Packages
	from := "hop3.toml [build] packages"
	i := slices.IndexFunc(asked, func(name string) bool {
		return slices.Contains(strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '#' }), m[1])
	})
	if i < 0 && p.Site != nil && p.Site.Package == m[1] {
		asked, i, from = []string{m[1]}, 0, p.Tool.From
	}
	if i < 0 {
		return err
	}
	return &PackageError{Name: asked[i], From: from, Near: b.nearest(ctx, asked[i]), Err: err}
}

// nearest returns the package of the set that is called almost like name, "" if none is or the set cannot be asked.
func (b *Builder) nearest(ctx context.Context, name string) string {
	lister, ok := b.Nix.(interface {
		AttrNames(ctx context.Context, ref string) ([]string, error)
	})
	ref := b.Nixpkgs
	if b.Set != nil {
		ref = b.Set.FlakeRef()
	}
	if !ok || ref == "" {
		return ""
	}
	names, err := lister.AttrNames(ctx, ref)
	if err != nil {
		return "" // the error that is explained is the better one
	}
	return cmp.Or(detect.Nearest(name, names), detect.Nearest(strings.ReplaceAll(name, "-", "_"), names))
}
