package packages

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Need is what one app needs of the set.
type Need struct {
	Stack  string   // "go", "node", "python", "static", …; unknown ones need the base only
	Go     string   // "1.24"; "" is the newest if Stack is "go"
	Node   string   // "22"; "" is the newest if Stack is "node"
	Python []string // attributes of python3Packages; none means the usual ones for the web if Stack is "python"
	Native bool     // a C compiler (stdenv, cgo, node-gyp) and Python for node-gyp

	Versions map[string]string   // runtime → version of the others, as Set.Versions has them: "java": "21"; "" is the newest
	Packages map[string][]string // language → names of its libraries, as Set.Packages has them: "ruby": {"puma"}
	Roots    []string            // further roots of spec.json
}

// Prefetch brings every file that the needs name into the nix store, unless it
// is there: nix can then build the stacks without a network. Progress are
// complete lines. When a pinned file has left its mirror the set is locked again
// from the signed index, and the rest is fetched by the new lock; the flake then
// differs from what it was before the call. Errors that a user can act on have
// a Hint.
func (s *Set) Prefetch(ctx context.Context, progress io.Writer, needs ...Need) error {
	if done, err := s.complete(ctx, needs); done || err != nil {
		return err
	}
	unlock, err := s.exclusive(ctx, progress)
	if err != nil {
		return err
	}
	defer unlock()
	w := newWeb()
	defer w.close()
	relocked := map[string]bool{}
	for {
		gone, err := s.fetch(ctx, w, progress, needs)
		if err != nil {
			return fmt.Errorf("prefetch packages: %w", err)
		}
		if len(gone) == 0 {
			return nil
		}
		sources, err := relockable(gone, relocked)
		if err != nil {
			return fmt.Errorf("prefetch packages: %w", err)
		}
		say(progress, "%s", goneLine(gone))
		if _, err := s.relock(ctx, w, progress, sources...); err != nil {
			return fmt.Errorf("prefetch packages: %w", err)
		}
	}
}

// complete answers the usual case, everything is there, without taking the
// set's exclusive lock.
func (s *Set) complete(ctx context.Context, needs []Need) (bool, error) {
	files, pending, err := s.current().wanted(s.spec, needs)
	if err != nil || len(pending) > 0 {
		return false, err
	}
	missing, err := s.missing(ctx, files)
	return err == nil && len(missing) == 0, err
}

// Retain keeps what the store has of these needs when garbage is collected, and
// nothing else of the set. Without it a collection takes files that a build may
// ask for and this one did not, and the next push fetches them again.
func (s *Set) Retain(ctx context.Context, needs ...Need) error {
	var files []file
	for _, n := range needs {
		list, _, err := s.current().wanted(s.spec, []Need{n})
		var gone *VersionError
		if err != nil && !errors.As(err, &gone) { // an old release's version may have left the set
			return fmt.Errorf("retain packages: %w", err)
		}
		files = append(files, list...)
	}
	byPath := map[string]bool{}
	for _, f := range files {
		byPath[f.storePath()] = true
	}
	paths := slices.Sorted(maps.Keys(byPath))
	if len(paths) > 0 {
		valid, err := s.store.Valid(ctx, paths...)
		if err != nil {
			return fmt.Errorf("retain packages: %w", err)
		}
		paths = slices.DeleteFunc(paths, func(p string) bool { return !valid[p] })
	}
	if err := s.store.KeepOnly(ctx, filepath.Join(s.dir, "roots"), paths); err != nil {
		return fmt.Errorf("retain packages: %w", err)
	}
	return nil
}

// fetch does one round by the current lock. gone are files that their mirrors
// do not have; all others are in the store when it returns without an error.
func (s *Set) fetch(ctx context.Context, w *web, progress io.Writer, needs []Need) (gone []*goneFile, err error) {
	tmp, err := os.MkdirTemp(s.dir, scratchPrefix+"*")
	if err != nil {
		return nil, diskError(s.dir, err)
	}
	defer os.RemoveAll(tmp)
	_, pending, err := s.current().wanted(s.spec, needs)
	if err != nil {
		return nil, err
	}
	for _, line := range pending {
		if err := s.completeGo(ctx, w, progress, line, tmp); err != nil {
			return nil, err
		}
	}
	files, _, err := s.current().wanted(s.spec, needs)
	if err != nil {
		return nil, err
	}
	missing, err := s.missing(ctx, files)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	d := &downloads{set: s, web: w, dir: filepath.Join(tmp, "files")}
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		return nil, diskError(s.dir, err)
	}
	return d.run(ctx, progress, missing)
}

