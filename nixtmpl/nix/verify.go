package nix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Verification says whether building a flake again gives what an earlier build gave.
type Verification struct {
	Out     string   // what the flake evaluates to now; equal to the earlier output where the recipe is the same
	DrvPath string   // of Out
	Missing bool     // the earlier output is not in the store any more
	Differ  []string // the derivations that gave another output, by name
	Files   []string // the files of the main output that differ, sorted, at most maxDiffering
}

// maxDiffering bounds how many differing files are named.
const maxDiffering = 20

// Verify evaluates the flake, and where it gives the store path want builds that
// and its layers once more, bit for bit compared with what the store has.
// Errors are as of Build.
func (n *Nix) Verify(ctx context.Context, b BuildRequest, want string) (Verification, error) {
	if b.Attr == "" {
		b.Attr = "default"
	}
	if err := errors.Join(b.check(), checkPaths([]string{want})); err != nil {
		return Verification{}, fmt.Errorf("verify: %w", err)
	}
	mon := newMonitor(b.Progress, b.Log, b.Verbose, time.Now)
	targets, err := n.evaluate(ctx, b, mon)
	if err != nil {
		return Verification{}, err
	}
	v := Verification{Out: targets[0].Out, DrvPath: targets[0].Drv}
	valid, err := n.Valid(ctx, want)
	if err != nil {
		return v, fmt.Errorf("verify: %w", err)
	}
	if v.Missing = !valid[want]; v.Missing || v.Out != want {
		return v, nil
	}
	defer mon.end()
	for i, t := range targets {
		if valid, err = n.Valid(ctx, t.Out); err != nil {
			return v, fmt.Errorf("verify: %w", err)
		}
		if !valid[t.Out] { // a layer that no release keeps: there is nothing to compare with
			continue
		}
		same, err := n.again(ctx, b, t, mon, "--keep-failed")
		if err != nil {
			return v, err
		}
		if same {
			continue
		}
		v.Differ = append(v.Differ, drvName(t.Drv))
		files, err := n.compareCheck(t.Out)
		if err != nil {
			return v, fmt.Errorf("verify: %w", err)
		}
		if i == 0 {
			v.Files = files
		}
	}
	return v, nil
}

// compareCheck names the files that differ between an output and what nix kept
// beside it of another build, and removes that.
func (n *Nix) compareCheck(out string) (files []string, err error) {
	other := out + ".check"
	if _, err := os.Lstat(other); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a daemon keeps it for users that it trusts only
	}
	files, err = differing(out, other)
	if os.Geteuid() != 0 { // the daemon's store is not ours to write
		return files, err
	}
	return files, errors.Join(err, os.RemoveAll(other))
}

// differing lists what is in one of two trees only, or not the same in both.
func differing(a, b string) ([]string, error) {
	one, err := contents(a)
	if err != nil {
		return nil, err
	}
	two, err := contents(b)
	if err != nil {
		return nil, err
	}
	var list []string
	for path, mode := range one {
		if m, ok := two[path]; !ok || m != mode || !sameFile(filepath.Join(a, path), filepath.Join(b, path), mode) {
			list = append(list, path)
		}
	}
	for path := range two {
		if _, ok := one[path]; !ok {
			list = append(list, path)
		}
	}
	slices.Sort(list)
	return list[:min(len(list), maxDiffering)], nil
}

func contents(dir string) (map[string]fs.FileMode, error) {
	found := map[string]fs.FileMode{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		found[rel] = info.Mode()
		return err
	})
	return found, err
}

// sameFile compares two files of the same mode. What cannot be read is not the same.
func sameFile(a, b string, mode fs.FileMode) bool {
	read := os.ReadFile
	switch {
	case mode.IsDir():
		return true
	case mode.Type() == fs.ModeSymlink:
		read = func(path string) ([]byte, error) { to, err := os.Readlink(path); return []byte(to), err }
	}
	x, xerr := read(a)
	y, yerr := read(b)
	return xerr == nil && yerr == nil && bytes.Equal(x, y)
}
