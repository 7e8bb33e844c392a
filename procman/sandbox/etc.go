package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// makeDev makes the devices that harm nobody, terminals of its own, and shared memory.
func makeDev(s *Spec, _ bool) error {
	for _, d := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := bindPath("/dev/"+d, "dev/"+d, devices); err != nil {
			return fail("make /dev/"+d, err)
		}
	}
	for _, d := range []string{"dev/pts", "dev/shm"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return fail("make /"+d, err)
		}
	}
	if err := unix.Mount("devpts", "dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return fail("mount /dev/pts", err)
	}
	if err := tmpfs("dev/shm", s.tmpBytes(), 0o1777, unix.MS_NOEXEC); err != nil {
		return fail("mount /dev/shm", err)
	}
	for name, to := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0",
		"stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(to, "dev/"+name); err != nil {
			return fail("make /dev/"+name, err)
		}
	}
	return nil
}

// masked files of /proc tell about, or act on, the machine. frozenProc are
// directories of it that are left readable.
var (
	masked = []string{"kcore", "keys", "key-users", "kmsg", "kallsyms", "timer_list", "sched_debug", "sysrq-trigger",
		"latency_stats", "kpagecount", "kpageflags", "kpagecgroup", "vmallocinfo", "slabinfo"}
	frozenProc = []string{"sys", "bus", "fs", "irq", "driver", "acpi", "scsi", "dynamic_debug", "asound", "tty"}
)

func mountProc(*Spec, bool) error {
	if err := unix.Mount("proc", "proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		e := fail("mount /proc", err)
		if errors.Is(err, unix.EPERM) {
			e.Fix = "an outer container hides parts of /proc: run hop3 outside of it, or with an unmasked /proc"
		}
		return e
	}
	for _, f := range masked {
		if err := bind("/dev/null", "proc/"+f, devices|unix.MOUNT_ATTR_RDONLY); err != nil && !missing(err) {
			return fail("mask /proc/"+f, err)
		}
	}
	for _, d := range frozenProc {
		if err := bind("proc/"+d, "proc/"+d, frozen|unix.MOUNT_ATTR_NOEXEC); err != nil && !missing(err) {
			return fail("close /proc/"+d, err)
		}
	}
	return nil
}

// missing is a file that this kernel does not have.
func missing(err error) bool { return errors.Is(err, unix.ENOENT) }

// caBundles are where distributions keep their certificates. The first that
// exists is shown at each place where programs look.
var (
	caBundles = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}
	caLinks   = []string{"etc/ssl/certs/ca-bundle.crt", "etc/ssl/cert.pem", "etc/pki/tls/certs/ca-bundle.crt"}
)

const caPlace = "etc/ssl/certs/ca-certificates.crt"

func makeEtc(s *Spec, _ bool) error {
	host := s.Hostname
	if host == "" {
		host = s.App
	}
	files := map[string]string{
		"passwd": fmt.Sprintf("root:x:0:0:root:/:/bin/false\napp:x:%d:%d:%s:/app:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
			s.UID, s.GID, oneLine(s.App)),
		"group":         fmt.Sprintf("root:x:0:\napp:x:%d:\nnogroup:x:65534:\n", s.GID),
		"hostname":      oneLine(host) + "\n",
		"hosts":         hosts(oneLine(host)),
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
	}
	shown := []string{"resolv.conf", "localtime", "services", "protocols", "mime.types"}
	if s.Resolv != "" {
		files["resolv.conf"], shown = s.Resolv, shown[1:]
	}
	for name, text := range files {
		if err := os.WriteFile("etc/"+name, []byte(text), 0o644); err != nil {
			return fail("write /etc/"+name, err)
		}
	}
	for _, name := range shown {
		src, err := filepath.EvalSymlinks("/etc/" + name)
		if err != nil { // the host has none
			continue
		}
		if err := bindPath(src, "etc/"+name, frozen|unix.MOUNT_ATTR_NOEXEC); err != nil {
			return fail("show /etc/"+name, err)
		}
	}
	return makeCertificates()
}

func makeCertificates() error {
	for _, d := range []string{"etc/ssl/certs", "etc/pki/tls/certs"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fail("make /"+d, err)
		}
	}
	for _, b := range caBundles {
		src, err := filepath.EvalSymlinks(b)
		if err != nil {
			continue
		}
		if err := bindPath(src, caPlace, frozen|unix.MOUNT_ATTR_NOEXEC); err != nil {
			return fail("show certificates", err)
		}
		for _, l := range caLinks {
			if err := os.Symlink("/"+caPlace, l); err != nil {
				return fail("link certificates", err)
			}
		}
		return nil
	}
	return nil
}

// hosts are the machine's, plus the sandbox's own name.
func hosts(name string) string {
	b, err := os.ReadFile("/etc/hosts")
	if err != nil || len(b) > 64<<10 {
		b = []byte("127.0.0.1 localhost\n::1 localhost\n")
	}
	text := strings.TrimRight(string(b), "\n") + "\n"
	if name != "" {
		text += "127.0.0.1 " + name + "\n"
	}
	return text
}

// oneLine keeps a name from adding fields or lines to a file of /etc.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == ':' || r == 0x7f {
			return '-'
		}
		return r
	}, s)
}
