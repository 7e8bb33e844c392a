package receive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const quarantinePattern = "incoming-*"

// quarantine is where a push lives until it is accepted: a folder inside the repository, and so on
// its file system, whose object folder has the repository's as its alternate.
type quarantine struct {
	repo    *Repo
	dir     string
	objects string
	shallow string   // the file of commits without parents, as git --shallow-file; "" = the repository's
	grafts  []string // those that this push adds to it
	whole   bool     // the pushed commit and everything that it needs is in here
}

func newQuarantine(r *Repo) (*quarantine, error) {
	dir, err := os.MkdirTemp(r.dir, quarantinePattern)
	if err != nil {
		return nil, fmt.Errorf("make quarantine: %w", err)
	}
	q := &quarantine{repo: r, dir: dir, objects: filepath.Join(dir, "objects")}
	err = errors.Join(
		os.MkdirAll(filepath.Join(q.objects, "pack"), 0o755),
		os.MkdirAll(filepath.Join(q.objects, "info"), 0o755),
		os.WriteFile(filepath.Join(q.objects, "info", "alternates"), []byte("../../objects\n"), 0o644),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make quarantine: %w", err), q.remove())
	}
	return q, nil
}

func (q *quarantine) remove() error {
	if err := os.RemoveAll(q.dir); err != nil {
		return fmt.Errorf("remove quarantine: %w", err)
	}
	return nil
}

// view reads through the quarantine into the repository.
func (q *quarantine) view() view {
	v := q.repo.view()
	v.objects, v.shallow = q.objects, q.shallow
	return v
}

// graft notes which commits the client has without their parents. Those that the repository holds
// already are whole there, or known to be cut.
func (q *quarantine) graft(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	missing, err := q.which(ctx, q.repo.view(), ids, false)
	if err != nil || len(missing) == 0 {
		return err
	}
	return q.writeShallow(missing)
}

// trimGraft forgets those commits that turned out not to be in the pack.
func (q *quarantine) trimGraft(ctx context.Context) error {
	if len(q.grafts) == 0 {
		return nil
	}
	present, err := q.which(ctx, q.view(), q.grafts, true)
	if err != nil {
		return err
	}
	return q.writeShallow(present)
}

func (q *quarantine) writeShallow(grafts []string) error {
	known, err := q.repo.shallow()
	if err != nil {
		return fmt.Errorf("read shallow: %w", err)
	}
	q.grafts = grafts
	q.shallow = filepath.Join(q.dir, "shallow")
	return os.WriteFile(q.shallow, shallowFile(known, grafts), 0o644)
}

func shallowFile(lists ...[]string) []byte {
	all := slices.Concat(lists...)
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) == 0 {
		return nil
	}
	return []byte(strings.Join(all, "\n") + "\n")
}

// which returns those of ids that v has as commits, or those that it has not.
func (q *quarantine) which(ctx context.Context, v view, ids []string, present bool) ([]string, error) {
	out, err := v.run(ctx, strings.Join(ids, "\n")+"\n", "cat-file", "--batch-check=%(objecttype) %(objectname)")
	if err != nil {
		return nil, err
	}
	var found []string
	for i, line := range slices.Collect(strings.Lines(out)) {
		if i < len(ids) && strings.HasPrefix(line, "commit ") == present {
			found = append(found, ids[i])
		}
	}
	return found, nil
}

// migrate moves the objects into the repository: what a reader needs to ignore an unfinished move
// comes last. A second call finds nothing to move.
func (q *quarantine) migrate() error {
	if err := q.migrateShallow(); err != nil {
		return err
	}
	from, to := filepath.Join(q.objects, "pack"), filepath.Join(q.repo.dir, "objects", "pack")
	entries, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("accept objects: %w", err)
	}
	if len(entries) == 0 {
		return nil
	}
	for _, ext := range []string{".pack", ".rev", ".idx"} {
		for _, e := range entries {
			if filepath.Ext(e.Name()) != ext {
				continue
			}
			if err := move(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return fmt.Errorf("accept objects: %w", err)
			}
		}
	}
	return syncDir(to)
}

// move renames a file that is on disk. git index-pack has synced its files, other Ingesters may not have.
func move(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// migrateShallow adds this push's cut commits to the repository's. Two pushes may do so at once:
// the folder itself is the lock, so that no lock file can be left behind.
func (q *quarantine) migrateShallow() (err error) {
	if len(q.grafts) == 0 {
		return nil
	}
	d, err := os.Open(q.repo.dir)
	if err != nil {
		return fmt.Errorf("lock shallow: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock shallow: %w", err)
	}
	known, err := q.repo.shallow()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read shallow: %w", err)
	}
	if err := writeFile(filepath.Join(q.repo.dir, "shallow"), shallowFile(known, q.grafts)); err != nil {
		return err
	}
	q.grafts = nil
	return nil
}
