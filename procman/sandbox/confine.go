package sandbox

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confine takes from the calling thread, for itself and what it will start,
// every way to gain privileges. What the thread still needs to change the uid
// and to report the app's pid goes afterwards, in dropCaps.
func confine(s *Spec) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fail("set no_new_privs", err)
	}
	// Nobody is to trace or look into this process; the app's exec undoes it for the app.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fail("forbid tracing", err)
	}
	for c := uintptr(0); c < 64; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) { // beyond the last that this kernel knows
			break
		}
		if err != nil && !s.Bare {
			return fail("drop capabilities", err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return fail("drop ambient capabilities", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fail("forbid core dumps", err)
	}
	if err := loadFilter(); err != nil {
		e := fail("load system call filter", err)
		e.Fix = "this kernel lacks seccomp filters (CONFIG_SECCOMP_FILTER)"
		return e
	}
	return nil
}

// dropCaps leaves only those of keep, on every thread.
func dropCaps(keep ...uint) error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, c := range keep {
		data[c/32].Effective |= 1 << (c % 32)
		data[c/32].Permitted |= 1 << (c % 32)
	}
	_, _, e := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&hdr)), uintptr(unsafe.Pointer(&data[0])), 0)
	if e == syscall.ENOTSUP { // a cgo binary (the race detector): this thread alone
		if err := unix.Capset(&hdr, &data[0]); err != nil {
			return fail("drop capabilities", err)
		}
		return nil
	}
	runtime.KeepAlive(&hdr)
	runtime.KeepAlive(&data)
	if e != 0 {
		return fail("drop capabilities", e)
	}
	return nil
}

// loopbackUp raises the only device of a new network namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail("raise loopback", err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return fail("raise loopback", err)
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fail("raise loopback", err)
	}
	// There is nobody to mistake a program on a low port for the machine's own service. A kernel without it says so to the app.
	_ = os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
	return nil
}
