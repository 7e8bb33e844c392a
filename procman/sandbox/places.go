package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A place is a Mount that was taken from the old root and has no place yet.
type place struct {
	Mount
	fd  int
	dir bool
}

// takeMounts takes the mounts from the old root. They are put into the new one
// when that is the root: a link in the app's tree then leads nowhere else.
func takeMounts(mounts []Mount) ([]place, error) {
	var out []place
	for _, m := range mounts {
		p := place{Mount: m}
		st, err := os.Lstat(m.From)
		if err == nil && st.Mode()&fs.ModeSymlink != 0 {
			err = unix.ELOOP
		}
		attr := uint64(shared)
		if m.ReadOnly {
			attr = frozen
		}
		if err == nil {
			p.dir = st.IsDir()
			p.fd, err = detach(m.From, attr, unix.AT_SYMLINK_NOFOLLOW) // its owner may change it at any time
		}
		if err != nil {
			return nil, fail("mount "+m.To+" from "+m.From, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// putMounts puts them into the root.
func putMounts(places []place) error {
	for _, p := range places {
		err := p.put()
		unix.Close(p.fd)
		if err != nil {
			e := fail("mount "+p.To, err)
			if errors.Is(err, unix.ELOOP) {
				e.Text = "a part of the path is a link in the release"
			}
			return e
		}
	}
	return nil
}

func (p place) put() error {
	if err := os.MkdirAll(filepath.Dir(p.To), 0o755); err != nil {
		return err
	}
	err := error(nil)
	if p.dir {
		err = os.Mkdir(p.To, 0o755)
	} else {
		err = touch(p.To)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	at, err := unix.Openat2(unix.AT_FDCWD, p.To, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if err != nil {
		return err
	}
	defer unix.Close(at)
	return unix.MoveMount(p.fd, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}
