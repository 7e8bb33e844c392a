package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Inside is the inner half of a sandbox: what its init works with.
type Inside struct {
	Spec    Spec
	Payload json.RawMessage // LaunchOptions.Payload

	userns bool
	pty    *Window
	ctl    *control
	oom    *os.File
	oomAt  int
}

// Open reads what the outer half has sent. Call it once, first.
func Open() (*Inside, error) {
	// Whatever the caller leaked ends here, and none of ours gets to the app.
	if err := unix.CloseRange(fdSpec, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return nil, fmt.Errorf("close descriptors: %w", err)
	}
	f := os.NewFile(fdSpec, "spec")
	defer f.Close()
	var e envelope
	if err := json.NewDecoder(f).Decode(&e); err != nil {
		return nil, fmt.Errorf("read sandbox: %w", err)
	}
	return &Inside{
		Spec: e.Spec, Payload: e.Payload, userns: e.UserNS, pty: e.Pty,
		ctl: &control{fdControl}, oom: os.NewFile(fdOOM, "oom"),
	}, nil
}

// File is the i-th of LaunchOptions.Files.
func (in *Inside) File(i int) *os.File { return os.NewFile(uintptr(fdFirst+i), "file") }

// Start builds the sandbox and executes the app in it with the three files,
// nil being /dev/null, and returns its pid. An error has been told to the
// outer half. Afterwards this process has no capability but that to signal.
func (in *Inside) Start(stdio [3]*os.File) (pid int, err error) {
	// Namespaces, filters and capabilities belong to threads.
	runtime.LockOSThread()
	defer func() {
		if err == nil {
			// Of who joined an instance, this thread's children would be in the
			// instance's pid namespace, and so no threads: the kernel refuses to
			// make one. Locked, it leaves that to the runtime's template thread.
			if in.Spec.Join == 0 {
				runtime.UnlockOSThread() // as harmless now as any other thread
			}
			return
		}
		_ = in.Refuse(err)
	}()
	if err := in.build(); err != nil {
		return 0, err
	}
	terminal, master, err := in.terminal(&stdio)
	if err != nil {
		return 0, err
	}
	defer closeAll(terminal, master)
	if err := confine(&in.Spec); err != nil {
		return 0, err
	}
	if m, _, err := in.ctl.recv(); err != nil || !m.Go {
		return 0, fmt.Errorf("start sandbox: not released: %w", err)
	}
	if err := in.forward(); err != nil {
		return 0, err
	}
	in.oomAt = oomKills(in.oom)
	if pid, err = in.exec(stdio); err != nil {
		return 0, err
	}
	if err := in.report(pid, master); err != nil {
		return 0, err
	}
	return pid, dropCaps(unix.CAP_KILL)
}

func (in *Inside) build() error {
	s := &in.Spec
	switch {
	case s.Join != 0:
		return join(s.Join)
	case s.Bare:
		return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	if s.PrivateNetwork {
		if err := loopbackUp(); err != nil {
			return err
		}
	}
	return buildRoot(s, in.userns)
}

// join enters the namespaces of the process with the given host pid. The pid
// namespace is that of the next child.
func join(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fail("find instance", err)
	}
	defer unix.Close(fd)
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // or a multithreaded process may not
		return fail("enter instance", err)
	}
	kinds := unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS
	if err := unix.Setns(fd, kinds); err != nil {
		return fail("enter instance", err)
	}
	return nil
}

// terminal makes the pty from the sandbox's own devpts, so that programs find
// it under its name, and puts it where nothing else was given.
func (in *Inside) terminal(stdio *[3]*os.File) (slave, master *os.File, err error) {
	if in.pty == nil {
		return nil, nil, nil
	}
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fail("open terminal", err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, fail("unlock terminal", err)
	}
	n, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if e != 0 {
		return nil, nil, fail("open terminal", e)
	}
	slave = os.NewFile(n, "terminal")
	size := unix.Winsize{Row: in.pty.Rows, Col: in.pty.Cols}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &size); err != nil {
		return nil, nil, fail("size terminal", err)
	}
	if in.Spec.UID > 0 {
		if err := unix.Fchown(int(n), in.Spec.UID, in.Spec.GID); err != nil {
			return nil, nil, fail("own terminal", err)
		}
	}
	*stdio = [3]*os.File{slave, slave, slave}
	return slave, master, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// exec forks and executes the app; its error is that of the exec.
