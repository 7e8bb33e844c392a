package deploy

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hop3/internal/state"
	"hop3/receive"
)

// restorePrefix begins the names of folders in which a backup is unpacked before any app is made of it.
const restorePrefix = "restore-"

const (
	maxBackupJSON    = 64 << 20  // bytes of a record: 20 releases with closures of thousands of paths have 5 MB
	maxBackupEntries = 5_000_000 // files: more are no app's data but a mistake
)

// A BackupError is an archive that is none of ours, or is damaged.
type BackupError struct{ Problem string }

func (e *BackupError) Error() string { return "read backup: " + e.Problem }

// Hint says what is wanted.
func (e *BackupError) Hint() string { return "give what backup wrote, whole: restore < blog.tar" }

// Restored is an app that Restore has made.
type Restored struct {
	App     string `json:"app"`
	Release string `json:"release"` // that is live; "" for none
	Problem string `json:"problem"` // why it does not run, where it does not
}

// RestoreOptions say what a restore may do.
type RestoreOptions struct {
	Name string                 // of the one app in the backup; "" leaves the names
	May  func(app string) error // the right to make an app of that name
	Keys bool                   // take over the keys in the backup, too
}

// Restore makes apps of a backup. They must not exist. Until an app is whole nothing of it is to be seen; a release whose store path this machine does not
// have is built anew, if it is the current one. The error is a *BackupError, a *state.ForeignError or a *state.Conflict.
func (p *Pipeline) Restore(ctx context.Context, r Request, o RestoreOptions, in io.Reader) ([]Restored, error) {
	stage, err := os.MkdirTemp(p.Store.Dir(), restorePrefix)
	if err != nil {
		return nil, fmt.Errorf("make a folder for the backup: %w", err)
	}
	defer os.RemoveAll(stage) //nolint:errcheck // swept at the next start
	room, err := p.room()
	if err != nil {
		return nil, err
	}
	u := &unpacker{ctx: ctx, stage: stage, room: room, tar: tar.NewReader(&interruptible{ctx, in})}
	if err := u.index(); err != nil {
		return nil, err
	}
	targets, err := u.targets(o.Name)
	if err != nil {
		return nil, err
	}
	for _, target := range targets {
		if err := errors.Join(state.CheckAppName(target), o.May(target)); err != nil {
			return nil, err
		}
		if _, err := p.Store.App(target); err == nil {
			return nil, &state.Conflict{What: fmt.Sprintf("the app %s exists already", target), Mend: "give the backup's app another name: restore NAME, or destroy that one first"}
		}
	}
	if err := u.rest(); err != nil {
		return nil, err
	}
	var keys []state.Key
	if o.Keys { // before anything is made
		if keys, err = p.keysIn(filepath.Join(stage, backupKeys)); err != nil {
			return nil, err
		}
	}
	var done []Restored
	for n, app := range u.head.Apps {
		one, err := p.restoreApp(ctx, r, filepath.Join(stage, "apps", app), targets[n])
		if err != nil {
			return done, fmt.Errorf("restore %s: %w", targets[n], err)
		}
		done = append(done, one)
	}
	return done, p.restoreKeys(keys)
}

// restoreApp makes an app of its unpacked parts.
func (p *Pipeline) restoreApp(ctx context.Context, r Request, stage, name string) (Restored, error) {
	leave, free := p.queue.try(name, &ticket{who: r.By, what: "a restore of " + name})
	if !free {
		return Restored{}, &state.Conflict{What: fmt.Sprintf("the name %s is in use just now", name), Mend: "take another name, or try again"}
	}
	defer leave()
	var record state.Portable
	if err := readBackup(filepath.Join(stage, backupRecord), &record); err != nil {
		return Restored{}, err
	}
	if err := p.unpackRepo(ctx, stage); err != nil {
		return Restored{}, err
	}
	for _, f := range []string{backupRecord, backupRepo, backupPack} {
		if err := os.Remove(filepath.Join(stage, f)); err != nil {
			return Restored{}, err
		}
	}
	dir := p.Store.AppDir(name)
	if err := os.Rename(stage, dir); err != nil { // no record is in it yet: a crash leaves a folder that is no app
		return Restored{}, fmt.Errorf("put the app's folder in its place: %w", err)
	}
	app, err := p.Store.Import(name, record)
	if err != nil {
		return Restored{}, errors.Join(err, os.RemoveAll(dir))
	}
	if err := giveTo(filepath.Join(dir, "data"), app.UID); err != nil {
		return Restored{}, errors.Join(err, p.Store.Destroy(name))
	}
	services, err := p.forget(name)
	if err == nil {
		app, err = p.keepUsable(ctx, app)
	}
	if err != nil {
		return Restored{}, errors.Join(err, p.Store.Destroy(name))
	}
	for _, svc := range services {
		r.Talk.Line("it used the service %s, which is not part of this: services:attach %s %s", svc, svc, name)
	}
	r.App = name
	return p.revive(ctx, r, app), nil
}

