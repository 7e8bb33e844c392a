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
// Times are zero. Names are listed at once, contents are read when they are asked for, by a child
// that ends with ctx. Safe for concurrent use.
func (r *Repo) Tree(ctx context.Context, commit string) (fs.FS, error) {
	l, err := list(ctx, r.view(), commit, Limits{}.withDefaults())
	if err != nil {
		return nil, err
	}
	return newTree(ctx, r.view(), l), nil
}

type tree struct {
	*listing
	cat func() (*catFile, error) // starts the child at its first call

	mu      sync.Mutex
	started *catFile
	closed  bool
}

var (
	errClosed = errors.New("the push is over")
	errFollow = fmt.Errorf("symlinks are not followed: %w", fs.ErrInvalid)
)

func newTree(ctx context.Context, v view, l *listing) *tree {
	t := &tree{listing: l}
	t.cat = sync.OnceValues(func() (*catFile, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.closed {
			return nil, errClosed
		}
		c, err := startCat(ctx, v)
		if err != nil {
			return nil, err
		}
		t.started = c
		context.AfterFunc(ctx, c.close)
		return c, nil
	})
	return t
}

func (t *tree) close() {
	t.mu.Lock()
	c := t.started
	t.closed = true
	t.mu.Unlock()
	if c != nil {
		c.close()
	}
}

func (t *tree) find(op, name string) (*entry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	e := t.entries[name]
	if e == nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return e, nil
}

func (t *tree) Open(name string) (fs.File, error) {
	e, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if e.mode.IsDir() {
		return &openDir{info{e}, e.children}, nil
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
	case e.size > maxRead:
		return fail(fmt.Errorf("file is larger than %d MiB", maxRead>>20))
	}
	cat, err := t.cat()
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
	e, err := t.find("read", name)
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
	return dirEntries(e.children), nil
}

func (t *tree) Lstat(name string) (fs.FileInfo, error) {
	e, err := t.find("stat", name)
	if err != nil {
		return nil, err
	}
	return info{e}, nil
}

func (t *tree) Stat(name string) (fs.FileInfo, error) { return t.Lstat(name) }

func (t *tree) ReadLink(name string) (string, error) {
	e, err := t.find("readlink", name)
	if err != nil {
		return "", err
	}
	if e.mode&fs.ModeSymlink == 0 {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	b, err := t.content("readlink", name, e)
	return string(b), err
}

func dirEntries(list []*entry) []fs.DirEntry {
	out := make([]fs.DirEntry, len(list))
	for i, e := range list {
		out[i] = fs.FileInfoToDirEntry(info{e})
	}
	return out
}

type info struct{ e *entry }

func (i info) Name() string               { return i.e.name }
func (i info) Size() int64                { return i.e.size }
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
	return 0, &fs.PathError{Op: "read", Path: l.e.name, Err: errFollow}
}

type openDir struct {
	info
	rest []*entry
}

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.e.name, Err: errors.New("is a directory")}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.rest))
	out := dirEntries(d.rest[:n])
	d.rest = d.rest[n:]
	return out, nil
}