// missing returns those of the files that the store does not have.
func (s *Set) missing(ctx context.Context, files []file) ([]file, error) {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.storePath()
	}
	valid, err := s.store.Valid(ctx, paths...)
	if err != nil {
		return nil, fmt.Errorf("ask nix store: %w", err)
	}
	var out []file
	for i, f := range files {
		if !valid[paths[i]] {
			out = append(out, f)
		}
	}
	return out, nil
}

// relockable returns the sources to lock again, each at most once in a call.
func relockable(gone []*goneFile, done map[string]bool) ([]string, error) {
	var sources []string
	for _, g := range gone {
		source := g.file.source
		if source == sourceSecurity {
			source = sourceDebian // they are locked together
		}
		if slices.Contains(sources, source) {
			continue
		}
		if done[source] {
			return nil, &g.GoneError
		}
		sources = append(sources, source)
	}
	for _, source := range sources {
		done[source] = true
	}
	return sources, nil
}

func goneLine(gone []*goneFile) string {
	line := gone[0].file.name + " has left the mirror"
	if n := len(gone) - 1; n > 0 {
		line = fmt.Sprintf("%s and %d more have left the mirror", gone[0].file.name, n)
	}
	return line + ": locking the set again"
}

// Size returns the bytes of all files that the needs name, whether they are in
// the store or not.
func (s *Set) Size(needs ...Need) (int64, error) {
	l := s.current()
	files, pending, err := l.wanted(s.spec, needs)
	if err != nil {
		return 0, err
	}
	var n int64
	for _, f := range files {
		n += f.size
	}
	for _, line := range pending {
		n += l.Go[line].Size
	}
	return n, nil
}

// wanted returns the files of the needs, without doubles, and the lines of Go
// whose hash is not known yet.
func (l *lock) wanted(sp spec, needs []Need) (files []file, pendingGo []string, err error) {
	byName := map[string]file{}
	pending := map[string]bool{}
	for _, f := range []file{l.stage0File(), l.Patchelf.file()} {
		byName[f.name] = f
	}
	for _, n := range needs {
		groups, err := l.groupsOf(sp, n)
		if err != nil {
			return nil, nil, err
		}
		for _, g := range groups {
			for _, d := range l.Groups[g].Debs {
				byName[d.File] = d.file()
			}
		}
		if n.Stack == "go" || n.Go != "" {
			line, err := chooseLine("go", n.Go, l.Go)
			if err != nil {
				return nil, nil, err
			}
			if p := l.Go[line]; p.SHA256 == "" {
				pending[line] = true
			} else {
				byName[p.File] = p.fetch()
			}
		}
		if n.Stack == "node" || n.Node != "" {
			line, err := chooseLine("node", n.Node, l.Node)
			if err != nil {
				return nil, nil, err
			}
			p := l.Node[line]
			byName[p.Node.File], byName[p.Npm.File] = p.Node.file(), p.Npm.file()
		}
		tools, err := l.npmTools(sp, n)
		if err != nil {
			return nil, nil, err
		}
		for _, f := range tools {
			byName[f.name] = f
		}
	}
	files = slices.SortedFunc(maps.Values(byName), func(a, b file) int {
		return cmp.Or(cmp.Compare(b.size, a.size), strings.Compare(a.name, b.name)) // largest first: it takes longest
	})
	return files, slices.Sorted(maps.Keys(pending)), nil
}

func chooseLine[P any](stack, version string, pins map[string]P) (string, error) {
	have := newestFirst(slices.Collect(maps.Keys(pins)))
	if version == "" && len(have) > 0 {
		return have[0], nil
	}
	if _, ok := pins[version]; !ok {
		return "", &VersionError{Stack: stack, Version: version, Have: have}
	}
	return version, nil
}

// groupOf finds the group that has a Debian package.
func (l *lock) groupOf(name string) string {
	if _, ok := l.Groups[name]; ok {
		return name
	}
	for g, v := range l.Groups {
		if slices.ContainsFunc(v.Debs, func(d debPin) bool { return d.Name == name }) {
			return g
		}
	}
	return ""
}

// isNoSpace recognises a full disk in what nix says.
func isNoSpace(err error) bool {
	var full *DiskFullError
	return errors.As(err, &full) || strings.Contains(err.Error(), "No space left on device")
}
