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
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"hop3/internal/state"
	"hop3/nixtmpl/nix"
)

// An unpacker reads a backup into a folder, from which nothing can lead out.
type unpacker struct {
	ctx   context.Context
	stage string
	tar   *tar.Reader
	head  backupIndex
	room  int64 // bytes that the disk has for the rest
}

func (u *unpacker) index() error {
	h, err := u.tar.Next()
	if err != nil || h.Name != backupHead || h.Size > maxBackupJSON {
		return &BackupError{"it does not begin with " + backupHead}
	}
	if err := json.NewDecoder(u.tar).Decode(&u.head); err != nil {
		return &BackupError{backupHead + ": " + err.Error()}
	}
	if u.head.Version != backupVersion {
		return &BackupError{fmt.Sprintf("version %d is not known", u.head.Version)}
	}
	for _, app := range u.head.Apps {
		if err := state.CheckAppName(app); err != nil {
			return &BackupError{err.Error()}
		}
	}
	return nil
}

// targets are the names that the backup's apps get.
func (u *unpacker) targets(name string) ([]string, error) {
	if name == "" {
		return slices.Clone(u.head.Apps), nil
	}
	if len(u.head.Apps) != 1 {
		return nil, &BackupError{fmt.Sprintf("it holds %d apps: another name can be given to one only", len(u.head.Apps))}
	}
	return []string{name}, nil
}

func (u *unpacker) rest() error {
	root, err := os.OpenRoot(u.stage)
	if err != nil {
		return fmt.Errorf("unpack backup: %w", err)
	}
	defer root.Close() //nolint:errcheck // all is written
	for n := 0; ; n++ {
		h, err := u.tar.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && n > maxBackupEntries {
			err = fmt.Errorf("more than %d entries", maxBackupEntries)
		}
		if cause := context.Cause(u.ctx); cause != nil {
			return cause
		}
		if err != nil {
			return &BackupError{err.Error()}
		}
		if err := u.entry(root, h); err != nil {
			return fmt.Errorf("unpack %s: %w", h.Name, err)
		}
	}
}

// entry makes one file, folder or link. Whoever has the archive may have changed it: an entry has the type that backup
// gives it, and its folders are folders of the archive.
func (u *unpacker) entry(root *os.Root, h *tar.Header) error {
	name := path.Clean(h.Name)
	if !filepath.IsLocal(name) || !u.known(name, h) {
		return &BackupError{"it holds " + h.Name}
	}
	if err := u.folders(root, path.Dir(name)); err != nil {
		return err
	}
	mode := fs.FileMode(h.Mode) & 0o777
	switch h.Typeflag {
	case tar.TypeDir:
		if err := u.folders(root, name); err != nil {
			return err
		}
		return root.Chmod(name, mode|0o700)
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	}
	if u.room -= h.Size; u.room < 0 {
		return &BackupError{"it holds more than the disk has room for"}
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, u.tar)
	return errors.Join(err, f.Close())
}

// folders makes the folder dir and those above it. A link in the place of one is refused: it would lead to another part of
// the archive, whose rules are others.
func (u *unpacker) folders(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	info, err := root.Lstat(dir)
	if err == nil && !info.IsDir() {
		return &BackupError{dir + " is no folder in it"}
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := u.folders(root, path.Dir(dir)); err != nil {
		return err
	}
	return root.Mkdir(dir, 0o755)
}

// releaseLink is a GC root among the papers of a release.
var releaseLink = regexp.MustCompile(`^(result|result-[^/]*|layer-[^/]*)$`)

// known reports whether the entry belongs in a backup, and is of the type that it has there.
func (u *unpacker) known(name string, h *tar.Header) bool {
	file := h.Typeflag == tar.TypeReg && h.Size >= 0 && !sparse(h)
	if name == backupKeys {
		return file
	}
	part := strings.Split(name, "/")
	if part[0] != "apps" || len(part) > 1 && !slices.Contains(u.head.Apps, part[1]) {
		return false
	}
	if len(part) < 3 { // the folders themselves, as tar writes them
		return h.Typeflag == tar.TypeDir
	}
	if slices.Contains([]string{backupRecord, backupRepo, backupPack}, part[2]) {
		return len(part) == 3 && file
	}
	if part[2] != backupReleases && part[2] != backupData || len(part) == 3 {
		return (part[2] == backupReleases || part[2] == backupData) && h.Typeflag == tar.TypeDir
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return true
	case tar.TypeSymlink: // those of the data stay in the app's sandbox, those of releases are read by the server
		return part[2] == backupData || len(part) == 5 && releaseLink.MatchString(part[4]) && rootTarget(h.Linkname)
	}
	return file
}

// rootTarget reports whether a GC root leads where nix and its driver let one: into the store, or to the root beside it.
func rootTarget(to string) bool {
	return path.Dir(path.Clean(to)) == nix.StoreDir || releaseLink.MatchString(to)
}

// sparse reports whether a few bytes of the archive stand for many of the file.
func sparse(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// room is how many bytes a file may have, so that the disk keeps free what it has to.
func (p *Pipeline) room() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(p.Store.Dir(), &st); err != nil {
		return 0, fmt.Errorf("look at the disk of %s: %w", p.Store.Dir(), err)
	}
	return int64(st.Bavail)*st.Bsize - p.limits.Load().minFree, nil
}
