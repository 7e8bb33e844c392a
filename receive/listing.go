package receive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"
)

// entry is one name of a tree.
type entry struct {
	path, id string
	mode     fs.FileMode
	size     atomic.Int64 // unknown until it is measured, 0 of a folder
	children []*entry     // of a folder, sorted by name
}

const unknown = -1

// name is the last element of the path.
func (e *entry) name() string { return e.path[strings.LastIndexByte(e.path, '/')+1:] }

// folder is the path of the folder that it is in.
func (e *entry) folder() string {
	if i := strings.LastIndexByte(e.path, '/'); i >= 0 {
		return e.path[:i]
	}
	return "."
}

// listing is all of a commit's tree but the contents of its files.
type listing struct {
	folders map[string]*entry // by path, "." is the root
	order   []*entry          // all but the root, parents before children
}

// entry returns what has that path, nil if there is nothing.
func (t *listing) entry(name string) *entry {
	if e := t.folders[name]; e != nil {
		return e
	}
	parent := t.folders[path.Dir(name)]
	if parent == nil {
		return nil
	}
	if i, ok := parent.child(path.Base(name)); ok {
		return parent.children[i]
	}
	return nil
}

// child finds a name in a folder.
func (e *entry) child(name string) (int, bool) {
	return slices.BinarySearchFunc(e.children, name, func(c *entry, name string) int { return strings.Compare(c.name(), name) })
}

// TreeError refuses a pushed tree for something in it, which it names.
type TreeError struct {
	Why   string
	Paths []string
	Mend  string // what to do, or ""
}

func (e *TreeError) Error() string {
	const most = 5
	shown := make([]string, 0, most)
	for _, p := range e.Paths[:min(most, len(e.Paths))] {
		shown = append(shown, sanitise(strings.ToValidUTF8(p, "\ufffd")))
	}
	s := e.Why + ": " + strings.Join(shown, ", ")
	if len(e.Paths) > most {
		s += fmt.Sprintf(" and %d more", len(e.Paths)-most)
	}
	return s
}

// Reason is what git prints.
func (e *TreeError) Reason() string { return e.Error() }

// Hint says what to do about it.
func (e *TreeError) Hint() string { return e.Mend }

var errTreeSize = &rejection{"the tree has too many files, or they are too large together"}

// list reads the names in a commit's tree, all of them in one child: as many folders, as many questions it would be. Their
// sizes are not asked for: git must look up each file's object for them, which takes three times as long as the names.
func list(ctx context.Context, v view, commit string, l Limits) (*listing, error) {
	if !isID(commit) {
		return nil, fmt.Errorf("list tree: %q is no object id", commit)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the child early when the tree is larger than allowed
	cmd := v.command(ctx, "ls-tree", "-r", "-t", "-z", "--full-tree", commit)
	stderr := &tail{}
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("list tree: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("list tree: %w", err)
	}
	tree, err := readListing(bufio.NewReaderSize(out, 64<<10), l)
	if err != nil {
		cancel()
		_ = cmd.Wait() // it was killed: there is nothing to learn
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, gitError(ctx, "ls-tree", stderr, err)
	}
	return tree, nil
}

func readListing(r *bufio.Reader, l Limits) (*listing, error) {
	parent := &entry{path: ".", mode: fs.ModeDir | 0o755}
	t := &listing{folders: map[string]*entry{".": parent}}
	for {
		line, err := r.ReadSlice(0)
		if err == io.EOF && len(line) == 0 {
			return t, t.sort()
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, &rejection{"the tree has a path of more than 64 KiB"}
		}
		if err != nil {
			return nil, fmt.Errorf("list tree: %w", early(err))
		}
		e, err := parseEntry(string(line[:len(line)-1]))
		if err != nil {
			return nil, err
		}
		if dir := e.folder(); dir != parent.path { // git lists a folder's names one after the other
			parent = t.folders[dir]
		}
		if parent == nil || !fs.ValidPath(e.path) {
			return nil, &TreeError{Why: "not a possible path", Paths: []string{e.path}}
		}
		parent.children = append(parent.children, e)
		if e.mode.IsDir() {
			t.folders[e.path] = e
		}
		t.order = append(t.order, e)
		if len(t.order) > l.Files {
			return nil, errTreeSize
		}
	}
}

// sort puts the children in the order of fs.ReadDir; git sorts folders as if they ended in a slash. No name may be there twice.
func (t *listing) sort() error {
	byName := func(a, b *entry) int { return strings.Compare(a.name(), b.name()) }
	for _, e := range t.folders {
		if !slices.IsSortedFunc(e.children, byName) {
			slices.SortFunc(e.children, byName)
		}
		for i, c := range e.children {
			if i > 0 && c.path == e.children[i-1].path {
				return &TreeError{Why: "not a possible path", Paths: []string{c.path}}
			}
		}
	}
	return nil
}

// parseEntry reads "MODE TYPE ID<tab>PATH".
func parseEntry(line string) (*entry, error) {
	head, name, ok := strings.Cut(line, "\t")
	mode, rest, _ := strings.Cut(head, " ")
	_, id, found := strings.Cut(rest, " ")
	if !ok || !found || !isID(id) {
		return nil, fmt.Errorf("list tree: unexpected line %q", line)
	}
	e := &entry{path: name, id: id}
	switch mode {
	case "100644", "100664":
		e.mode = 0o644
	case "100755":
		e.mode = 0o755
	case "120000":
		e.mode = fs.ModeSymlink | 0o777
	case "040000":
		e.mode = fs.ModeDir | 0o755
		return e, nil
	case "160000":
		e.mode = fs.ModeIrregular // a commit of another repository
		return e, nil
	default:
		return nil, &TreeError{Why: "unknown kind of file", Paths: []string{name}}
	}
	e.size.Store(unknown)
	return e, nil
}

// of returns those that have a type bit.
func (t *listing) of(kind fs.FileMode) []*entry {
	var found []*entry
	for _, e := range t.order {
		if e.mode&kind != 0 {
			found = append(found, e)
		}
	}
	return found
}

// maxLink is longer than any file system takes.
const maxLink = 4096

// checkLinks refuses symlinks that lead out of the tree.
func (t *listing) checkLinks(ctx context.Context, v view) error {
	links := t.of(fs.ModeSymlink)
	if len(links) == 0 {
		return nil
	}
	if err := measure(ctx, v, links); err != nil {
		return err
	}
	cat, err := startCat(ctx, v, "--batch")
	if err != nil {
		return err
	}
	defer cat.close()
	var bad []string
	for _, e := range links {
		if e.size.Load() > maxLink {
			bad = append(bad, e.path)
			continue
		}
		target, err := cat.blob(e)
		if err != nil {
			return err
		}
		if !t.inside(e.path, string(target)) {
			bad = append(bad, fmt.Sprintf("%s -> %s", e.path, target))
		}
	}
	if bad != nil {
		return &TreeError{Why: "symlink out of the tree", Paths: bad}
	}
	return nil
}

// inside says whether a symlink stays within the tree wherever the links on its way lead. Each link
// starts in a real folder; a ".." is harmless as long as what it leaves is a real folder too.
func (t *listing) inside(link, target string) bool {
	if target == "" || target[0] == '/' || strings.ContainsRune(target, 0) {
		return false
	}
	at := path.Dir(link)
	for part := range strings.SplitSeq(target, "/") {
		switch {
		case part == "" || part == ".":
		case part != "..":
			at = path.Join(at, part)
		case at == ".":
			return false
		default:
			if t.folders[at] == nil {
				return false
			}
			at = path.Dir(at)
		}
	}
	return true
}
