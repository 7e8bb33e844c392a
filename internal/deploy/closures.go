package deploy

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"hop3/detect"
	"hop3/internal/state"
	"hop3/nixtmpl"
	"hop3/nixtmpl/nix"
	"hop3/receive"
)

// A Path is a store path with its own size in bytes.
type Path struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
}

// Diff lists what the closure of one release has and the other has not.
func (p *Pipeline) Diff(ctx context.Context, from, to state.Release) (added, removed []Path, err error) {
	plus, minus := closureDiff(from.Closure, to.Closure)
	if added, err = p.sizes(ctx, to.StorePath, plus); err != nil {
		return nil, nil, err
	}
	removed, err = p.sizes(ctx, from.StorePath, minus)
	return added, removed, err
}

// sizes measures some paths of the closure of root.
func (p *Pipeline) sizes(ctx context.Context, root string, paths []string) ([]Path, error) {
	list := []Path{}
	if len(paths) == 0 {
		return list, nil
	}
	infos, err := p.Nix.ClosureInfo(ctx, root)
	if err != nil {
		return nil, err
	}
	size := map[string]int64{}
	for _, i := range infos {
		size[i.Path] = i.Size
	}
	for _, path := range paths {
		list = append(list, Path{path, size[path]})
	}
	return list, nil
}

// papers are the files that say what a release was made from.
var papers = []string{"flake.nix", "flake.lock", "plan.json"}

// Eject writes a tar of a release's flake, its lock and its plan. Where nixpkgs is no pin of hop3's there is no lock.
func (p *Pipeline) Eject(w io.Writer, app string, rel state.Release) error {
	out := tar.NewWriter(w)
	for _, name := range papers {
		text, err := p.paper(app, rel, name)
		if name == "flake.lock" && isNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), ModTime: rel.At.Truncate(time.Second)}); err != nil {
			return fmt.Errorf("write tar: %w", err)
		}
		if _, err := out.Write(text); err != nil {
			return fmt.Errorf("write tar: %w", err)
		}
	}
	return out.Close()
}

func isNotFound(err error) bool {
	_, is := errors.AsType[*state.NotFound](err)
	return is
}

// paper reads what a release was made from. A release that was never built
// whole has none.
func (p *Pipeline) paper(app string, rel state.Release, name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(p.releaseDir(app, rel.Roots), name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, &state.NotFound{Kind: name, Name: fmt.Sprintf("of v%d of %s", rel.Number, app)}
	}
	return text, err
}

// A Verification is what building a release again showed, and whether its
// closure in the store is whole.
type Verification struct {
	nix.Verification
	Closure nix.Integrity
}

// Verify builds the recorded flake of a release with its commit's files once
// more and compares: the store path that it evaluates to, and what the build
// gives, bit for bit.
func (p *Pipeline) Verify(ctx context.Context, talk *Talk, app string, rel state.Release) (v Verification, err error) {
	flake, err := p.paper(app, rel, "flake.nix")
	if err != nil {
		return v, err
	}
	lock, err := p.paper(app, rel, "flake.lock")
	if err != nil && !isNotFound(err) {
		return v, err
	}
	repo, err := p.Repo(app)
	if err != nil {
		return v, err
	}
	src := stored{repo, rel.Commit}
	tree, err := src.Tree(ctx)
	if err != nil {
		return v, fmt.Errorf("read the tree of %s: %w", short(rel.Commit), err)
	}
	plan, err := detect.Detect(tree)
	if err != nil {
		return v, err
	}
	select {
	case p.builds <- struct{}{}:
		defer func() { <-p.builds }()
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
	work, err := os.MkdirTemp(p.Store.AppDir(app), "verify-")
	if err != nil {
		return v, fmt.Errorf("make a folder to build in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := os.Mkdir(filepath.Join(work, "flake"), 0o700); err != nil {
		return v, fmt.Errorf("make a folder to build in: %w", err)
	}
	if err := src.Export(ctx, filepath.Join(work, "source"), receive.ExportLimits{}); err != nil {
		return v, err
	}
	out := talk.Lines("")
	defer out.Close() //nolint:errcheck // a Talk's writer has no error
	v.Verification, err = p.Builder.Verify(ctx, nixtmpl.Request{
		Name: app, Source: filepath.Join(work, "source"), Work: filepath.Join(work, "flake"), Plan: plan, Lock: lock, Progress: out,
	}, flake, rel.StorePath)
	if err != nil {
		return v, buildFailure(ctx, err)
	}
	if !v.Missing {
		v.Closure, err = p.Nix.Check(ctx, rel.StorePath)
	}
	return v, err
}
