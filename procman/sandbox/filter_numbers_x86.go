package sandbox

import "golang.org/x/sys/unix"

// amd64Table holds the numbers of the denied calls on amd64. They are written
// out, since both tables are tested on either processor.
func amd64Table() filterTable {
	return filterTable{
		machine: "amd64", arch: unix.AUDIT_ARCH_X86_64, x32: true,
		clone: 56, clone3: 435, ioctl: 16, socket: 41,
		deny: []uint32{
			165, // mount
			166, // umount2
			155, // pivot_root
			161, // chroot
			430, // fsopen
			431, // fsconfig
			432, // fsmount
			433, // fspick
			428, // open_tree
			467, // open_tree_attr
			429, // move_mount
			442, // mount_setattr
			101, // ptrace
			310, // process_vm_readv
			311, // process_vm_writev
			440, // process_madvise
			312, // kcmp
			438, // pidfd_getfd
			321, // bpf
			298, // perf_event_open
			323, // userfaultfd
			425, // io_uring_setup
			426, // io_uring_enter
			427, // io_uring_register
			248, // add_key
			249, // request_key
			250, // keyctl
			246, // kexec_load
			320, // kexec_file_load
			175, // init_module
			313, // finit_module
			176, // delete_module
			174, // create_module
			169, // reboot
			308, // setns
			272, // unshare
			303, // name_to_handle_at
			304, // open_by_handle_at
			300, // fanotify_init
			212, // lookup_dcookie
			167, // swapon
			168, // swapoff
			163, // acct
			179, // quotactl
			443, // quotactl_fd
			103, // syslog
			153, // vhangup
			180, // nfsservctl
			172, // iopl
			173, // ioperm
			154, // modify_ldt
			164, // settimeofday
			227, // clock_settime
			305, // clock_adjtime
			159, // adjtimex
			170, // sethostname
			171, // setdomainname
			457, // statmount
			458, // listmount
			460, // lsm_set_self_attr
		},
	}
}
