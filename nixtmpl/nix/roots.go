package nix

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// rootName is the link to the main output. Nix calls the links of the others
// result-2, result-3 and so on, in the order of its arguments.
const rootName = "result"

var rootLink = regexp.MustCompile(`^(?:result(?:-.*)?|layer-.*)$`)

// clearRoots removes the links of an earlier build but a "result" into the
// store, which nix replaces in one step.
func clearRoots(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make root directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("clear roots: %w", err)
	}
	for _, e := range entries {
		if e.Type() != os.ModeSymlink || !rootLink.MatchString(e.Name()) {
			continue
		}
		link := filepath.Join(dir, e.Name())
		if target, err := os.Readlink(link); err == nil && e.Name() == rootName && strings.HasPrefix(target, StoreDir+"/") {
			continue
		}
		if err := os.Remove(link); err != nil {
			return fmt.Errorf("clear roots: %w", err)
		}
	}
	return nil
}

// nameRoots gives the links that nix registered the names that Build promises:
// "layer-NAME", and "result" where a derivation's main output is not "out".
func nameRoots(dir string, targets []target, drvs []string) error {
	for i, t := range targets {
		name := rootName
		if i > 0 {
			name = "layer-" + t.attr
		}
		from, err := registered(dir, slices.Index(drvs, t.Drv), t.Out)
		if err == nil && from != name {
			err = replaceLink(from, filepath.Join(dir, name))
		}
		if err != nil {
			return fmt.Errorf("name root: %w", err)
		}
	}
	return nil
}

// replaceLink makes link lead to target; "result" may lead to another output.
func replaceLink(target, link string) error {
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(target, link)
}

// registered finds nix's link to out, which is an output of the i-th derivation:
// "result-2" for its output "out", "result-2-dev" for "dev".
func registered(dir string, i int, out string) (string, error) {
	base := rootName
	if i > 0 {
		base = fmt.Sprintf("%s-%d", rootName, i+1)
	}
	links, err := filepath.Glob(filepath.Join(globQuote(dir), base) + "*")
	if err != nil {
		return "", err
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == out {
			return filepath.Base(link), nil
		}
	}
	return "", fmt.Errorf("nix made no link to %s", out)
}

// rootsAtOnce bounds how many store paths are named to one nix: a command line
// has a limit.
const rootsAtOnce = 500

// KeepOnly makes dir hold a root for each of paths, which must be valid, and
// none for others. dir has no other files.
func (n *Nix) KeepOnly(ctx context.Context, dir string, paths []string) error {
	if err := checkPaths(paths); err != nil {
		return fmt.Errorf("keep store paths: %w", err)
	}
	if kept, err := rootsIn(dir); err != nil || slices.Equal(kept, slices.Sorted(slices.Values(paths))) {
		return err
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return fmt.Errorf("keep store paths: %w", err)
	}
	i := 0
	for chunk := range slices.Chunk(paths, rootsAtOnce) {
		i++
		args := append([]string{"--realise", "--add-root", filepath.Join(dir, fmt.Sprintf("keep-%d", i))}, chunk...)
		if _, err := n.output(ctx, n.nixStore, args...); err != nil {
			return fmt.Errorf("keep store paths: %w", err)
		}
	}
	return nil
}

// rootsIn lists what the links in dir lead to, sorted.
func rootsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list roots: %w", err)
	}
	var kept []string
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("list roots: %w", err)
		}
		kept = append(kept, target)
	}
	slices.Sort(kept)
	return kept, nil
}

// globQuote makes a pattern that matches dir alone.
func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}
