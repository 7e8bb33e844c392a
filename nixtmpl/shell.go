package nixtmpl

import (
	"context"
	"errors"
	"fmt"

	"hop3/nixtmpl/nix"
)

// Shell returns a script for bash that sets the environment of the app's development shell: the toolchain of the build. The
// error is as of Build.
func (b *Builder) Shell(ctx context.Context, r Request) (string, error) {
	driver, ok := b.Nix.(interface {
		DevEnv(ctx context.Context, b nix.BuildRequest) (string, error)
	})
	if !ok {
		return "", errors.New("open development shell: the driver has none")
	}
	o := b.Options(r.Name)
	res, err := Resolve(r.Plan, o)
	if err != nil {
		return "", err
	}
	if b.Set != nil {
		list := needs(r.Plan, res)
		for i := range list {
			list[i].Native = true // mkShell has a compiler, in nixpkgs too
		}
		if err := b.Set.Prefetch(ctx, orDiscard(r.Progress), list...); err != nil {
			return "", fmt.Errorf("prefetch packages: %w", err)
		}
	}
	flake, err := Render(r.Plan, o)
	if err != nil {
		return "", err
	}
	request, err := b.request(r, flake, nil)
	if err != nil {
		return "", err
	}
	return driver.DevEnv(ctx, request)
}
