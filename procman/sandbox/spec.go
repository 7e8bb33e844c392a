// Package sandbox runs one process in the closure of its release and nothing
// else of the machine.
//
// The caller's own executable is started again as pid 1 of new mount, pid, ipc
// and uts namespaces. It is told by a pipe what to build: a root of bind mounts
// (one per store path), a writable overlay at /app, /data, a private /tmp, and
// the few files of /dev, /proc and /etc that programs expect. It then gives up
// all privileges, starts the program under the app's own uid in a cgroup with
// limits, and stays as its init. When it goes, the kernel ends whatever is left
// in the namespace, so nothing can escape by forking twice.
//
// Run is for one-off commands. Package shim builds the long-lived instances on
// Launch (the outer half) and Inside (the inner half).
package sandbox

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"syscall"
	"time"
)

// Spec says what to run and what it may see. It travels as JSON over a pipe,
// never in an argument or an environment, because Env holds secrets.
type Spec struct {
	App  string // app name; shown by ps as an argument of the init
	Name string // instance name, for example "web.1"

	// Closure lists the store paths that are visible, read-only, each at its
	// own absolute path.
	Closure []string
	// AppDir is shown at /app with a writable overlay that is lost with the
	// process. Empty: /app is an empty writable directory.
	AppDir string
	// BinDir is where /bin/sh and /usr/bin/env point to if it has sh and env.
	// Empty: the directory "bin" beside AppDir.
	BinDir string
	// DataDir is a host directory shown read-write at /data. Empty: no /data.
	DataDir string
	// Sockets are shown at /run/services.
	Sockets []Socket
	// Mounts are more of the host's files. Whoever makes the Spec chooses them,
	// never the app.
	Mounts []Mount
	// Dir is the working directory inside. Empty: /app.
	Dir string

	// Argv is executed directly, without a shell. A first word without a
	// slash is looked up in the PATH of Env, inside the sandbox.
	Argv []string
	Env  []string

	// UID and GID are the app's own. They are also used unprivileged: the
	// caller's identity is then mapped to them. Zero is refused as root.
	UID, GID int
	Hostname string // empty: App

	Limits Limits
	// Cgroup is the name of the cgroup to make, relative, for example
	// "hop3/blog/web.1-v12". Empty: no cgroup is made and no limit applies.
	Cgroup string
	// TmpBytes limits each of /tmp, /dev/shm and the writable layer of /app.
	// They count against Limits.MemoryBytes too. Zero: DefaultTmpBytes.
	TmpBytes int64

	// PrivateNetwork gives an own network namespace with a loopback device,
	// which is up, and what Attach adds.
	PrivateNetwork bool
	// Attach connects the network namespace of the init, by its host pid, to
	// others. It is called while the init builds the root; nil adds nothing.
	Attach func(pid int) error `json:"-"`
	// Resolv is the text of /etc/resolv.conf. Empty: the host's.
	Resolv string
	// Join is the host pid of the init of a running sandbox: the process is
	// started inside that one, with its root and namespaces. Closure, AppDir,
	// DataDir, Hostname, Cgroup and PrivateNetwork are then not used.
	Join int
	// Within is the cgroup that a process which joins goes into, limits and
	// all. Nil leaves it in the caller's.
	Within *Cgroup `json:"-"`
	// Bare runs the process without namespaces, own root and uid: for
	// machines that can give none and operators who accept that. Dir is then
	// a host directory.
	Bare bool
}

// Mount is a directory, a file or a socket of the host that is shown inside.
type Mount struct {
	From     string `json:"from"` // absolute, on the host
	To       string `json:"to"`   // absolute, inside; made if it is missing
	ReadOnly bool   `json:"read_only,omitempty"`
}

// DefaultTmpBytes is large enough for uploads and unpacked caches, and small
// enough that a filled /tmp is noticed before the machine's memory is gone.
const DefaultTmpBytes = 256 << 20

// Limits bound one process and all that it starts. Zero means no limit.
type Limits struct {
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	CPUMillis   int64 `json:"cpu_millis,omitempty"` // 1000 is one core
	Pids        int64 `json:"pids,omitempty"`       // processes and threads
}

// Stdio connects a one-off process.
type Stdio struct {
	// In is read until it ends or the process does; nil reads as empty. Run
	// does not wait for a Read of In that is still blocked when it returns.
	In       io.Reader
	Out, Err io.Writer
	// Pty gives the process a controlling terminal; all its output then
	// arrives on Out.
	Pty *Pty
	// Signals are sent to the process's group as they arrive.
	Signals <-chan syscall.Signal
}

