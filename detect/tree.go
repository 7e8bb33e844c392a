package detect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

const (
	maxEntries = 50_000   // files and folders that are listed; a pushed node_modules stays out of it (skipDir)
	maxDepth   = 16       // folders below the root: real source trees rarely pass 10
	maxFile    = 16 << 20 // a manifest; the largest lock files seen have 5 MB
	maxSource  = 1 << 20  // a source file that is read for its imports
)

// A tree is the listing of a source tree: regular files and folders only, breadth first, so that when the tree is too
// large its top is known. Symbolic links are as if they were not there.
type tree struct {
	fsys      fs.FS
	files     map[string]int64 // size by path
	dirs      map[string]bool
	order     []string // files, sorted
	byDir     map[string][]string
	truncated bool
}

func load(fsys fs.FS) (*tree, error) {
	t := &tree{fsys: fsys, files: map[string]int64{}, dirs: map[string]bool{".": true}}
	level := []string{"."}
	for depth := 0; len(level) > 0; depth++ {
		if depth > maxDepth {
			t.truncated = true
			break
		}
		var next []string
		for _, dir := range level {
			sub, err := t.list(dir)
			if err != nil {
				return nil, err
			}
			next = append(next, sub...)
		}
		level = next
	}
	slices.Sort(t.order)
	t.byDir = map[string][]string{}
	for _, f := range t.order {
		t.byDir[path.Dir(f)] = append(t.byDir[path.Dir(f)], f)
	}
	return t, nil
}

// list adds the entries of dir and returns the folders to visit.
func (t *tree) list(dir string) (sub []string, err error) {
	entries, err := fs.ReadDir(t.fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", dir, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if len(t.files)+len(t.dirs) >= maxEntries {
			t.truncated = true
			return nil, nil
		}
		name := path.Join(dir, e.Name())
		switch {
		case e.IsDir():
			t.dirs[name] = true
			if !skipDir(e.Name()) {
				sub = append(sub, name)
			}
		case e.Type().IsRegular():
			info, err := e.Info()
			if err != nil {
				return nil, fmt.Errorf("stat %s: %w", name, err)
			}
			t.files[name] = info.Size()
			t.order = append(t.order, name)
		}
	}
	return sub, nil
}

// skipDir reports whether a folder holds what tools put there, not what the app's author wrote: its content is not listed.
func skipDir(name string) bool {
	switch name {
	case ".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", ".tox", ".next", "bower_components":
		return true
	}
	return false
}

// sub returns the part of t below dir.
func (t *tree) sub(dir string) (*tree, error) {
	if !fs.ValidPath(dir) || !t.dirs[dir] {
		return nil, &ParseError{File: "hop3.toml", Line: t.lineOf("hop3.toml", "root"), Msg: fmt.Sprintf("[build] root: no folder %q in the tree", dir)}
	}
	fsys, err := fs.Sub(t.fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("open folder %s: %w", dir, err)
	}
	return load(fsys)
}

func (t *tree) has(name string) bool { _, ok := t.files[name]; return ok }

// first returns the first of names that is a file of t.
func (t *tree) first(names ...string) string {
	for _, n := range names {
		if t.has(n) {
			return n
		}
	}
	return ""
}

// in returns the files directly in dir, sorted, as paths.
func (t *tree) in(dir string) []string { return t.byDir[dir] }

// read returns a file's content. It is an error if the file is larger than maxFile; fs.ErrNotExist if it is not there.
func (t *tree) read(name string) ([]byte, error) {
	if !t.has(name) {
		return nil, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
	}
	f, err := t.fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(b) > maxFile {
		return nil, &ParseError{File: name, Msg: fmt.Sprintf("larger than %d MiB", maxFile>>20)}
	}
	return b, nil
}

// source returns a source file's content, nil if it is not there or too large to be one.
func (t *tree) source(name string) []byte {
	if size, ok := t.files[name]; !ok || size > maxSource {
		return nil
	}
	b, err := t.read(name)
	if err != nil {
		return nil
	}
	return b
}

// text returns a file's content, nil if it is binary or cannot be read. It is false if the file is larger than most.
func (t *tree) text(name string, most int) ([]byte, bool) {
	const head = 512
	f, err := t.fsys.Open(name)
	if err != nil {
		return nil, true
	}
	defer f.Close()
	b := make([]byte, head)
	n, err := io.ReadFull(f, b)
	b = b[:n]
	if bytes.IndexByte(b, 0) >= 0 {
		return nil, true
	}
	if err != nil { // shorter than head
		return b, n <= most
	}
	rest, err := io.ReadAll(io.LimitReader(f, int64(max(most-n, 0))+1))
	if err != nil {
		return nil, true
	}
	b = append(b, rest...)
	return b, len(b) <= most
}

// digest identifies the names and contents of files, in hex.
func (t *tree) digest(files []string) (string, error) {
	h := sha256.New()
	for _, f := range files {
		b, err := t.read(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s\x00%d\x00", f, len(b))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// line returns the first line of a small file, trimmed; "" if there is none.
func (t *tree) line(name string) string {
	b := t.source(name)
	for l := range strings.Lines(string(bytes.TrimPrefix(b, bom))) {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			return l
		}
	}
	return ""
}

// lineOf returns the number of the first line of a file that contains text, 0 if none does.
func (t *tree) lineOf(name, text string) int {
	n := 0
	for l := range strings.Lines(string(t.source(name))) {
		n++
		if strings.Contains(l, text) {
			return n
		}
	}
	return 0
}

// top returns the names in the root folder, folders with a slash, at most max.
func (t *tree) top(max int) []string {
	var list []string
	for d := range t.dirs {
		if d != "." && !strings.Contains(d, "/") {
			list = append(list, d+"/")
		}
	}
	list = append(list, t.in(".")...)
	slices.Sort(list)
	if len(list) > max {
		list = append(list[:max], "…")
	}
	return list
}

var bom = []byte("\xef\xbb\xbf")
