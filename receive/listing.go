package receive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// entry is one name of a tree.
type entry struct {
	name     string // its last element
	mode     fs.FileMode
	id       string
	size     int64
	children []*entry // of a folder, sorted by name
}

// listing is all of a commit's tree but the contents of its files.
type listing struct {
	entries map[string]*entry // by path, "." is the root
	order   []string          // the paths of all but the root, parents before children
	bytes   int64
}

// TreeError refuses a pushed tree for something in it, which it names.
type TreeError struct {
	Why   string
	Paths []string
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

var errTreeSize = &rejection{"the tree has too many files, or they are too large together"}

// list reads a commit's tree, all of it in one child: as many folders, as many questions it would be.
func list(ctx context.Context, v view, commit string, l Limits) (*listing, error) {
	if !isID(commit) {
		return nil, fmt.Errorf("list tree: %q is no object id", commit)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the child early when the tree is larger than allowed
	cmd := v.command(ctx, "ls-tree", "-r", "-t", "-z", "-l", "--full-tree", commit)
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
	root := &entry{name: ".", mode: fs.ModeDir | 0o755}
	t := &listing{entries: map[string]*entry{".": root}}
	for {
		line, err := r.ReadSlice(0)
		if err == io.EOF && len(line) == 0 {
			return t.sorted(), nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, &rejection{"the tree has a path of more than 64 KiB"}
		}
		if err != nil {
			return nil, fmt.Errorf("list tree: %w", early(err))
		}
		name, e, err := parseEntry(line[:len(line)-1])
		if err != nil {
			return nil, err
		}
		parent := t.entries[path.Dir(name)]
		if parent == nil || t.entries[name] != nil || !fs.ValidPath(name) {
			return nil, &TreeError{Why: "not a possible path", Paths: []string{name}}
		}
		parent.children = append(parent.children, e)
		t.entries[name] = e
		t.order = append(t.order, name)
		t.bytes += e.size
		if len(t.order) > l.Files || t.bytes > l.TreeBytes {
			return nil, errTreeSize
		}
	}
}

// sorted puts the children in the order of fs.ReadDir; git sorts folders as if they ended in a slash.
func (t *listing) sorted() *listing {
	for _, e := range t.entries {
		slices.SortFunc(e.children, func(a, b *entry) int { return strings.Compare(a.name, b.name) })
	}
	return t
}

// parseEntry reads "MODE TYPE ID SIZE<tab>PATH".
func parseEntry(line []byte) (string, *entry, error) {
	head, name, ok := bytes.Cut(line, []byte{'\t'})
	f := strings.Fields(string(head))
	if !ok || len(f) != 4 {
		return "", nil, fmt.Errorf("list tree: unexpected line %q", line)
	}
	e := &entry{name: path.Base(string(name)), id: f[2]}
	switch f[0] {
	case "100644", "100664":
		e.mode = 0o644
	case "100755":
		e.mode = 0o755
	case "120000":
		e.mode = fs.ModeSymlink | 0o777
	case "040000":
		e.mode = fs.ModeDir | 0o755
	case "160000":
		e.mode = fs.ModeIrregular // a commit of another repository
	default:
		return "", nil, &TreeError{Why: "unknown kind of file", Paths: []string{string(name)}}
	}
	if f[3] != "-" {
		n, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil {
			return "", nil, fmt.Errorf("list tree: %w", err)
		}
		e.size = n
	}
	return string(name), e, nil
}

// paths returns those that have a type bit.
func (t *listing) paths(kind fs.FileMode) []string {
	var found []string
	for _, name := range t.order {
		if t.entries[name].mode&kind != 0 {
			found = append(found, name)
		}
	}
	return found
}

// maxLink is longer than any file system takes.
const maxLink = 4096

// checkLinks refuses symlinks that lead out of the tree.
func (t *listing) checkLinks(ctx context.Context, v view) error {
	links := t.paths(fs.ModeSymlink)
	if len(links) == 0 {
		return nil
	}
	cat, err := startCat(ctx, v)
	if err != nil {
		return err
	}
	defer cat.close()
	var bad []string
	for _, name := range links {
		if t.entries[name].size > maxLink {
			bad = append(bad, name)
			continue
		}
		target, err := cat.blob(t.entries[name])
		if err != nil {
			return err
		}
		if !t.inside(name, string(target)) {
			bad = append(bad, fmt.Sprintf("%s -> %s", name, target))
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
			if e := t.entries[at]; e == nil || !e.mode.IsDir() {
				return false
			}
			at = path.Dir(at)
		}
	}
	return true
}
