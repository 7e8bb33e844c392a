package sandbox

import "golang.org/x/sys/unix"

// amd64Table holds the numbers of the denied calls on amd64. They are written
// out, since both tables are tested on either processor.
func amd64Table() filterTable {
	return filterTable{
		machine: "amd64", arch: unix.AUDIT_ARCH_X86_64, x32: true,
		clone: 56, clone3: 435, ioctl: 16, socket: 41,
		deny: []uint32{
			165, 166, 155, 161, 430, // mount, umount2, pivot_root, chroot, fsopen
			431, 432, 433, 428, 467, // fsconfig, fsmount, fspick, open_tree, open_tree_attr
			429, 442, 101, 310, 311, // move_mount, mount_setattr, ptrace, process_vm_readv, process_vm_writev
			440, 312, 438, 321, 298, // process_madvise, kcmp, pidfd_getfd, bpf, perf_event_open
			323, 425, 426, 427, 248, // userfaultfd, io_uring_setup, io_uring_enter, io_uring_register, add_key
			249, 250, 246, 320, 175, // request_key, keyctl, kexec_load, kexec_file_load, init_module
			313, 176, 174, 169, 308, // finit_module, delete_module, create_module, reboot, setns
			272, 303, 304, 300, 212, // unshare, name_to_handle_at, open_by_handle_at, fanotify_init, lookup_dcookie
			167, 168, 163, 179, 443, // swapon, swapoff, acct, quotactl, quotactl_fd
			103, 153, 180, 172, 173, // syslog, vhangup, nfsservctl, iopl, ioperm
			154, 164, 227, 305, 159, // modify_ldt, settimeofday, clock_settime, clock_adjtime, adjtimex
			170, 171, 457, 458, 460, // sethostname, setdomainname, statmount, listmount, lsm_set_self_attr
		},
	}
}
