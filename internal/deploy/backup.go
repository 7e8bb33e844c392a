package deploy

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Parts of an app in a backup, below apps/NAME/. Releases are the papers and the links to store paths, not what they link
// to: a store path is made anew by building its commit.
const (
	backupHead     = "hop3-backup.json"
	backupVersion  = 1
	backupRecord   = "app.json"
	backupRepo     = "repo.json"
	backupPack     = "repo.pack"
	backupReleases = "releases"
	backupData     = "data"
	backupKeys     = "keys.json"
)

// backupIndex is the first file of a backup.
type backupIndex struct {
	Version int       `json:"version"`
	Hop3    string    `json:"hop3"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Apps    []string  `json:"apps"`
}

// Backup writes a tar of the apps to w, while they run: settings sealed, code, releases, and with data what lies in /data.
// With keys it holds who may call the server too. Releases, settings and code are of one moment per app; a file of /data that
// changes while it is read is told of, and stands in the backup as it was read.
func (p *Pipeline) Backup(ctx context.Context, r Request, apps []string, data, keys bool, w io.Writer) error {
	t := &archive{w: tar.NewWriter(w), ctx: ctx, talk: r.Talk, now: time.Now().UTC()}
	if err := t.json(backupHead, backupIndex{Version: backupVersion, Hop3: p.Version, At: t.now, By: r.By, Apps: apps}); err != nil {
		return err
	}
	if keys {
		list, err := p.Store.ExportKeys()
		if err != nil {
			return err
		}
		if err := t.json(backupKeys, list); err != nil {
			return err
		}
	}
	for _, name := range apps {
		if err := p.backupApp(ctx, r, name, data, t); err != nil {
			return fmt.Errorf("back %s up: %w", name, err)
		}
	}
	if err := t.w.Close(); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

func (p *Pipeline) backupApp(ctx context.Context, r Request, name string, data bool, t *archive) error {
	r.App = name
	app, leave, err := p.turn(ctx, r, "a backup")
	if err != nil {
		return err
	}
	defer leave()
	base := path.Join("apps", name)
	record, err := p.Store.Export(name)
	if err != nil {
		return err
	}
	if err := t.json(path.Join(base, backupRecord), record); err != nil {
		return err
	}
	if err := p.backupRepo(ctx, name, base, t); err != nil {
		return err
	}
	if err := t.tree(filepath.Join(p.Store.AppDir(name), "releases"), path.Join(base, backupReleases)); err != nil {
		return err
	}
	if data {
		if err := t.tree(filepath.Join(p.Store.AppDir(name), "data"), path.Join(base, backupData)); err != nil {
			return err
		}
	}
	r.Talk.Line("%s v%d: %s", name, app.Current, BytesText(t.written))
	for _, s := range app.Attached {
		r.Talk.Line("without what the service %s holds: services:backup %s", s.Service, s.Service)
	}
	t.written = 0
	return nil
}

// backupRepo packs the repository into a temporary file first: a tar wants to know sizes beforehand.
func (p *Pipeline) backupRepo(ctx context.Context, name, base string, t *archive) error {
	repo, err := p.Repo(name)
	if err != nil {
		return err
	}
	pack, err := os.CreateTemp(p.Store.Dir(), "backup-*.pack")
	if err != nil {
		return fmt.Errorf("make a file for the pack: %w", err)
	}
	defer pack.Close() //nolint:errcheck // gone already
	if err := os.Remove(pack.Name()); err != nil {
		return fmt.Errorf("make a file for the pack: %w", err)
	}
	snapshot, err := repo.Pack(ctx, pack)
	if err != nil {
		return err
	}
	if err := t.json(path.Join(base, backupRepo), snapshot); err != nil {
		return err
	}
	size, err := pack.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = pack.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("read the pack: %w", err)
	}
	return t.file(&tar.Header{Typeflag: tar.TypeReg, Name: path.Join(base, backupPack), Mode: 0o600, Size: size, ModTime: t.now}, pack)
}

// An archive is a backup that is being written.
type archive struct {
	w       *tar.Writer
	ctx     context.Context
	talk    *Talk
	now     time.Time
	written int64 // bytes of files since it was last set to 0
}

func (t *archive) json(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return t.file(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(b)), ModTime: t.now}, bytes.NewReader(b))
}

// file writes one entry. Of content that is shorter than the header says the rest is zeros, of longer content the rest is
// left out: an app writes while it is read.
func (t *archive) file(h *tar.Header, content io.Reader) error {
	if err := context.Cause(t.ctx); err != nil {
		return err
	}
	if err := t.w.WriteHeader(h); err != nil {
		return fmt.Errorf("write %s: %w", h.Name, err)
	}
	if content == nil {
		return nil
	}
	n, err := io.Copy(t.w, io.LimitReader(&interruptible{t.ctx, content}, h.Size))
	if err != nil {
		return fmt.Errorf("write %s: %w", h.Name, err)
	}
	t.written += n
	if n < h.Size {
		t.talk.Line("changed while it was read: %s", h.Name)
		if _, err := io.CopyN(t.w, zeros{}, h.Size-n); err != nil {
			return fmt.Errorf("write %s: %w", h.Name, err)
		}
	}
	return nil
}

// tree writes what lies below dir. It is the app's: links are written as links and never followed, what is neither file,
// folder nor link is left out, and what goes away meanwhile was never there.
func (t *archive) tree(dir, name string) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	defer root.Close() //nolint:errcheck // only read
	return fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = t.entry(root, p, path.Join(name, p), d)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

func (t *archive) entry(root *os.Root, p, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: name, Mode: int64(info.Mode().Perm()), ModTime: info.ModTime()}
	switch info.Mode().Type() {
	case fs.ModeDir:
		h.Typeflag = tar.TypeDir
		return t.file(h, nil)
	case fs.ModeSymlink:
		h.Typeflag = tar.TypeSymlink
		if h.Linkname, err = root.Readlink(p); err != nil {
			return err
		}
		return t.file(h, nil)
	case 0:
	default:
		t.talk.Line("left out, it is no file: %s", name)
		return nil
	}
	f, err := root.OpenFile(p, os.O_RDONLY|unix.O_NONBLOCK, 0) // it may be a pipe by now
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	if info, err = f.Stat(); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	h.Typeflag, h.Size = tar.TypeReg, info.Size()
	return t.file(h, f)
}

// interruptible ends with its context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (r *interruptible) Read(b []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// Clone makes an app of another one: its code, settings, scale and current release, under another name and without its data
// and domains.
func (p *Pipeline) Clone(ctx context.Context, r Request, name string) (Restored, error) {
	read, write := io.Pipe()
	sent := make(chan error, 1)
	go func() { // ends with the reader
		err := p.Backup(ctx, r, []string{r.App}, false, false, write)
		_ = write.CloseWithError(err) // never fails
		sent <- err
	}()
	list, err := p.Restore(ctx, r, RestoreOptions{Name: name, May: func(string) error { return nil }}, read)
	_ = read.CloseWithError(errNoReader) // never fails
	if serr := <-sent; serr != nil && !errors.Is(serr, errNoReader) {
		return Restored{}, serr
	}
	if err != nil {
		return Restored{}, err
	}
	return list[0], nil
}

var errNoReader = errors.New("nobody reads any more")
