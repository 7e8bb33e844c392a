package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// scaffold is where the new root is put together before it becomes the root.
// Nothing that is needed from the old root lies below it.
const scaffold = "/sys"

// buildRoot replaces the root of this mount namespace by one that holds what
// the specification names. The order matters: sources are reached by their old
// paths until pivot_root.
func buildRoot(s *Spec, userns bool) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fail("separate mounts", err)
	}
	if err := unix.Mount("root", scaffold, "tmpfs", unix.MS_NOSUID, "size=4m,nr_inodes=65536,mode=755"); err != nil {
		return fail("mount root", err)
	}
	if err := unix.Chdir(scaffold); err != nil {
		return fail("enter root", err)
	}
	for _, d := range []string{"proc", "dev", "tmp", "etc", "app", "run", "usr", "usr/bin", "bin"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return fail("make /"+d, err)
		}
	}
	// /tmp first: in a test or on an odd machine the store may lie below it.
	if err := tmpfs("tmp", s.tmpBytes(), 0o1777, 0); err != nil {
		return fail("mount /tmp", err)
	}
	if err := bindClosure(s.Closure); err != nil {
		return err
	}
	if err := freeze(s.Closure, ".", "tmp"); err != nil {
		return fail("close the closure", err)
	}
	linkTools(s)
	for _, step := range []func(*Spec, bool) error{mountApp, mountData, mountSockets, makeDev, makeEtc, mountProc} {
		if err := step(s, userns); err != nil {
			return err
		}
	}
	places, err := takeMounts(s.Mounts)
	if err != nil {
		return err
	}
	return enterRoot(s, places)
}

func (s *Spec) tmpBytes() int64 {
	if s.TmpBytes > 0 {
		return s.TmpBytes
	}
	return DefaultTmpBytes
}

// enterRoot makes the working directory the root, lets go of the old one and
// closes the new one for writing.
func enterRoot(s *Spec, places []place) error {
	if err := unix.PivotRoot(".", "."); err != nil {
		return fail("change root", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fail("leave old root", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fail("enter root", err)
	}
	if err := putMounts(places); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID, ""); err != nil {
		return fail("close root", err)
	}
	host := s.Hostname
	if host == "" {
		host = s.App
	}
	if host == "" {
		return nil
	}
	if err := unix.Sethostname([]byte(host)); err != nil {
		return fail("set host name", err)
	}
	return nil
}

// mountApp shows the release's tree at /app with a writable layer over it. The
// layer's file system is mounted on the same place below the overlay, where
// nothing can reach it.
func mountApp(s *Spec, userns bool) error {
	if err := tmpfs("app", s.tmpBytes(), 0o755, 0); err != nil {
		return fail("mount /app", err)
	}
	if s.AppDir == "" {
		return chown("app", s)
	}
	for _, d := range []string{"app/upper", "app/work"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return fail("make /app", err)
		}
	}
	if err := s.ownAppDir(); err != nil {
		return err
	}
	if err := openDirs(s); err != nil {
		return err
	}
	opts := "lowerdir=" + escapeOverlay(s.AppDir) + ",upperdir=app/upper,workdir=app/work"
	if userns {
		opts += ",userxattr"
	}
	err := unix.Mount("app", "app", "overlay", unix.MS_NOSUID|unix.MS_NODEV, opts)
	if err != nil {
		e := fail("mount /app over "+s.AppDir, err)
		if errors.Is(err, unix.ENODEV) {
			e.Fix = "this kernel has no overlay file system: modprobe overlay"
		}
		return e
	}
	return nil
}

// ownAppDir resolves AppDir and refuses one outside of the closure: a build
// may have made it a link to anywhere.
func (s *Spec) ownAppDir() error {
	dir, err := filepath.EvalSymlinks(s.AppDir)
	if err != nil {
		return fail("find "+s.AppDir, err)
	}
	for _, p := range s.Closure {
		if dir == p || strings.HasPrefix(dir, p+"/") {
			s.AppDir = dir
			return nil
		}
	}
	return &Error{Step: "show " + s.AppDir + " at /app", Text: "it leads out of the release's closure"}
}

// escapeOverlay protects the characters that overlayfs splits its options at.
func escapeOverlay(p string) string {
	var out []byte
	for i := range len(p) {
		if p[i] == ':' || p[i] == ',' || p[i] == '\\' {
			out = append(out, '\\')
		}
		out = append(out, p[i])
	}
	return string(out)
}

// maxOpenDirs bounds what a start spends on a huge tree; deeper directories
// stay read-only.
const maxOpenDirs = 2000

// openDirs repeats the tree's directories in the writable layer as the app's
// own, since in the store they belong to root and are closed to writing. The
// overlay takes a merged directory's owner and mode from the upper layer.
// Dependency trees are left out: they are large and nobody writes there.
func openDirs(s *Spec) error {
	if err := chown("app/upper", s); err != nil {
		return err
	}
	queue := []string{"."}
	for n := 0; len(queue) > 0 && n < maxOpenDirs; queue = queue[1:] {
		entries, err := os.ReadDir(filepath.Join(s.AppDir, queue[0]))
		if err != nil {
			return fail("read "+s.AppDir, err)
		}
		for _, e := range entries {
			if !e.IsDir() || e.Name() == "node_modules" || e.Name() == "site-packages" {
				continue
			}
			rel := filepath.Join(queue[0], e.Name())
			if err := os.Mkdir(filepath.Join("app/upper", rel), 0o755); err != nil {
				return fail("make /app/"+rel, err)
			}
			if err := chown(filepath.Join("app/upper", rel), s); err != nil {
				return err
			}
			queue = append(queue, rel)
			n++
		}
	}
	return nil
}

func chown(p string, s *Spec) error {
	if err := os.Lchown(p, s.UID, s.GID); err != nil {
		return fail("own /"+p, err)
	}
	return nil
}

func mountData(s *Spec, _ bool) error {
	if s.DataDir == "" {
		return nil
	}
	if err := bindPath(s.DataDir, "data", shared); err != nil {
		return fail("mount /data from "+s.DataDir, err)
	}
	return nil
}

// linkTools gives programs the two absolute paths that nearly all of them
// assume, if the release has them. Nothing of the host is used for them.
func linkTools(s *Spec) {
	bin := s.BinDir
	if bin == "" && s.AppDir != "" {
		bin = filepath.Join(filepath.Dir(s.AppDir), "bin")
	}
	if bin == "" {
		return
	}
	for name, at := range map[string]string{"sh": "bin/sh", "env": "usr/bin/env"} {
		tool := filepath.Join(bin, name)
		if _, err := os.Lstat(tool); err != nil {
			continue
		}
		_ = os.Symlink(tool, at) // a closure path may have put one there
	}
}

// exists tells whether the file can be looked at; any reason why not counts as no.
func exists(p string) bool {
	_, err := os.Stat(p)
	return err == nil
}