// Pty describes a terminal. The zero window is 80 by 24.
type Pty struct {
	Window Window
	Resize <-chan Window
}

// Window is a terminal size in characters.
type Window struct{ Cols, Rows uint16 }

// ExitStatus says how a process ended.
type ExitStatus struct {
	Code   int       `json:"code"`             // exit code; 128+n for signal n
	Signal string    `json:"signal,omitempty"` // "SIGKILL"; empty if it exited by itself
	OOM    bool      `json:"oom,omitempty"`    // the kernel killed in its cgroup for lack of memory
	At     time.Time `json:"at"`
}

// String words the status for a person: "exit 1", "SIGKILL", "out of memory (SIGKILL)".
func (e ExitStatus) String() string {
	how := fmt.Sprintf("exit %d", e.Code)
	if e.Signal != "" {
		how = e.Signal
	}
	if e.OOM {
		return "out of memory (" + how + ")"
	}
	return how
}

// Error is a sandbox that could not be built or a program that could not be
// executed in it.
type Error struct {
	Step  string `json:"step"`            // what was tried: "mount /proc", "exec ./server"
	Errno int    `json:"errno,omitempty"` // the kernel's answer, if it was the kernel's
	Text  string `json:"text"`
	Fix   string `json:"fix,omitempty"`
}

func (e *Error) Error() string { return e.Step + ": " + e.Text }

// Hint says what to do, if anything is known.
func (e *Error) Hint() string { return e.Fix }

// Unwrap gives the kernel's error number, so that errors.Is(err, fs.ErrNotExist) works.
func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return syscall.Errno(e.Errno)
}

// fail makes err, which happened during step, an *Error.
func fail(step string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Step: step, Text: err.Error()}
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		e.Errno, e.Text = int(no), no.Error()
	}
	return e
}

// Validate says what is wrong with the specification before anything is
// started. root tells whether the caller is the real root.
func (s *Spec) Validate(root bool) error {
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return errors.New("check sandbox: no command")
	}
	if root && !s.Bare && (s.UID <= 0 || s.GID <= 0) {
		return errors.New("check sandbox: root cannot be an app's uid or gid")
	}
	for _, p := range s.Closure {
		if err := checkClosurePath(p); err != nil {
			return err
		}
	}
	if err := checkSockets(s.Sockets); err != nil {
		return err
	}
	for _, p := range []string{s.AppDir, s.BinDir, s.DataDir, s.Dir} {
		if p != "" && !path.IsAbs(p) {
			return fmt.Errorf("check sandbox: %q is not an absolute path", p)
		}
	}
	if s.Cgroup != "" && (path.IsAbs(s.Cgroup) || path.Clean(s.Cgroup) != s.Cgroup || strings.HasPrefix(s.Cgroup, "..")) {
		return fmt.Errorf("check sandbox: cgroup name %q is not a clean relative path", s.Cgroup)
	}
	for _, m := range s.Mounts {
		if err := m.Check(); err != nil {
			return err
		}
	}
	for _, w := range append(append([]string{s.App, s.Name, s.Hostname}, s.Argv...), s.Env...) {
		if strings.ContainsRune(w, 0) {
			return errors.New("check sandbox: a NUL byte in a name, an argument or a variable")
		}
	}
	return nil
}

// taken are the places of the new root that no closure path may cover;
// reserved are those that no mount may.
var (
	taken    = append([]string{"/app", "/data", "/bin", "/usr/bin"}, reserved...)
	reserved = []string{"/proc", "/dev", "/sys", "/etc"}
)

// Check says what is wrong with the mount's paths.
func (m Mount) Check() error {
	for _, p := range []string{m.From, m.To} {
		if !path.IsAbs(p) || path.Clean(p) != p || p == "/" || strings.ContainsRune(p, 0) {
			return fmt.Errorf("check sandbox: mounted path %q is not a clean absolute path", p)
		}
	}
	for _, t := range append([]string{"/nix", "/bin", "/usr"}, reserved...) {
		if m.To == t || strings.HasPrefix(m.To, t+"/") || strings.HasPrefix(t, m.To+"/") {
			return fmt.Errorf("check sandbox: nothing can be mounted at %s: it collides with %s", m.To, t)
		}
	}
	return nil
}

func checkClosurePath(p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p || p == "/" || strings.ContainsRune(p, 0) {
		return fmt.Errorf("check sandbox: closure path %q is not a clean absolute path", p)
	}
	for _, t := range taken {
		if p == t || strings.HasPrefix(p, t+"/") || strings.HasPrefix(t, p+"/") {
			return fmt.Errorf("check sandbox: closure path %q collides with %s", p, t)
		}
	}
	return nil
}