func readBackup(file string, v any) error {
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxBackupJSON {
		return &BackupError{"no " + filepath.Base(file) + " of an app in it"}
	}
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return &BackupError{filepath.Base(file) + ": " + err.Error()}
	}
	return nil
}

func (p *Pipeline) unpackRepo(ctx context.Context, stage string) error {
	var snapshot receive.Snapshot
	if err := readBackup(filepath.Join(stage, backupRepo), &snapshot); err != nil {
		return err
	}
	repo, err := receive.Init(filepath.Join(stage, "repo.git"))
	if err != nil {
		return err
	}
	pack, err := os.OpenFile(filepath.Join(stage, backupPack), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return &BackupError{"no " + backupPack + " of an app in it"}
	}
	defer pack.Close() //nolint:errcheck // only read
	return repo.Unpack(ctx, snapshot, pack)
}

// giveTo makes all below dir the app's own.
func giveTo(dir string, uid int) error {
	if os.Geteuid() != 0 {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("give the data to the app: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read
	return fs.WalkDir(root.FS(), ".", func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(p, uid, uid)
	})
}

// keepUsable roots the releases whose store paths this machine has, and marks those that it has not.
func (p *Pipeline) keepUsable(ctx context.Context, app *state.App) (*state.App, error) {
	var paths []string
	for _, r := range app.Releases {
		paths = append(paths, r.StorePath)
	}
	valid, err := p.Nix.Valid(ctx, paths...)
	if err != nil {
		return nil, err
	}
	if err := p.rootLinks(ctx, app.Name); err != nil {
		return nil, err
	}
	return p.Store.Update(app.Name, func(a *state.App) error {
		for i := range a.Releases {
			r := &a.Releases[i]
			if r.Number != a.Current && r.Status != state.Failed && !valid[r.StorePath] {
				r.Status, r.Error = state.Failed, "its store path is not on this machine; build its commit: deploy --ref "+short(r.Commit)
			}
		}
		return nil
	})
}

// revive starts the current release, or builds its commit where it is not here.
func (p *Pipeline) revive(ctx context.Context, r Request, app *state.App) Restored {
	done := Restored{App: app.Name}
	rel, live := app.CurrentRelease()
	if !live {
		return done
	}
	valid, err := p.Nix.Valid(ctx, rel.StorePath)
	if err == nil && valid[rel.StorePath] {
		r.Talk.Step("Starting %s v%d", app.Name, rel.Number)
		err = p.checkHosts(app.Name, p.hosts(app, rel))
		if err == nil {
			err = p.Supervisor.Adopt(ctx, p.running(app, rel))
		}
	} else if err == nil {
		t := building(r.By, "a restore", r.Talk, func(error) {})
		err = p.deployStored(ctx, r, app, t, DeployOptions{Ref: rel.Commit, Rebuild: true}, options{})
		t.finish(err)
	}
	if err != nil {
		done.Problem = err.Error()
		return done
	}
	if now, err := p.Store.App(app.Name); err == nil {
		done.Release = fmt.Sprintf("v%d", now.Current)
	}
	return done
}

// keysIn returns the keys of a backup, if it has some. Like an app's record they are a server's that this one trusts: whoever
// changed the archive cannot add one.
func (p *Pipeline) keysIn(file string) ([]state.Key, error) {
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var sealed state.Portable
	if err := readBackup(file, &sealed); err != nil {
		return nil, err
	}
	return p.Store.ImportKeys(sealed)
}

// restoreKeys adds the keys whose names and keys the server does not have.
func (p *Pipeline) restoreKeys(keys []state.Key) error {
	for _, k := range keys {
		var conflict *state.Conflict
		if err := p.Store.Keys().Add(k); err != nil && !errors.As(err, &conflict) {
			return fmt.Errorf("restore key %s: %w", k.Name, err)
		}
	}
	return nil
}
