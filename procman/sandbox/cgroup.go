package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Cgroup names the directories of one sandbox's cgroup. It is plain data, so
// that a later server can go on with what an earlier one made.
type Cgroup struct {
	// Tree is the v2 directory that holds everything, the init included. Empty without v2.
	Tree string `json:"tree,omitempty"`
	// Init is the v2 directory of the init alone, beside App. Empty unless v2 has the limits.
	Init string `json:"init,omitempty"`
	// App maps each controller to the directory whose limits hold the app.
	App map[string]string `json:"app,omitempty"`
	// home maps v1 directories of App to where the init came from.
	home map[string]string
}

// hierarchies says where the controllers of this machine are mounted, and
// under which group the caller itself is: new groups are made below that (but
// see baseGroup), so that limits set on the server by its own supervisor go on
// to hold.
type hierarchies struct {
	unified string            // base directory in v2, "" if there is none
	v1      map[string]string // controller → base directory
	pure    bool              // v2 has the controllers
}

var controllers = []string{"memory", "cpu", "pids"}

// serverLeaf is where the server's own processes go in a pure v2 tree: a group
// with controllers enabled for its children may hold no process itself.
const serverLeaf = "hop3.server"

func findHierarchies() (hierarchies, error) {
	h := hierarchies{v1: map[string]string{}}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return h, fmt.Errorf("read mounts: %w", err)
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return h, fmt.Errorf("read own cgroup: %w", err)
	}
	at := ownGroups(string(own))
	var unified, uroot string
	for line := range strings.Lines(string(mounts)) {
		kind, root, dir, opts := mountLine(line)
		switch kind {
		case "cgroup2":
			unified, uroot = dir, root
		case "cgroup":
			for _, c := range controllers {
				if slices.Contains(opts, c) {
					h.v1[c] = below(dir, root, at[c])
				}
			}
		}
	}
	if h.pure = unified != "" && len(h.v1) == 0; unified != "" {
		h.unified = below(unified, uroot, baseGroup(at[""], h.pure && os.Geteuid() == 0))
	}
	return h, nil
}

// baseGroup is the v2 group below which new ones are made by a caller in own.
// Below a service of systemd they would stand in its way: the kernel refuses a
// process to a group with controllers enabled for its children, which the
// service's group is for as long as an app outlives the server, and the service
// could not be started again. Where it has the controllers, root goes to the top.
func baseGroup(own string, top bool) string {
	group := strings.TrimSuffix(own, "/"+serverLeaf)
	if top && strings.HasSuffix(group, ".service") {
		return "/"
	}
	return group
}

// ownGroups reads /proc/self/cgroup: controller → path, "" for v2.
func ownGroups(text string) map[string]string {
	at := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for c := range strings.SplitSeq(f[1], ",") {
			at[c] = f[2]
		}
	}
	return at
}

// mountLine reads one line of mountinfo (proc_pid_mountinfo(5)).
func mountLine(line string) (kind, root, dir string, opts []string) {
	left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
	l, r := strings.Fields(left), strings.Fields(right)
	if !ok || len(l) < 5 || len(r) < 3 {
		return "", "", "", nil
	}
	return r[0], l[3], l[4], strings.Split(r[2], ",")
}

// below is the directory of group in a hierarchy mounted at dir that shows root.
func below(dir, root, group string) string {
	rel, err := filepath.Rel(root, group)
	if err != nil || strings.HasPrefix(rel, "..") {
		return dir
	}
	return filepath.Join(dir, rel)
}

// makeCgroup makes the groups named name and sets l. What the machine cannot
// limit is left out; Support tells the operator.
func makeCgroup(name string, l Limits) (*Cgroup, error) {
	h, err := findHierarchies()
	if err != nil {
		return nil, err
	}
	g := &Cgroup{App: map[string]string{}, home: map[string]string{}}
	if h.unified != "" {
		dir := filepath.Join(h.unified, name)
		if err := makeGroup(dir); err == nil {
			g.Tree = dir
		} else if h.pure && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
			return nil, fmt.Errorf("make cgroup: %w", err)
		}
	}
	if h.pure && g.Tree != "" {
		err = g.splitTree(h.unified, l)
	} else {
		err = g.addV1(h, name, l)
	}
	if err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// addV1 makes the groups of the v1 controllers.
func (g *Cgroup) addV1(h hierarchies, name string, l Limits) error {
	for _, c := range controllers {
		base, ok := h.v1[c]
		if !ok || !l.wants(c) {
			continue
		}
		dir := filepath.Join(base, name)
		if err := makeGroup(dir); err != nil {
			if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
				continue
			}
			return fmt.Errorf("make cgroup: %w", err)
		}
		g.App[c], g.home[dir] = dir, base
		if err := setV1(c, dir, l); err != nil {
			return err
		}
	}
	return nil
}

