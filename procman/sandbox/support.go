package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Features says what this machine can give to a sandbox.
type Features struct {
	Isolation  string    `json:"isolation"` // "root", "userns" or "none"
	Cgroups    string    `json:"cgroups"`   // "v2", "hybrid", "v1" or "none"
	Memory     bool      `json:"memory"`    // limits that can be set
	CPU        bool      `json:"cpu"`
	Pids       bool      `json:"pids"`
	CgroupKill bool      `json:"cgroup_kill"`
	Seccomp    bool      `json:"seccomp"`
	Overlay    bool      `json:"overlay"`
	Problems   []Problem `json:"problems,omitempty"`
}

// Problem is one thing that the machine cannot give, and how to get it.
type Problem struct {
	What string `json:"what"`
	Fix  string `json:"fix"`
}

// Support looks at what this machine can give, without starting anything.
func Support() Features {
	var f Features
	f.Isolation = f.isolation()
	f.groups()
	f.Seccomp = exists("/proc/sys/kernel/seccomp/actions_avail")
	f.need(f.Seccomp, "no system call filter", "use a kernel with CONFIG_SECCOMP_FILTER")
	known, err := os.ReadFile("/proc/filesystems")
	f.Overlay = err == nil && strings.Contains(string(known), "\toverlay\n")
	f.need(f.Overlay, "no overlay file system known to the kernel (it may load on demand)", "modprobe overlay")
	return f
}

func (f *Features) need(ok bool, what, fix string) {
	if !ok {
		f.Problems = append(f.Problems, Problem{what, fix})
	}
}

func (f *Features) isolation() string {
	if os.Geteuid() == 0 {
		if hasCap(unix.CAP_SYS_ADMIN) {
			return "root"
		}
		f.need(false, "root without CAP_SYS_ADMIN cannot make namespaces", "run hop3 outside of the container, or give it CAP_SYS_ADMIN")
		return "none"
	}
	for file, refused := range map[string]string{
		"/proc/sys/user/max_user_namespaces":                     "0",
		"/proc/sys/kernel/unprivileged_userns_clone":             "0",
		"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
	} {
		b, err := os.ReadFile(file)
		if err == nil && strings.TrimSpace(string(b)) == refused {
			name := strings.ReplaceAll(strings.TrimPrefix(file, "/proc/sys/"), "/", ".")
			f.need(false, "users may not make user namespaces ("+name+" = "+refused+")", "run hop3 as root, or set "+name)
			return "none"
		}
	}
	return "userns"
}

// hasCap tells whether this process has the capability in effect.
func hasCap(c uint) bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&hdr, &data[0]) == nil && data[c/32].Effective&(1<<(c%32)) != 0
}

func (f *Features) groups() {
	h, err := findHierarchies()
	if err != nil {
		h = hierarchies{}
	}
	switch {
	case h.pure:
		f.Cgroups = "v2"
	case h.unified != "":
		f.Cgroups = "hybrid"
	case len(h.v1) > 0:
		f.Cgroups = "v1"
	default:
		f.Cgroups = "none"
	}
	limits := map[string]*bool{"memory": &f.Memory, "cpu": &f.CPU, "pids": &f.Pids}
	var have []string
	if h.pure {
		b, _ := os.ReadFile(filepath.Join(h.unified, "cgroup.controllers")) // none is an answer
		have = strings.Fields(string(b))
	}
	for _, c := range controllers {
		dir, v1 := h.v1[c]
		if !v1 {
			dir = h.unified
		}
		*limits[c] = (v1 || slices.Contains(have, c)) && unix.Access(dir, unix.W_OK) == nil
		f.need(*limits[c], "no limit of "+c+": the cgroup controller is missing or not delegated",
			"run hop3 as root, or under systemd with Delegate=yes")
	}
	f.CgroupKill = h.unified != "" && unix.Access(h.unified, unix.W_OK) == nil && kernelHasCgroupKill(h.unified)
}

// kernelHasCgroupKill looks for the file in a group that has it; the root has none.
func kernelHasCgroupKill(base string) bool {
	if exists(filepath.Join(base, "cgroup.kill")) {
		return true
	}
	found, err := filepath.Glob(filepath.Join(base, "*", "cgroup.kill"))
	return err == nil && len(found) > 0
}
