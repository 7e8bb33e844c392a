package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attempts are ways out. Each returns nil if it worked, which is a failure of the sandbox.
var attempts = map[string]func() error{
	"mount tmpfs":       func() error { return unix.Mount("t", "/tmp", "tmpfs", 0, "") },
	"mount bind":        func() error { return unix.Mount("/proc", "/tmp", "", unix.MS_BIND, "") },
	"remount root":      func() error { return unix.Mount("", "/", "", unix.MS_BIND|unix.MS_REMOUNT, "") },
	"umount proc":       func() error { return unix.Unmount("/proc/keys", unix.MNT_DETACH) },
	"umount app":        func() error { return unix.Unmount("/app", unix.MNT_DETACH) },
	"pivot":             func() error { return unix.PivotRoot("/tmp", "/tmp") },
	"chroot":            func() error { return unix.Chroot("/tmp") },
	"fsopen":            func() error { _, err := unix.Fsopen("tmpfs", 0); return err },
	"open_tree":         func() error { _, err := unix.OpenTree(-100, "/", unix.OPEN_TREE_CLONE); return err },
	"unshare user":      func() error { return onThread(func() error { return unix.Unshare(unix.CLONE_NEWUSER) }) },
	"unshare mount":     func() error { return onThread(func() error { return unix.Unshare(unix.CLONE_NEWNS) }) },
	"clone user":        cloneUser,
	"clone3":            func() error { return raw(unix.SYS_CLONE3, 0, 0, 0) },
	"setns pid1":        setnsPid1,
	"ptrace pid1":       func() error { return onThread(func() error { return unix.PtraceAttach(1) }) },
	"ptrace traceme":    func() error { return onThread(func() error { return raw(unix.SYS_PTRACE, 0, 0, 0) }) },
	"read pid1 memory":  func() error { return openFile("/proc/1/mem", os.O_RDWR) },
	"read pid1 environ": func() error { return openFile("/proc/1/environ", os.O_RDONLY) },
	"pid1 root":         func() error { _, err := os.ReadDir("/proc/1/root"); return err },
	"pid1 fds":          func() error { _, err := os.ReadDir("/proc/1/fd"); return err },
	"process_vm_readv":  func() error { return raw(unix.SYS_PROCESS_VM_READV, 1, 0, 0) },
	"pidfd_getfd":       func() error { return raw(unix.SYS_PIDFD_GETFD, 0, 0, 0) },
	"bpf":               func() error { return raw(unix.SYS_BPF, 0, 0, 0) },
	"perf":              func() error { _, err := unix.PerfEventOpen(&unix.PerfEventAttr{}, 0, -1, -1, 0); return err },
	"keyctl":            func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true); return err },
	"add_key":           func() error { _, err := unix.AddKey("user", "x", []byte("y"), unix.KEY_SPEC_USER_KEYRING); return err },
	"userfaultfd":       func() error { return raw(unix.SYS_USERFAULTFD, 0, 0, 0) },
	"io_uring":          func() error { var p [120]byte; return raw(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&p)), 0) },
	"kexec":             func() error { return raw(unix.SYS_KEXEC_LOAD, 0, 0, 0) },
	"module":            func() error { return raw(unix.SYS_INIT_MODULE, 0, 0, 0) },
	"dmesg":             func() error { _, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, make([]byte, 100)); return err },
	"reboot":            func() error { return raw(unix.SYS_REBOOT, 0, 0, 0) },
	"swapon":            func() error { return raw(unix.SYS_SWAPON, 0, 0, 0) },
	"handle": func() error {
		_, err := unix.OpenByHandleAt(-100, unix.NewFileHandle(1, make([]byte, 8)), 0)
		return err
	},
	"type into tty":    func() error { b := byte('x'); return raw(unix.SYS_IOCTL, 0, unix.TIOCSTI, uintptr(unsafe.Pointer(&b))) },
	"settime":          func() error { tv := unix.Timeval{Sec: 1}; return unix.Settimeofday(&tv) },
	"sethostname":      func() error { return unix.Sethostname([]byte("owned")) },
	"setuid root":      func() error { return onThread(func() error { return raw(unix.SYS_SETUID, 0, 0, 0) }) },
	"setgroups":        func() error { var g uint32; return raw(unix.SYS_SETGROUPS, 1, uintptr(unsafe.Pointer(&g)), 0) },
	"raw socket":       func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, 1); return err },
	"packet socket":    func() error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err },
	"vsock":            func() error { _, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0); return err },
	"crypto socket":    func() error { _, err := unix.Socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0); return err },
	"mknod disk":       func() error { return unix.Mknod("/tmp/disk", unix.S_IFBLK|0o666, int(unix.Mkdev(254, 0))) },
	"mknod mem":        func() error { return unix.Mknod("/app/mem", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 1))) },
	"open disk":        func() error { return openFile("/dev/vda", os.O_RDONLY) },
	"open kmsg":        func() error { return openFile("/dev/kmsg", os.O_RDONLY) },
	"sysrq":            func() error { return os.WriteFile("/proc/sysrq-trigger", nil, 0) }, // opens, writes nothing
	"kcore":            func() error { return notEmpty("/proc/kcore") },
	"kallsyms":         func() error { return notEmpty("/proc/kallsyms") },
	"write sysctl":     func() error { return openFile("/proc/sys/kernel/core_pattern", os.O_WRONLY) },
	"write root":       func() error { return os.WriteFile("/owned", nil, 0o644) },
	"write etc":        func() error { return openFile("/etc/passwd", os.O_WRONLY) },
	"write resolv":     func() error { return openFile("/etc/resolv.conf", os.O_WRONLY) },
	"write dev":        func() error { return os.WriteFile("/dev/owned", nil, 0o644) },
	"write bin":        func() error { return os.Symlink("/tmp/x", "/bin/owned") },
	"signal pid1":      func() error { return syscall.Kill(1, syscall.SIGKILL) },
	"sysfs":            func() error { _, err := os.ReadDir("/sys/kernel"); return err },
	"raise priority":   func() error { return syscall.Setpriority(syscall.PRIO_PROCESS, 0, -5) },
	"core dumps":       coreDumps,
	"unshare network":  func() error { return onThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) }) },
	"unshare cgroup":   func() error { return onThread(func() error { return unix.Unshare(unix.CLONE_NEWCGROUP) }) },
	"forward packets":  func() error { return openFile("/proc/sys/net/ipv4/ip_forward", os.O_WRONLY) },
	"unlimited pids":   func() error { return openFile("/proc/sys/kernel/pid_max", os.O_WRONLY) },
	"tun device":       func() error { return openFile("/dev/net/tun", os.O_RDWR) },
	"open mem":         func() error { return openFile("/dev/mem", os.O_RDONLY) },
	"cgroup files":     func() error { _, err := os.ReadDir("/sys/fs/cgroup"); return err },
	"oom immunity":     func() error { return os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0) },
	"pid1 cwd":         func() error { _, err := os.ReadDir("/proc/1/cwd"); return err },
	"fanotify":         func() error { return raw(unix.SYS_FANOTIFY_INIT, 0, 0, 0) },
	"io_uring enter":   func() error { return raw(unix.SYS_IO_URING_ENTER, 0, 0, 0) },
	"abstract control": func() error { _, err := net.Dial("unix", "@hop3"); return err },
}