// splitTree makes the groups init and app below the v2 tree; only app has limits.
func (g *Cgroup) splitTree(base string, l Limits) error {
	rel, err := filepath.Rel(base, g.Tree)
	if err != nil {
		return fmt.Errorf("make cgroup: %w", err)
	}
	have := enable(base)
	for dir, part := base, ""; rel != ""; {
		part, rel, _ = strings.Cut(rel, "/")
		dir = filepath.Join(dir, part)
		have = enable(dir)
	}
	g.Init = filepath.Join(g.Tree, "init")
	app := filepath.Join(g.Tree, "app")
	for _, d := range []string{g.Init, app} {
		if err := makeGroup(d); err != nil {
			return fmt.Errorf("make cgroup: %w", err)
		}
	}
	g.App["tree"] = app
	for _, c := range controllers {
		if slices.Contains(have, c) && l.wants(c) {
			g.App[c] = app
			if err := setV2(c, app, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// enable turns on for dir's children what dir has of our controllers, and
// says what they then have.
func enable(dir string) []string {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	for _, c := range strings.Fields(string(b)) {
		if !slices.Contains(controllers, c) {
			continue
		}
		err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0)
		if errors.Is(err, syscall.EBUSY) && vacate(dir) == nil {
			err = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0)
		}
		_ = err // not delegated to us: the controller is then not in the list below
	}
	b, err = os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

// vacate moves this process out of dir into its leaf for the server. Others stay
// where their supervisor has put them: dir then goes without controllers.
func vacate(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return err
	}
	own := strconv.Itoa(os.Getpid())
	if !slices.Contains(strings.Fields(string(b)), own) {
		return syscall.EBUSY
	}
	leaf := filepath.Join(dir, serverLeaf)
	if err := makeGroup(leaf); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte(own), 0)
}

// makeTries is more than a burst of ends beside a start can use up; one takes microseconds.
const makeTries = 1000

// makeGroup makes the directory and those above it. Somebody who removes his own
// takes along the empty ones above, so that this may need more than one attempt.
func makeGroup(dir string) error {
	var err error
	for range makeTries {
		if err = os.MkdirAll(dir, 0o755); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return err
}

func (l Limits) wants(c string) bool {
	return c == "memory" && l.MemoryBytes > 0 || c == "cpu" && l.CPUMillis > 0 || c == "pids" && l.Pids > 0
}

// period is the kernel's usual one for cpu quotas, in microseconds.
const period = 100_000

func setV1(c, dir string, l Limits) error {
	switch c {
	case "memory":
		return errors.Join(put(dir, "memory.limit_in_bytes", l.MemoryBytes), optional(put(dir, "memory.memsw.limit_in_bytes", l.MemoryBytes)))
	case "cpu":
		return errors.Join(put(dir, "cpu.cfs_period_us", period), put(dir, "cpu.cfs_quota_us", quota(l)))
	}
	return put(dir, "pids.max", l.Pids)
}

func setV2(c, dir string, l Limits) error {
	switch c {
	case "memory":
		return errors.Join(put(dir, "memory.max", l.MemoryBytes), optional(put(dir, "memory.swap.max", 0)), optional(put(dir, "memory.oom.group", 0)))
	case "cpu":
		return putText(dir, "cpu.max", fmt.Sprintf("%d %d", quota(l), period))
	}
	return put(dir, "pids.max", l.Pids)
}

// quota is the share of each period; the kernel takes no less than a millisecond.
func quota(l Limits) int64 { return max(l.CPUMillis*period/1000, 1000) }

func put(dir, file string, v int64) error { return putText(dir, file, strconv.FormatInt(v, 10)) }

func putText(dir, file, v string) error {
	if err := os.WriteFile(filepath.Join(dir, file), []byte(v), 0); err != nil {
		return fmt.Errorf("set limit: %w", err)
	}
	return nil
}

// optional forgives a file that this kernel does not have (no swap accounting).
func optional(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// birth opens the v2 directory that the init is cloned into; nil without v2.
func (g *Cgroup) birth() *os.File {
	dir := g.Tree
	if g.Init != "" {
		dir = g.Init
	}
	if dir == "" {
		return nil
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), dir)
}

// join moves pid under the limits.
func (g *Cgroup) join(pid int) error { return g.move(pid, func(dir string) string { return dir }) }

// enter moves pid under the limits, and among those whom Kill ends, for good.
func (g *Cgroup) enter(pid int) error {
	if g.Tree != "" && g.Init == "" {
		if err := putText(g.Tree, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("join cgroup: %w", err)
		}
	}
	return g.join(pid)
}

// leave moves pid out again. The init does so after it has started the app,
// which stays: a limit that the app has reached must not hit its init.
func (g *Cgroup) leave(pid int) error {
	return g.move(pid, func(dir string) string {
		if g.Init != "" {
			return g.Init
		}
		return g.home[dir]
	})
}

func (g *Cgroup) move(pid int, to func(string) string) error {
	for _, dir := range g.dirs() {
		if err := putText(to(dir), "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("join cgroup: %w", err)
		}
	}
	return nil
}

// dirs are the distinct directories of App.
func (g *Cgroup) dirs() []string {
	var out []string
	for _, d := range g.App {
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}
