package sandbox

import (
	"encoding/binary"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// evaluate runs a filter over one call, as the kernel would.
func evaluate(t *testing.T, p []unix.SockFilter, arch, nr uint32, args ...uint64) uint32 {
	t.Helper()
	data := make([]byte, 64)
	binary.LittleEndian.PutUint32(data[0:], nr)
	binary.LittleEndian.PutUint32(data[4:], arch)
	for i, a := range args {
		binary.LittleEndian.PutUint64(data[16+8*i:], a)
	}
	acc := uint32(0)
	for pc := 0; pc < len(p); pc++ {
		in := p[pc]
		jump := func(yes bool) {
			if yes {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = binary.LittleEndian.Uint32(data[in.K:])
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(acc == in.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(acc >= in.K)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			jump(acc&in.K != 0)
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		default:
			t.Fatalf("instruction %d: unexpected code %#x", pc, in.Code)
		}
	}
	t.Fatal("the filter has no end")
	return 0
}

func TestFilter_BothProcessors(t *testing.T) {
	eperm, enosys, noFamily := refuse(syscall.EPERM), refuse(syscall.ENOSYS), refuse(syscall.EAFNOSUPPORT)
	for _, c := range []struct {
		table                                            filterTable
		mount, ptrace, setns, unshare, read, openat, bpf uint32
	}{
		{amd64Table(), 165, 101, 308, 272, 0, 257, 321},
		{arm64Table(), 40, 117, 268, 97, 63, 56, 280},
	} {
		p, tab := c.table.program(), c.table
		for _, nr := range []uint32{c.mount, c.ptrace, c.setns, c.unshare, c.bpf, 425, 428, 442} {
			if got := evaluate(t, p, tab.arch, nr); got != eperm {
				t.Errorf("%s: call %d gives %#x, want EPERM", tab.machine, nr, got)
			}
		}
		for _, nr := range []uint32{c.read, c.openat, 439} {
			if got := evaluate(t, p, tab.arch, nr); got != unix.SECCOMP_RET_ALLOW {
				t.Errorf("%s: call %d gives %#x, want it allowed", tab.machine, nr, got)
			}
		}
		for want, call := range map[string]uint32{
			"clone of a thread":   evaluate(t, p, tab.arch, tab.clone, unix.CLONE_VM|unix.CLONE_THREAD|unix.CLONE_FILES),
			"a harmless ioctl":    evaluate(t, p, tab.arch, tab.ioctl, 0, unix.TIOCGWINSZ),
			"an ordinary socket":  evaluate(t, p, tab.arch, tab.socket, unix.AF_INET),
			"another unix socket": evaluate(t, p, tab.arch, tab.socket, unix.AF_UNIX),
		} {
			if call != unix.SECCOMP_RET_ALLOW {
				t.Errorf("%s: %s gives %#x", tab.machine, want, call)
			}
		}
		for _, flag := range []uint64{unix.CLONE_NEWNS, unix.CLONE_NEWUSER, unix.CLONE_NEWPID, unix.CLONE_NEWNET, unix.CLONE_NEWIPC, unix.CLONE_NEWUTS, unix.CLONE_NEWCGROUP} {
			if got := evaluate(t, p, tab.arch, tab.clone, flag|17); got != eperm {
				t.Errorf("%s: clone(%#x) gives %#x", tab.machine, flag, got)
			}
		}
		if got := evaluate(t, p, tab.arch, tab.clone3); got != enosys {
			t.Errorf("%s: clone3 gives %#x", tab.machine, got)
		}
		// The high half of an ioctl request is not looked at by the kernel, nor by the filter.
		for _, req := range []uint64{unix.TIOCSTI, tioclinux, unix.TIOCSTI | 1<<32} {
			if got := evaluate(t, p, tab.arch, tab.ioctl, 0, req); got != eperm {
				t.Errorf("%s: ioctl %#x gives %#x", tab.machine, req, got)
			}
		}
		for _, family := range []uint64{unix.AF_VSOCK, unix.AF_ALG} {
			if got := evaluate(t, p, tab.arch, tab.socket, family); got != noFamily {
				t.Errorf("%s: socket(%d) gives %#x", tab.machine, family, got)
			}
		}
		if got := evaluate(t, p, unix.AUDIT_ARCH_I386, c.read); got != unix.SECCOMP_RET_KILL_PROCESS {
			t.Errorf("%s: a foreign call gives %#x", tab.machine, got)
		}
		if tab.x32 && evaluate(t, p, tab.arch, x32Bit|c.read) != enosys {
			t.Errorf("%s: the x32 calls get past", tab.machine)
		}
	}
}

func FuzzMountLine(f *testing.F) {
	f.Add("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - cgroup2 none rw,memory")
	f.Add("36 35 98:0 / / rw - x")
	f.Fuzz(func(t *testing.T, line string) {
		if kind, root, dir, _ := mountLine(line); kind != "" && (root == "" || dir == "") {
			t.Errorf("%q: half a mount", line)
		}
		ownGroups(line)
	})
}

func TestCgroup_Base(t *testing.T) {
	for _, c := range []struct {
		own, want string
		top       bool
	}{
		{"/system.slice/hop3.service", "/", true}, {"/system.slice/hop3.service/hop3.server", "/", true},
		{"/system.slice/hop3.service", "/system.slice/hop3.service", false},
		{"/user.slice/session-1.scope", "/user.slice/session-1.scope", true}, {"/a/hop3.server", "/a", true}, {"/", "/", true},
	} {
		if got := baseGroup(c.own, c.top); got != c.want {
			t.Errorf("%s: %s, want %s", c.own, got, c.want)
		}
	}
}

// Who removes a group takes along the empty ones above, which another may be about to need.
func TestCgroup_MadeWhileOthersAreRemoved(t *testing.T) {
	base := t.TempDir()
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			dir := filepath.Join(base, "hop3", "blog", strconv.Itoa(n))
			g := &Cgroup{Tree: dir}
			for range 100 {
				if err := makeGroup(dir); err != nil {
					t.Error(err)
				}
				if err := g.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestCgroup_Names(t *testing.T) {
	at := ownGroups("9:name=systemd:/\n4:cpu,cpuacct:/a\n0::/hop3.service\n")
	if at["cpu"] != "/a" || at["cpuacct"] != "/a" || at[""] != "/hop3.service" {
		t.Errorf("own groups = %v", at)
	}
	for want, got := range map[string]string{
		"/sys/fs/cgroup/a/b": below("/sys/fs/cgroup", "/", "/a/b"), "/sys/fs/cgroup/b": below("/sys/fs/cgroup", "/a", "/a/b"),
		"/sys/fs/cgroup": below("/sys/fs/cgroup", "/x", "/a"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
