package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// flags of a bind mount, in the terms of mount_setattr(2).
const (
	shared  = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV // may be written
	frozen  = shared | unix.MOUNT_ATTR_RDONLY
	devices = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC
)

// bind shows src at dst. The attributes are set while the mount is still
// detached, so that it is never visible without them; kernels before 5.12 get
// the older two calls.
func bind(src, dst string, attr uint64) error {
	fd, err := detach(src, attr, 0)
	if errors.Is(err, unix.ENOSYS) {
		return bindOld(src, dst, attr)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.MoveMount(fd, "", unix.AT_FDCWD, dst, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// detach makes a mount of src that has no place yet.
func detach(src string, attr uint64, flags uint) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, src, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|flags)
	if err != nil {
		return -1, err
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: attr}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func bindOld(src, dst string, attr uint64) error {
	if err := unix.Mount(src, dst, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT)
	for bit, old := range map[uint64]uintptr{
		unix.MOUNT_ATTR_RDONLY: unix.MS_RDONLY, unix.MOUNT_ATTR_NOSUID: unix.MS_NOSUID,
		unix.MOUNT_ATTR_NODEV: unix.MS_NODEV, unix.MOUNT_ATTR_NOEXEC: unix.MS_NOEXEC,
	} {
		if attr&bit != 0 {
			flags |= old
		}
	}
	return unix.Mount("", dst, "", flags, "")
}

// bindPath makes a target of src's kind at dst, a path relative to the new
// root, and binds src there. A symlink is made again instead.
func bindPath(src, dst string, attr uint64) error {
	st, err := os.Lstat(src)
	if err != nil {
		return err
	}
	switch {
	case st.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(src)
		if err != nil {
			return err
		}
		return os.Symlink(to, dst)
	case st.IsDir():
		err = os.Mkdir(dst, 0o755)
	default:
		err = touch(dst)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return bind(src, dst, attr)
}

func touch(dst string) error {
	f, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// tmpfs mounts an empty file system of at most size bytes at dst.
func tmpfs(dst string, size int64, mode uint32, flags uintptr) error {
	return unix.Mount("tmpfs", dst, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|flags, fmt.Sprintf("size=%d,nr_inodes=%d,mode=%o", size, inodes(size), mode))
}

// inodes bounds the kernel memory that empty files cost: one inode for each
// 4 KiB, as a file system on a disk would have.
func inodes(size int64) int64 { return max(size/4096, 4096) }

// bindClosure shows each store path at its own place, below the working
// directory. Three calls for each path is what starting an instance costs most,
// so the mounts are closed for writing by one call at the end: nothing of the
// app runs yet, and no one else sees this namespace.
func bindClosure(paths []string) error {
	made := ""
	for _, p := range paths {
		dst := p[1:]
		if d := filepath.Dir(dst); d != made {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return fail("show "+p, err)
			}
			made = d
		}
		if err := bindStorePath(p, dst); err != nil {
			e := fail("show "+p, err)
			if errors.Is(err, fs.ErrNotExist) {
				e.Fix = "the store path is gone: deploy the app again"
			}
			return e
		}
	}
	return nil
}

func bindStorePath(src, dst string) error {
	var st unix.Stat_t
	if err := unix.Lstat(src, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		// A link is made again, never followed: a build may have pointed it anywhere.
		return bindPath(src, dst, frozen)
	}
	if err := unix.Mkdir(dst, 0o755); err != nil && err != unix.EEXIST {
		return err
	}
	return unix.Mount(src, dst, "", unix.MS_BIND, "")
}

// freeze closes every mount at and below the working directory, but for those
// named.
func freeze(paths []string, open ...string) error {
	err := unix.MountSetattr(unix.AT_FDCWD, ".", unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: frozen})
	if errors.Is(err, unix.ENOSYS) {
		for _, p := range paths {
			if err := unix.Mount("", p[1:], "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil && err != unix.EINVAL {
				return err
			}
		}
		return nil
	}
	for _, p := range open {
		if err == nil {
			err = unix.MountSetattr(unix.AT_FDCWD, p, 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
		}
	}
	return err
}