func tries([]string) {
	for _, name := range slices.Sorted(maps.Keys(attempts)) {
		if err := attempts[name](); err == nil {
			fmt.Println("ESCAPED", name)
		} else {
			fmt.Println("held", name+":", err)
		}
	}
}

func raw(nr, a, b, c uintptr) error {
	if _, _, e := unix.Syscall(nr, a, b, c); e != 0 {
		return e
	}
	return nil
}

func openFile(p string, flag int) error {
	f, err := os.OpenFile(p, flag, 0)
	if err == nil {
		f.Close()
	}
	return err
}

// notEmpty fails if the file cannot be read or has nothing to read.
func notEmpty(p string) error {
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Read(make([]byte, 64))
	return err
}

// onThread runs f on a thread that ends with it.
func onThread(f func() error) error {
	c := make(chan error)
	go func() { runtime.LockOSThread(); c <- f() }()
	return <-c
}

func cloneUser() error {
	pid, _, e := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e != 0 {
		return e
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	}
	return nil
}

func setnsPid1() error {
	fd, err := unix.Open("/proc/1/ns/mnt", unix.O_RDONLY, 0)
	if err != nil {
		fd, err = unix.PidfdOpen(1, 0)
		if err != nil {
			return err
		}
	}
	return onThread(func() error { return unix.Setns(fd, unix.CLONE_NEWNS) })
}

func coreDumps() error {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &r); err != nil {
		return err
	}
	if r.Max == 0 {
		return fmt.Errorf("limit is zero")
	}
	return nil
}
