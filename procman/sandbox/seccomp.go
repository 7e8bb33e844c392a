package sandbox

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// filterTable is what differs between processors.
type filterTable struct {
	arch    uint32 // AUDIT_ARCH_*
	x32     bool   // has a second set of numbers that must not get past the first
	deny    []uint32
	clone   uint32
	clone3  uint32
	ioctl   uint32
	socket  uint32
	machine string
}

// namespaces are the clone(2) flags that make namespaces.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
	unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME

// Places in struct seccomp_data (seccomp(2)); both processors are little-endian.
const (
	offNumber = 0
	offArch   = 4
	offArg0   = 16
	offArg1   = 24
)

const x32Bit = 0x40000000

// refuse makes a filter's answer out of an error number.
func refuse(e syscall.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(e) }

// program compiles the table: a foreign processor's call kills, a denied one
// gets EPERM, clone may make no namespaces, clone3 is "not there" (its flags
// cannot be seen from here, and libraries then use clone), no characters can
// be typed into a terminal, and no socket reaches the machine's hypervisor or
// the kernel's crypto interface. Anything else is allowed.
func (t filterTable) program() []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ge    = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		set   = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	var p []unix.SockFilter
	add := func(code uint16, k uint32, jt, jf uint8) {
		p = append(p, unix.SockFilter{Code: code, K: k, Jt: jt, Jf: jf})
	}
	add(load, offArch, 0, 0)
	add(equal, t.arch, 1, 0)
	add(ret, unix.SECCOMP_RET_KILL_PROCESS, 0, 0)
	add(load, offNumber, 0, 0)
	if t.x32 {
		add(ge, x32Bit, 0, 1)
		add(ret, refuse(syscall.ENOSYS), 0, 0)
	}
	for _, nr := range t.deny {
		add(equal, nr, 0, 1)
		add(ret, refuse(syscall.EPERM), 0, 0)
	}
	add(equal, t.clone3, 0, 1)
	add(ret, refuse(syscall.ENOSYS), 0, 0)
	add(equal, t.clone, 0, 4)
	add(load, offArg0, 0, 0)
	add(set, namespaces, 0, 1)
	add(ret, refuse(syscall.EPERM), 0, 0)
	add(ret, unix.SECCOMP_RET_ALLOW, 0, 0)
	add(equal, t.ioctl, 0, 5)
	add(load, offArg1, 0, 0)
	add(equal, unix.TIOCSTI, 1, 0)
	add(equal, tioclinux, 0, 1)
	add(ret, refuse(syscall.EPERM), 0, 0)
	add(ret, unix.SECCOMP_RET_ALLOW, 0, 0)
	add(equal, t.socket, 0, 5)
	add(load, offArg0, 0, 0)
	add(equal, unix.AF_VSOCK, 1, 0)
	add(equal, unix.AF_ALG, 0, 1)
	add(ret, refuse(syscall.EAFNOSUPPORT), 0, 0)
	add(ret, unix.SECCOMP_RET_ALLOW, 0, 0)
	add(ret, unix.SECCOMP_RET_ALLOW, 0, 0)
	return p
}

// tioclinux can paste into a console (ioctl_console(2)).
const tioclinux = 0x541c

// loadFilter puts the filter on every thread of this process.
func loadFilter() error {
	p := hostTable().program()
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	odd, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return e
	}
	if odd != 0 { // the thread that could not be brought under the filter (seccomp(2))
		return syscall.EBUSY
	}
	return nil
}
