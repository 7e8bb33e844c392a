package receive

import (
	"bytes"
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

// A Snapshot is a repository beside its objects: what a backup keeps of it.
type Snapshot struct {
	Refs    map[string]string `json:"refs"`              // id by full name
	Head    string            `json:"head"`              // the branch that git clone checks out
	Shallow []string          `json:"shallow,omitempty"` // commits whose parents the repository does not have
}

// Pack writes one pack of all that the refs of the repository reach, and returns what else there is to know of it. An empty
// repository writes nothing. The repository's configuration is not part of it.
func (r *Repo) Pack(ctx context.Context, w io.Writer) (Snapshot, error) {
	var s Snapshot
	var err error
	if s.Refs, err = r.Refs(); err != nil {
		return s, err
	}
	if s.Shallow, err = r.shallow(); err != nil {
		return s, fmt.Errorf("pack repository: %w", err)
	}
	head, err := os.ReadFile(filepath.Join(r.dir, "HEAD"))
	if err != nil {
		return s, fmt.Errorf("pack repository: %w", err)
	}
	s.Head = strings.TrimPrefix(strings.TrimSpace(string(head)), "ref: ")
	if len(s.Refs) == 0 {
		return s, nil
	}
	var want strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Refs)) {
		want.WriteString(s.Refs[name] + "\n")
	}
	cmd := r.view().command(ctx, "pack-objects", "--stdout", "--revs", "--delta-base-offset", "-q")
	stderr := &tail{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(want.String()), w, stderr
	if err := cmd.Run(); err != nil {
		return s, gitError(ctx, "pack-objects", stderr, err)
	}
	return s, nil
}

// Unpack fills an empty repository from what Pack gave: the pack is checked as a pushed one is, and nothing but its objects,
// the refs and the list of shallow commits is taken over.
func (r *Repo) Unpack(ctx context.Context, s Snapshot, pack io.Reader) error {
	for name, id := range s.Refs {
		if !validRef(name) || !isID(id) {
			return fmt.Errorf("unpack repository: ref %q at %q is not legal", name, id)
		}
	}
	var shallow bytes.Buffer
	for _, id := range s.Shallow {
		if !isID(id) {
			return fmt.Errorf("unpack repository: %q is no commit", id)
		}
		shallow.WriteString(id + "\n")
	}
	if shallow.Len() > 0 {
		if err := writeFile(filepath.Join(r.dir, "shallow"), shallow.Bytes()); err != nil {
			return fmt.Errorf("unpack repository: %w", err)
		}
	}
	if len(s.Refs) > 0 {
		if err := r.unpack(ctx, pack); err != nil {
			return fmt.Errorf("unpack repository: %w", err)
		}
	}
	var moves []refMove
	for _, name := range slices.Sorted(maps.Keys(s.Refs)) {
		moves = append(moves, refMove{name: name, old: zeroID, new: s.Refs[name]})
	}
	if err := r.move(ctx, moves); err != nil {
		return fmt.Errorf("unpack repository: %w", err)
	}
	if !validRef(s.Head) {
		return nil // the branch of a new repository will do
	}
	return r.setHead(s.Head)
}

func (r *Repo) unpack(ctx context.Context, pack io.Reader) (err error) {
	q, err := newQuarantine(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.remove()) }()
	// What many pushes brought may be larger than any one of them.
	l := Limits{Objects: 1 << 26, InflatedBytes: 1 << 50}.withDefaults()
	in := Ingest{Repo: r, Objects: q.objects, Pack: pack, Limits: l}
	if _, err := (GoIngester{}).Ingest(ctx, in); err != nil {
		return err
	}
	return q.migrate()
}
