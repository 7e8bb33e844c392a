package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Kill ends every process of the cgroup at once. Without v2 there is nothing
// to do it with: fs.ErrNotExist; the pid namespace has to do then.
func (g *Cgroup) Kill() error {
	if g == nil || g.Tree == "" {
		return fs.ErrNotExist
	}
	if err := os.WriteFile(filepath.Join(g.Tree, "cgroup.kill"), []byte("1"), 0); err != nil {
		return fmt.Errorf("kill cgroup: %w", err)
	}
	return nil
}

// Remove removes the directories, and those above them that became empty and
// are hop3's. It fails with EBUSY while processes are left.
func (g *Cgroup) Remove() error {
	if g == nil {
		return nil
	}
	var errs []error
	dirs := g.dirs()
	if g.Init != "" {
		dirs = append(dirs, g.Init)
	}
	if g.Tree != "" {
		dirs = append(dirs, g.Tree)
	}
	for _, d := range dirs {
		if err := os.Remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove cgroup: %w", err))
			continue
		}
		g.prune(d)
	}
	return errors.Join(errs...)
}

// prune removes empty parents up to and including the one named hop3.
func (g *Cgroup) prune(dir string) {
	if !strings.Contains(dir, "/hop3/") {
		return
	}
	for filepath.Base(dir) != "hop3" {
		dir = filepath.Dir(dir)
		if os.Remove(dir) != nil { // in use by another instance
			return
		}
	}
}

// oomFile is the file that counts the kernel's out-of-memory kills.
func (g *Cgroup) oomFile() string {
	dir := g.App["memory"]
	switch {
	case dir == "":
		return os.DevNull
	case g.Init != "":
		return filepath.Join(dir, "memory.events")
	}
	return filepath.Join(dir, "memory.oom_control")
}

// oomKills reads the counter, from the start of the file each time.
func oomKills(f *os.File) int {
	b := make([]byte, 4096)
	n, err := f.ReadAt(b, 0)
	if n == 0 && err != nil {
		return 0
	}
	for line := range bytes.Lines(b[:n]) {
		if v, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok {
			n, _ := strconv.Atoi(string(bytes.TrimSpace(v))) // a number by the kernel's word
			return n
		}
	}
	return 0
}

// Usage is what a sandbox uses now.
type Usage struct {
	MemoryBytes int64
	CPUNanos    int64 // since it started
	Pids        int64
	// What its limits have done to it since it started.
	ThrottledNanos int64 // time in which it wanted a processor and got none
	OOMKills       int64 // processes that the kernel ended for lack of memory
}

// Usage reads the counters that the cgroup has; others are zero.
func (g *Cgroup) Usage() Usage {
	var u Usage
	if g == nil {
		return u
	}
	if g.Init != "" {
		u.MemoryBytes = number(g.App["memory"], "memory.current")
		u.CPUNanos = 1000 * field(g.App["tree"], "cpu.stat", "usage_usec")
		u.Pids = number(g.App["pids"], "pids.current")
		u.ThrottledNanos = 1000 * field(g.App["cpu"], "cpu.stat", "throttled_usec")
		u.OOMKills = field(g.App["memory"], "memory.events", "oom_kill")
		return u
	}
	u.MemoryBytes = number(g.App["memory"], "memory.usage_in_bytes")
	u.Pids = number(g.App["pids"], "pids.current")
	u.CPUNanos = number(g.App["cpu"], "cpuacct.usage")
	u.ThrottledNanos = field(g.App["cpu"], "cpu.stat", "throttled_time")
	u.OOMKills = field(g.App["memory"], "memory.oom_control", "oom_kill")
	if u.CPUNanos == 0 && g.Tree != "" {
		u.CPUNanos = 1000 * field(g.Tree, "cpu.stat", "usage_usec")
	}
	return u
}

func number(dir, file string) int64 {
	if dir == "" {
		return 0
	}
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64) // "max" is no number
	return n
}

func field(dir, file, name string) int64 {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == name {
			n, _ := strconv.ParseInt(v, 10, 64) // a number by the kernel's word
			return n
		}
	}
	return 0
}

// OOM tells whether the kernel has killed in this cgroup for lack of memory.
func (g *Cgroup) OOM() bool {
	if g == nil {
		return false
	}
	f, err := os.Open(g.oomFile())
	if err != nil {
		return false
	}
	defer f.Close()
	return oomKills(f) > 0
}
