package receive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sync/errgroup"
)

// ExportLimits bound an export. The zero value of a field stands for its default.
type ExportLimits struct {
	Files int   // default 200,000
	Bytes int64 // default 2 GiB
}

// Export writes a commit's files into dst, which it makes if need be and in which none of them may
// exist: plain tree content (no attributes, no line ending conversion, no filters), files 0644 or
// 0755, folders 0755, symlinks as they are. A *TreeError names symlinks that lead out of the tree
// and submodules; nothing is written then, nor when the limits are exceeded. After any other error
// dst may hold a part.
func (r *Repo) Export(ctx context.Context, commit, dst string, l ExportLimits) error {
	tree, err := list(ctx, r.view(), commit, Limits{Files: l.Files, TreeBytes: l.Bytes}.withDefaults())
	if err != nil {
		return err
	}
	if err := tree.checkLinks(ctx, r.view()); err != nil {
		return err
	}
	return export(ctx, r.view(), tree, exportTo{dst, l})
}

type exportTo struct {
	dst    string
	limits ExportLimits
}

// export writes a listing whose symlinks have been checked.
func export(ctx context.Context, v view, t *listing, to exportTo) (err error) {
	l := Limits{Files: to.limits.Files, TreeBytes: to.limits.Bytes}.withDefaults()
	if modules := t.of(fs.ModeIrregular); modules != nil {
		e := &TreeError{
			Why:  "submodules are not fetched",
			Mend: "commit their files instead, for each: git rm --cached PATH; rm -rf PATH/.git; git add PATH",
		}
		for _, m := range modules {
			e.Paths = append(e.Paths, m.path)
		}
		return e
	}
	if err := t.fits(ctx, v, l); err != nil {
		return err
	}
	if err := os.MkdirAll(to.dst, 0o755); err != nil {
		return fmt.Errorf("export tree: %w", err)
	}
	root, err := os.OpenRoot(to.dst)
	if err != nil {
		return fmt.Errorf("export tree: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	cat, err := startCat(ctx, v, "--batch", "--buffer")
	if err != nil {
		return err
	}
	defer cat.close()
	g, gctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(gctx, cat.cancel) // one side's failure ends the other's wait
	defer stop()
	g.Go(func() error { return ask(cat, t) })
	g.Go(func() error { return writeTree(root, cat, t) })
	if err := g.Wait(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("export tree: %w", err)
	}
	return nil
}

// ask requests all contents ahead, so that the child never waits for us.
func ask(cat *catFile, t *listing) error {
	w := bufio.NewWriter(cat.in)
	for _, e := range t.order {
		if !e.mode.IsDir() {
			w.WriteString(e.id + "\n") // bufio keeps the first error for Flush
		}
	}
	return errors.Join(w.Flush(), cat.in.Close())
}

func writeTree(root *os.Root, cat *catFile, t *listing) error {
	for _, e := range t.order {
		var err error
		switch {
		case e.mode.IsDir():
			if err = root.Mkdir(e.path, 0o755); err == nil {
				err = root.Chmod(e.path, 0o755) // whatever the umask
			}
		case e.mode&fs.ModeSymlink != 0:
			target := make([]byte, e.size.Load())
			if err = cat.answer(e, sliceWriter{target}); err == nil {
				err = root.Symlink(string(target), e.path)
			}
		default:
			err = writeEntry(root, cat, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func writeEntry(root *os.Root, cat *catFile, e *entry) error {
	f, err := root.OpenFile(e.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, e.mode.Perm())
	if err != nil {
		return err
	}
	err = cat.answer(e, io.Writer(f))
	return errors.Join(err, f.Chmod(e.mode.Perm()), f.Close())
}
