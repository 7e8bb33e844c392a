package receive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"
)

// maxRead is the largest file that a tree hands out: it is read into memory.
const maxRead = 64 << 20

// Tree returns the files of a commit as a file system, without a checkout: fs.ReadDirFS,
// fs.ReadFileFS, fs.StatFS and fs.ReadLinkFS. Files are 0644 or 0755; a symlink is an entry that is
// never followed, and reading one is an error; a submodule is an entry of type fs.ModeIrregular.
// Times are zero. Names are listed at once; sizes and contents are read when they are asked for, by
// children that end with ctx. Safe for concurrent use.
func (r *Repo) Tree(ctx context.Context, commit string) (fs.FS, error) {
	l, err := list(ctx, r.view(), commit, Limits{}.withDefaults())
	if err != nil {
		return nil, err
	}
	return newTree(ctx, r.view(), l), nil
}

type tree struct {
	*listing
	contents, sizes *lazyCat
}

var (
	errClosed = errors.New("the push is over")
	errFollow = fmt.Errorf("symlinks are not followed: %w", fs.ErrInvalid)
)

func newTree(ctx context.Context, v view, l *listing) *tree {
	lazy := func(mode string) *lazyCat {
		return &lazyCat{start: func() (*catFile, error) {
			c, err := startCat(ctx, v, mode)
			if err == nil {
				context.AfterFunc(ctx, c.close)
			}
			return c, err
		}}
	}
	return &tree{listing: l, contents: lazy("--batch"), sizes: lazy("--batch-check")}
}

// lazyCat is a child that starts when it is asked for the first time.
type lazyCat struct {
	start func() (*catFile, error)

	mu     sync.Mutex
	cat    *catFile
	err    error
	closed bool
}

func (l *lazyCat) child() (*catFile, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	if l.cat == nil && l.err == nil {
		l.cat, l.err = l.start()
	}
	return l.cat, l.err
}

func (l *lazyCat) close() {
	l.mu.Lock()
	c := l.cat
	l.closed = true
	l.mu.Unlock()
	if c != nil {
		c.close()
	}
}

func (t *tree) close() {
	t.contents.close()
	t.sizes.close()
}

// measured returns the entry of a path once its size is known.
func (t *tree) measured(op, name string) (*entry, error) {
	e, err := t.find(op, name)
	if err != nil || e.size.Load() != unknown {
		return e, err
	}
	cat, err := t.sizes.child()
	if err == nil {
		err = cat.measure(t.beside(name))
	}
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return e, nil
}

func (t *tree) find(op, name string) (*entry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	e := t.entry(name)
	if e == nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return e, nil
}

func (t *tree) Open(name string) (fs.File, error) {
	e, err := t.measured("open", name)
	if err != nil {
		return nil, err
	}
	if e.mode.IsDir() {
		return &openDir{info{e}, t.dirEntries(e)}, nil
	}
	if e.mode&fs.ModeSymlink != 0 {
		return &openLink{info{e}}, nil
	}
	b, err := t.content("open", name, e)
	if err != nil {
		return nil, err
	}
	return &openFile{info{e}, bytes.NewReader(b)}, nil
}

func (t *tree) content(op, name string, e *entry) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	switch {
	case e.mode.IsDir():
		return fail(errors.New("is a directory"))
	case e.mode&fs.ModeSymlink != 0 && op != "readlink":
		return fail(errFollow)
	case e.mode&fs.ModeIrregular != 0:
		return fail(fmt.Errorf("is a submodule: %w", fs.ErrInvalid))
	case e.size.Load() > maxRead:
		return fail(fmt.Errorf("file is larger than %d MiB", maxRead>>20))
	}
	cat, err := t.contents.child()
	if err != nil {
		return fail(err)
	}
	b, err := cat.blob(e)
	if err != nil {
		return fail(err)
	}
	return b, nil
}

func (t *tree) ReadFile(name string) ([]byte, error) {
	e, err := t.measured("read", name)
	if err != nil {
		return nil, err
	}
	return t.content("read", name, e)
}

func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	return t.dirEntries(e), nil
}

func (t *tree) Lstat(name string) (fs.FileInfo, error) {
	e, err := t.measured("stat", name)
	if err != nil {
		return nil, err
	}
	return info{e}, nil
}

func (t *tree) Stat(name string) (fs.FileInfo, error) { return t.Lstat(name) }

func (t *tree) ReadLink(name string) (string, error) {
	e, err := t.measured("readlink", name)
	if err != nil {
		return "", err
	}
	if e.mode&fs.ModeSymlink == 0 {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	b, err := t.content("readlink", name, e)
	return string(b), err
}

// dirEntry is an entry whose size is asked for only by Info.
type dirEntry struct {
	*entry
	tree *tree
}

func (d *dirEntry) Name() string               { return d.name() }
func (d *dirEntry) IsDir() bool                { return d.mode.IsDir() }
func (d *dirEntry) Type() fs.FileMode          { return d.mode.Type() }
func (d *dirEntry) Info() (fs.FileInfo, error) { return d.tree.Lstat(d.path) }
func (d *dirEntry) String() string             { return fs.FormatDirEntry(d) }

func (t *tree) dirEntries(e *entry) []fs.DirEntry {
	all, out := make([]dirEntry, len(e.children)), make([]fs.DirEntry, len(e.children))
	for i, c := range e.children {
		all[i] = dirEntry{c, t}
		out[i] = &all[i]
	}
	return out
}

type info struct{ e *entry }

func (i info) Name() string               { return i.e.name() }
func (i info) Size() int64                { return i.e.size.Load() }
func (i info) Mode() fs.FileMode          { return i.e.mode }
func (i info) ModTime() time.Time         { return time.Time{} }
func (i info) IsDir() bool                { return i.e.mode.IsDir() }
func (i info) Sys() any                   { return nil }
func (i info) Stat() (fs.FileInfo, error) { return i, nil }
func (i info) Close() error               { return nil }

type openFile struct {
	info
	*bytes.Reader
}

func (f *openFile) Size() int64 { return f.info.Size() }

// openLink is a symlink itself: it can be asked what it is, but not read.
type openLink struct{ info }

func (l *openLink) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: l.e.path, Err: errFollow}
}

type openDir struct {
	info
	rest []fs.DirEntry
}

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.e.path, Err: errors.New("is a directory")}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.rest))
	out := d.rest[:n]
	d.rest = d.rest[n:]
	return out, nil
}
