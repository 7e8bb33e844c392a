package sandbox

import "golang.org/x/sys/unix"

// arm64Table holds the numbers of the denied calls on arm64. They are written
// out, since both tables are tested on either processor.
func arm64Table() filterTable {
	return filterTable{
		machine: "arm64", arch: unix.AUDIT_ARCH_AARCH64, x32: false,
		clone: 220, clone3: 435, ioctl: 29, socket: 198,
		deny: []uint32{
			40,                      // mount
			39,                      // umount2
			41,                      // pivot_root
			51,                      // chroot
			430, 431, 432, 433, 428, // fsopen, fsconfig, fsmount, fspick, open_tree
			467, 429, 442, 117, 270, // open_tree_attr, move_mount, mount_setattr, ptrace, process_vm_readv
			271, 440, 272, 438, 280, // process_vm_writev, process_madvise, kcmp, pidfd_getfd, bpf
			241, 282, 425, 426, 427, // perf_event_open, userfaultfd, io_uring_setup, io_uring_enter, io_uring_register
			217, 218, 219, 104, 294, // add_key, request_key, keyctl, kexec_load, kexec_file_load
			105, 273, 106, 142, 268, // init_module, finit_module, delete_module, reboot, setns
			264, 265, 262, 224, 225, // name_to_handle_at, open_by_handle_at, fanotify_init, swapon, swapoff
			443, 116, 170, 112, 266, // quotactl_fd, syslog, settimeofday, clock_settime, clock_adjtime
			171, 161, 162, 457, 458, // adjtimex, sethostname, setdomainname, statmount, listmount
			460, // lsm_set_self_attr
		},
	}
}