func (in *Inside) exec(stdio [3]*os.File) (int, error) {
	s := &in.Spec
	dir := s.Dir
	if dir == "" && !s.Bare {
		dir = "/app"
	}
	name, err := lookup(s.Argv[0], dir, s.Env)
	if err != nil {
		return 0, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, fail("open /dev/null", err)
	}
	defer null.Close()
	attr := &syscall.ProcAttr{Dir: dir, Env: s.Env, Sys: &syscall.SysProcAttr{Setsid: true, Setctty: in.pty != nil}}
	for _, f := range stdio {
		if f == nil {
			f = null
		}
		attr.Files = append(attr.Files, f.Fd())
	}
	if os.Geteuid() == 0 && !in.userns && s.UID > 0 {
		attr.Sys.Credential = &syscall.Credential{Uid: uint32(s.UID), Gid: uint32(s.GID)}
	}
	pid, err := syscall.ForkExec(name, s.Argv, attr)
	if err != nil {
		return 0, explainExec(name, dir, err)
	}
	return pid, nil
}

// lookup finds a command as execvp(3) does, but in the sandbox and by the
// app's own PATH.
func lookup(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path := ""
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			d = filepath.Join(dir, d)
		}
		p := filepath.Join(d, name)
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	e := fail("exec "+name, syscall.ENOENT)
	e.Text = "command not found in PATH"
	e.Fix = "the release's PATH is " + path + ": add the package that has " + name
	return "", e
}

// explainExec says why an exec failed; "no such file" of a file that is there
// is the most puzzling of errors.
func explainExec(name, dir string, err error) error {
	e := fail("exec "+name, err)
	file := name
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	st, serr := os.Stat(file)
	switch {
	case dir != "" && !exists(dir):
		e.Step, e.Fix = "enter "+dir, "the working directory is not in the release"
	case err == syscall.ENOENT && serr == nil:
		e.Text = "its interpreter is not in the closure" + shebang(file)
		e.Fix = "refer to the interpreter by its store path, or build the program so that its loader is in the closure"
	case err == syscall.EACCES && serr == nil && st.Mode()&0o111 == 0:
		e.Fix = "make the file executable: git update-index --chmod=+x"
	case err == syscall.ENOEXEC:
		e.Fix = "the file is no program for this machine, or a script without a #! line"
	}
	return e
}

func shebang(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, 128)
	n, _ := f.Read(b) // too short to be a script is an answer too
	line, _, _ := strings.Cut(string(b[:n]), "\n")
	if rest, ok := strings.CutPrefix(line, "#!"); ok {
		return ": " + strings.TrimSpace(rest)
	}
	return ""
}

// report tells the outer half. The kernel translates the pid for it.
func (in *Inside) report(pid int, master *os.File) error {
	oob := unix.UnixCredentials(&unix.Ucred{Pid: int32(pid), Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())})
	if master != nil {
		oob = append(oob, unix.UnixRights(int(master.Fd()))...)
	}
	if err := in.ctl.send(message{Started: true}, oob); err != nil {
		return fail("report the app's pid", err)
	}
	return nil
}

// Refuse tells the outer half why there will be no app, and returns err.
func (in *Inside) Refuse(err error) error {
	_ = in.ctl.send(message{Failed: fail("start sandbox", err)}, nil) // it may be gone
	return err
}

// AwaitKeep waits until the outer half says Keep; an error says that it died
// before it had written down that this sandbox exists.
func (in *Inside) AwaitKeep() error {
	defer in.ctl.close()
	m, _, err := in.ctl.recv()
	if err != nil {
		return err
	}
	if !m.Keep {
		return fmt.Errorf("start sandbox: not kept")
	}
	return nil
}

// Status is the exit status for what wait4 said about the app.
func (in *Inside) Status(ws syscall.WaitStatus) ExitStatus {
	st := ExitStatus{Code: ws.ExitStatus(), OOM: oomKills(in.oom) > in.oomAt}
	if ws.Signaled() {
		st.Code, st.Signal = 128+int(ws.Signal()), unix.SignalName(ws.Signal())
	}
	return st
}
