package receive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Repo is a bare repository. It holds no open file and may be used by many goroutines at once.
//
// Refs are read and moved by git and not by go-git, which writes a ref in place and stumbles over
// the lock files that git leaves for a moment beside one.
type Repo struct {
	dir string // absolute
	exe string
}

// MissingGitError says that the machine has no git.
type MissingGitError struct{ Err error }

func (e *MissingGitError) Error() string { return "find git: " + e.Err.Error() }
func (e *MissingGitError) Unwrap() error { return e.Err }

// Hint says how to get it.
func (e *MissingGitError) Hint() string { return "apt-get install git" }

// FormatError refuses a repository whose objects are named by another hash than sha1.
type FormatError struct{ Dir, Format string }

func (e *FormatError) Error() string {
	return fmt.Sprintf("repository %s has object-format %s, only sha1 is supported", filepath.Base(e.Dir), e.Format)
}

// Init makes an empty bare repository in dir, or opens the one that is there.
func Init(dir string) (*Repo, error) {
	if r, err := Open(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make repository: %w", err)
	}
	st := storage(dir)
	bare := config.NewConfig()
	bare.Core.IsBare = true
	head := plumbing.NewSymbolicReference(plumbing.HEAD, plumbing.Main)
	if err := st.Init(); err != nil {
		return nil, fmt.Errorf("make repository: %w", err)
	}
	if err := st.SetConfig(bare); err != nil {
		return nil, fmt.Errorf("make repository: %w", err)
	}
	if err := st.SetReference(head); err != nil { // last: without it the folder is no repository
		return nil, fmt.Errorf("make repository: %w", err)
	}
	return Open(dir)
}

// Open opens a bare repository. The error is fs.ErrNotExist if there is none in dir, and a
// *FormatError if its objects are not named by sha1.
func Open(dir string) (*Repo, error) {
	exe, err := exec.LookPath("git")
	if err != nil {
		return nil, &MissingGitError{err}
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	c, err := storage(dir).Config()
	if err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	if f := c.Raw.Section("extensions").Option("objectformat"); f != "" && f != "sha1" {
		return nil, &FormatError{Dir: dir, Format: f}
	}
	return &Repo{dir: dir, exe: exe}, nil
}

func storage(dir string) *filesystem.Storage {
	return filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRU(cache.MiByte))
}

// Dir is the repository's folder.
func (r *Repo) Dir() string { return r.dir }

func (r *Repo) view() view { return view{exe: r.exe, dir: r.dir} }

// Refs returns every ref with its object id, those that clients do not see among them; HEAD is not.
func (r *Repo) Refs() (map[string]string, error) {
	out, err := r.view().run(context.Background(), "", "for-each-ref", "--format=%(objectname) %(refname)")
	if err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	refs := map[string]string{}
	for line := range strings.Lines(out) {
		if id, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok {
			refs[name] = id
		}
	}
	return refs, nil
}

// ref returns what one ref holds, "" if there is none.
func (r *Repo) ref(ctx context.Context, name string) (string, error) {
	out, err := r.view().run(ctx, "", "for-each-ref", "--format=%(objectname) %(refname)", name)
	if err != nil {
		return "", fmt.Errorf("read ref: %w", err)
	}
	for line := range strings.Lines(out) { // the pattern also finds what stands below it
		if id, found, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); found == name {
			return id, nil
		}
	}
	return "", nil
}

// UpdateRef moves a ref from old to new, if it still is at old: "" is no ref, so that an empty old
// makes it and an empty new deletes it. It is durable when UpdateRef returns.
func (r *Repo) UpdateRef(name, old, new string) error {
	if !validRef(name) {
		return fmt.Errorf("update ref %q: not a valid ref name", name)
	}
	return r.move(context.Background(), []refMove{{name: name, old: idOrZero(old), new: idOrZero(new)}})
}

type refMove struct{ name, old, new string }

// move moves all of the refs or none.
func (r *Repo) move(ctx context.Context, moves []refMove) error {
	var in strings.Builder
	for _, m := range moves {
		if m.new == zeroID {
			fmt.Fprintf(&in, "delete %s %s\n", m.name, m.old)
		} else {
			fmt.Fprintf(&in, "update %s %s %s\n", m.name, m.new, m.old)
		}
	}
	_, err := r.view().run(ctx, in.String(), "update-ref", "--stdin")
	return err
}

// setHead makes a branch the one that git clone checks out.
func (r *Repo) setHead(branch string) error {
	want := "ref: " + branch + "\n"
	have, err := os.ReadFile(filepath.Join(r.dir, "HEAD"))
	if err != nil || string(have) == want {
		return err
	}
	return writeFile(filepath.Join(r.dir, "HEAD"), []byte(want))
}

// shallow returns the commits whose parents the repository does not have, because they were pushed
// from a shallow clone.
func (r *Repo) shallow() ([]string, error) {
	b, err := os.ReadFile(filepath.Join(r.dir, "shallow"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(b)), err
}

// Sweep removes what pushes and consolidations left behind that were under way when the server was killed. None may be
// under way.
func (r *Repo) Sweep() error {
	left, err := filepath.Glob(filepath.Join(r.dir, quarantinePattern))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return errors.Join(err, r.sweepPacks())
}
