package sandbox

import "golang.org/x/sys/unix"

// arm64Table holds the numbers of the denied calls on arm64. They are written
// out, since both tables are tested on either processor.
func arm64Table() filterTable {
	return filterTable{
		machine: "arm64", arch: unix.AUDIT_ARCH_AARCH64, x32: false,
		clone: 220, clone3: 435, ioctl: 29, socket: 198,
		deny: []uint32{
			40, 39, 41, 51, 430, // mount, umount2, pivot_root, chroot, fsopen
			431, 432, 433, 428, 467, // fsconfig, fsmount, fspick, open_tree, open_tree_attr
			429, 442, 117, 270, 271, // move_mount, mount_setattr, ptrace, process_vm_readv, process_vm_writev
			440, 272, 438, 280, 241, // process_madvise, kcmp, pidfd_getfd, bpf, perf_event_open
			282, 425, 426, 427, 217, // userfaultfd, io_uring_setup, io_uring_enter, io_uring_register, add_key
			218, 219, 104, 294, 105, // request_key, keyctl, kexec_load, kexec_file_load, init_module
			273, 106, 142, 268, 97, // finit_module, delete_module, reboot, setns, unshare
			264, 265, 262, 18, 224, // name_to_handle_at, open_by_handle_at, fanotify_init, lookup_dcookie, swapon
			225, 89, 60, 443, 116, // swapoff, acct, quotactl, quotactl_fd, syslog
			58, 42, 170, 112, 266, // vhangup, nfsservctl, settimeofday, clock_settime, clock_adjtime
			171, 161, 162, 457, 458, // adjtimex, sethostname, setdomainname, statmount, listmount
			460, // lsm_set_self_attr
		},
	}
}
