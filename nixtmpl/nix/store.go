package nix

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Valid says for each path whether the store has it, whole and registered. A
// path that merely exists on disk is not valid.
func (n *Nix) Valid(ctx context.Context, paths ...string) (map[string]bool, error) {
	valid := make(map[string]bool, len(paths))
	if err := checkPaths(paths); err != nil {
		return nil, fmt.Errorf("check store paths: %w", err)
	}
	for chunk := range slices.Chunk(paths, 1000) {
		args := append([]string{"--check-validity", "--print-invalid"}, chunk...)
		invalid, err := n.lines(ctx, n.nixStore, args...)
		if err != nil {
			return nil, fmt.Errorf("check store paths: %w", err)
		}
		for _, p := range chunk {
			valid[p] = true
		}
		for _, p := range invalid {
			valid[p] = false
		}
	}
	return valid, nil
}

// AddFixed puts files into the store under the hash algo (sha256, sha512, sha1
// or md5) of their content, or of their archive when recursive, which directories
// and executables need. It returns their paths in the order of files; a fixed-output
// derivation of that name and hash then needs no build. No root is made.
func (n *Nix) AddFixed(ctx context.Context, algo string, recursive bool, files ...string) ([]string, error) {
	if hashSizes[algo] == 0 {
		return nil, fmt.Errorf("add to store: unknown hash algorithm %q", algo)
	}
	args := []string{"--add-fixed"}
	if recursive {
		args = append(args, "--recursive")
	}
	args = append(args, algo)
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, fmt.Errorf("add to store: %w", err)
		}
		if !LegalName(filepath.Base(abs)) {
			return nil, fmt.Errorf("add to store: %q is not a legal name there", filepath.Base(abs))
		}
		args = append(args, abs)
	}
	if len(files) == 0 {
		return nil, nil
	}
	paths, err := n.lines(ctx, n.nixStore, args...)
	if err == nil && len(paths) != len(files) {
		err = fmt.Errorf("nix named %d paths for %d files", len(paths), len(files))
	}
	if err != nil {
		return nil, fmt.Errorf("add to store: %w", err)
	}
	return paths, nil
}

// AddRoot makes link point to the store path and registers it, so that path and
// its closure are kept until the link is removed. path must be valid. A link
// that points into the store already is replaced.
func (n *Nix) AddRoot(ctx context.Context, link, path string) error {
	if err := checkPaths([]string{path}); err != nil {
		return fmt.Errorf("add root: %w", err)
	}
	if !filepath.IsAbs(link) {
		return fmt.Errorf("add root: %q is not an absolute path", link)
	}
	if _, err := n.output(ctx, n.nixStore, "--realise", path, "--add-root", link); err != nil {
		return fmt.Errorf("add root: %w", err)
	}
	return nil
}

// RemoveRoot removes a link that AddRoot or Build made, and the numbered link
// that a layer's leads to. It is no error when there is none; anything but a link
// into the store is refused. Nix forgets the root at its next collection.
func (n *Nix) RemoveRoot(link string) error {
	target, err := os.Readlink(link)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && rootLink.MatchString(target) && target != filepath.Base(link) {
		err = n.RemoveRoot(filepath.Join(filepath.Dir(link), target))
	} else if err == nil && !strings.HasPrefix(target, StoreDir+"/") {
		err = fmt.Errorf("%s points to %s, which is not in the store", link, target)
	}
	if err == nil {
		err = os.Remove(link)
	}
	if err != nil {
		return fmt.Errorf("remove root: %w", err)
	}
	return nil
}

// Delete removes paths from the store that nothing keeps. A path that a root or
// another path needs stays, and that is an error which names it; the others
// are gone then all the same.
func (n *Nix) Delete(ctx context.Context, paths ...string) error {
	if err := checkPaths(paths); err != nil {
		return fmt.Errorf("delete store paths: %w", err)
	}
	if len(paths) == 0 {
		return nil
	}
	// Together first: a derivation and its output keep each other.
	if _, err := n.output(ctx, n.nixStore, append([]string{"--delete"}, paths...)...); err == nil {
		return nil
	}
	valid, err := n.Valid(ctx, paths...)
	if err != nil {
		return fmt.Errorf("delete store paths: %w", err)
	}
	var errs []error
	for _, p := range paths {
		if !valid[p] {
			continue
		}
		if _, err := n.output(ctx, n.nixStore, "--delete", p); err != nil {
			errs = append(errs, fmt.Errorf("delete %s: %w", p, err))
		}
	}
	return errors.Join(errs...)
}
