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
	maxEntries = 120_000   // files and folders that are listed; a pushed node_modules stays out of it (skipDir)
	maxDepth   = 16        // folders below the root: real source trees rarely pass 10
	maxFile    = 16 << 20  // any other: the digest of what decides about packages is made of it
	maxNpmLock = 6 << 20   // package-lock.json; the largest seen have 5 MB
	maxPip     = 3 << 19   // requirements.txt; 400 packages with their hashes have 1 MB
	maxBunLock = 2 << 20   // bun.lock; the largest seen has 380 KB
	maxLock    = 4 << 20   // a lock file; the largest seen, of pnpm and uv, have 2 MB
	maxWritten = 256 << 10 // a manifest that people write, or the file that a program starts from; what parsers of this package read
	maxMod     = 96 << 10  // a go.mod or go.work; the longest seen have 80 KB, and each line may be an error to report
	maxSource  = 1 << 20   // a source file that is read for its imports; generated ones are large
)

// A tree is the listing of a source tree: regular files and folders only, breadth first, so that when the tree is too
// large its top is known. Symbolic links are as if they were not there.
type tree struct {
	fsys      fs.FS
	dirs      map[string]bool
	order     []string            // files, sorted
	byDir     map[string][]string // files by folder, sorted
	truncated bool
	gradle    *gradleRead // once it was read
}

func load(fsys fs.FS) (*tree, error) {
	t := &tree{fsys: fsys, dirs: map[string]bool{".": true}, byDir: map[string][]string{}}
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
	return t, nil
}

// list adds the entries of dir and returns the folders to visit.
func (t *tree) list(dir string) (sub []string, err error) {
	entries, err := fs.ReadDir(t.fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", dir, err)
	}
	byName := func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) }
	if !slices.IsSortedFunc(entries, byName) {
		slices.SortFunc(entries, byName)
	}
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	var files []string
	for _, e := range entries {
		if len(t.order)+len(files)+len(t.dirs) >= maxEntries {
			t.truncated = true
			break
		}
		name := prefix + e.Name()
		switch {
		case e.IsDir():
			t.dirs[name] = true
			if !skipDir(e.Name()) {
				sub = append(sub, name)
			}
		case e.Type().IsRegular():
			files = append(files, name)
		}
	}
	if len(files) > 0 {
		t.byDir[dir] = files
		t.order = append(t.order, files...)
	}
	if t.truncated {
		return nil, nil
	}
	return sub, nil
}

// size is how many bytes a file has, 0 when it is not there.
func (t *tree) size(name string) int64 {
	if !t.has(name) {
		return 0
	}
	info, err := fs.Stat(t.fsys, name)
	if err != nil {
		return 0
	}
	return info.Size()
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
	if t.truncated {
		return load(fsys) // there may be more of it
	}
	return t.part(fsys, dir+"/"), nil
}

// part is the listing of what begins with prefix.
func (t *tree) part(fsys fs.FS, prefix string) *tree {
	p := &tree{fsys: fsys, dirs: map[string]bool{".": true}, byDir: map[string][]string{}}
	for _, f := range t.order {
		if name, ok := strings.CutPrefix(f, prefix); ok {
			p.order = append(p.order, name)
			p.byDir[path.Dir(name)] = append(p.byDir[path.Dir(name)], name)
		}
	}
	for d := range t.dirs {
		if name, ok := strings.CutPrefix(d, prefix); ok {
			p.dirs[name] = true
		}
	}
	return p
}

func (t *tree) has(name string) bool {
	_, ok := slices.BinarySearch(t.order, name)
	return ok
}

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

// most is how large a file may be: what tools write is larger than what people do.
func most(name string) int {
	base := path.Base(name)
	switch {
	case strings.HasPrefix(base, "requirements"): // with hashes it is a lock file
		return maxPip
	case base == "pubspec.lock" || base == "shard.lock" || base == "stack.yaml":
		return maxWritten
	case slices.Contains(npmLocks(), base):
		return maxNpmLock
	case base == "bun.lock":
		return maxBunLock
	case slices.Contains(lockFiles(), base):
		return maxLock
	case base == "go.mod" || base == "go.work":
		return maxMod
	case slices.Contains(manifests(), base), slices.Contains([]string{".cabal", ".rockspec", ".csproj", ".fsproj", ".vbproj", ".sln", ".slnx"}, path.Ext(base)):
		return maxWritten
	}
	return maxFile
}

// npmLocks are the two names of npm's lock file.
func npmLocks() []string { return []string{"npm-shrinkwrap.json", "package-lock.json"} }

// lockFiles are those that are parsed, but for npm's.
func lockFiles() []string {
	return []string{"yarn.lock", "pnpm-lock.yaml", "bun.lock", "deno.lock", "uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "Cargo.lock",
		"Gemfile.lock", "composer.lock", "mix.lock", "manifest.toml", "Package.resolved", "renv.lock", "cpanfile.snapshot", "packages.lock.json"}
}

// read returns a file's content. It is an error if the file is larger than its kind ever is; fs.ErrNotExist if it is not there.
func (t *tree) read(name string) ([]byte, error) {
	if !t.has(name) {
		return nil, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
	}
	f, err := t.fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	limit := most(name)
	var buf bytes.Buffer
	if info, err := f.Stat(); err == nil {
		buf.Grow(int(min(info.Size(), int64(limit))) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(f, int64(limit)+1)); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	b := buf.Bytes()
	if len(b) > limit {
		return nil, &ParseError{File: name, Msg: fmt.Sprintf("larger than %d KiB", limit>>10)}
	}
	return b, nil
}

// head returns the first bytes of a file, nil if it is not there.
func (t *tree) head(name string) []byte {
	const most = 4096
	if !t.has(name) {
		return nil
	}
	f, err := t.fsys.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, most)
	n, _ := io.ReadFull(f, b) // a shorter file is all there is
	return b[:n]
}

// source returns the content of a file that people write, nil if it is not there or too large for that.
func (t *tree) source(name string) []byte { return t.code(name, maxWritten) }

// code returns a file's content, nil if it is not there or larger than limit.
func (t *tree) code(name string, limit int64) []byte {
	if !t.has(name) || t.size(name) > limit {
		return nil
	}
	b, err := t.read(name)
	if err != nil {
		return nil
	}
	return b
}

// small is read for manifests that people write: it is an error if the file is larger than maxWritten.
func (t *tree) small(name string) ([]byte, error) {
	if t.size(name) > maxWritten {
		return nil, &ParseError{File: name, Msg: fmt.Sprintf("larger than %d KiB", maxWritten>>10)}
	}
	return t.read(name)
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
