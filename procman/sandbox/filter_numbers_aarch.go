package sandbox

import "golang.org/x/sys/unix"

// arm64Table holds the numbers of the denied calls on arm64. They are written
// out, since both tables are tested on either processor.
func arm64Table() filterTable {
	return filterTable{
		machine: "arm64", arch: unix.AUDIT_ARCH_AARCH64, x32: false,
		clone: 220, clone3: 435, ioctl: 29, socket: 198,
		deny: []uint32{
			40,  // mount
			39,  // umount2
			41,  // pivot_root
			51,  // chroot
			430, // fsopen
			431, // fsconfig
			432, // fsmount
			433, // fspick
			428, // open_tree
			467, // open_tree_attr
			429, // move_mount
			442, // mount_setattr
			117, // ptrace
			270, // process_vm_readv
			271, // process_vm_writev
			440, // process_madvise
			272, // kcmp
			438, // pidfd_getfd
			280, // bpf
			241, // perf_event_open
			282, // userfaultfd
			425, // io_uring_setup
			426, // io_uring_enter
			427, // io_uring_register
			217, // add_key
			218, // request_key
			219, // keyctl
			104, // kexec_load
			294, // kexec_file_load
			105, // init_module
			273, // finit_module
			106, // delete_module
			142, // reboot
			268, // setns
			97,  // unshare
			264, // name_to_handle_at
			265, // open_by_handle_at
			262, // fanotify_init
			18,  // lookup_dcookie
			224, // swapon
			225, // swapoff
			89,  // acct
			60,  // quotactl
			443, // quotactl_fd
			116, // syslog
			58,  // vhangup
			42,  // nfsservctl
			170, // settimeofday
			112, // clock_settime
			266, // clock_adjtime
			171, // adjtimex
			161, // sethostname
			162, // setdomainname
			457, // statmount
			458, // listmount
			460, // lsm_set_self_attr
		},
	}
}
