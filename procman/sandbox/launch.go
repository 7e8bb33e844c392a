package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// LaunchOptions are what Launch needs beside the Spec.
type LaunchOptions struct {
	Marker  string     // the init's argv[0], by which the re-executed binary knows its role
	Payload any        // JSON for Inside.Payload
	Files   []*os.File // for Inside.File, in this order
	Stdin   *os.File   // the init's own; nil is /dev/null
	Stdout  *os.File
	Stderr  *os.File
	Pty     *Window // allocate a terminal of this size inside
}

// Child is a sandbox that was started. Its app has been executed, and waits
// for nothing; its init ends it unless Keep is called or Child stays open.
type Child struct {
	Pid    int      // of the init, on the host
	App    int      // of the app's main process, on the host
	Cgroup *Cgroup  // nil if none was wanted
	Pty    *os.File // the terminal's master side, if one was asked for

	cmd  *exec.Cmd
	ctl  *control
	wait func() error
	oom  *os.File
}

// Launch starts exe as the init of a new sandbox and returns when the app was
// executed in it, or with an *Error that tells why it was not.
func Launch(ctx context.Context, exe string, s Spec, o LaunchOptions) (*Child, error) {
	root := os.Geteuid() == 0
	if !root && s.UID == 0 {
		s.UID, s.GID = os.Getuid(), os.Getgid()
	}
	if err := s.Validate(root); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start sandbox: %w", context.Cause(ctx))
	}
	c := &Child{}
	if err := c.makeCgroup(s); err != nil {
		return nil, err
	}
	if err := c.start(ctx, exe, s, o); err != nil {
		if c.cmd != nil && c.cmd.Process != nil {
			c.Kill()
			_ = c.wait() // it was killed; the reason is err
		}
		c.Close()
		return nil, errors.Join(err, c.Cgroup.Remove())
	}
	return c, nil
}

func (c *Child) makeCgroup(s Spec) (err error) {
	oom := os.DevNull
	if s.Cgroup != "" && s.Join == 0 {
		if c.Cgroup, err = makeCgroup(s.Cgroup, s.Limits); err != nil {
			return err
		}
		oom = c.Cgroup.oomFile()
	}
	if c.oom, err = os.Open(oom); err != nil {
		return errors.Join(fmt.Errorf("open oom counter: %w", err), c.Cgroup.Remove())
	}
	return nil
}

func (c *Child) start(ctx context.Context, exe string, s Spec, o LaunchOptions) error {
	specR, specW, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	ctl, inner, err := controlPair()
	if err != nil {
		specR.Close()
		specW.Close()
		return err
	}
	c.ctl = ctl
	c.cmd = command(exe, s, o)
	c.cmd.ExtraFiles = append([]*os.File{specR, inner, c.oom}, o.Files...)
	if c.Cgroup != nil {
		if d := c.Cgroup.birth(); d != nil {
			defer d.Close()
			c.cmd.SysProcAttr.UseCgroupFD, c.cmd.SysProcAttr.CgroupFD = true, int(d.Fd())
		}
	}
	err = c.cmd.Start()
	specR.Close()
	inner.Close()
	if err != nil {
		specW.Close()
		return launchError(err)
	}
	c.Pid = c.cmd.Process.Pid
	c.wait = sync.OnceValue(c.cmd.Wait)
	stop := context.AfterFunc(ctx, c.Kill)
	defer stop()
	if err := c.handshake(s, o, specW); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("start sandbox: %w", context.Cause(ctx))
		}
		return err
	}
	return nil
}

// command prepares the init: its arguments show names only, its environment nothing.
func command(exe string, s Spec, o LaunchOptions) *exec.Cmd {
	cmd := &exec.Cmd{
		Path: exe, Args: []string{o.Marker, s.App, s.Name}, Dir: "/",
		Env: initEnv(),
	}
	// A nil *os.File must not become a non-nil io.Reader.
	if o.Stdin != nil {
		cmd.Stdin = o.Stdin
	}
	if o.Stdout != nil {
		cmd.Stdout = o.Stdout
	}
	if o.Stderr != nil {
		cmd.Stderr = o.Stderr
	}
	attr := &syscall.SysProcAttr{Setsid: true}
	cmd.SysProcAttr = attr
	if s.Bare || s.Join != 0 {
		return cmd
	}
	attr.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
	if s.PrivateNetwork {
		attr.Cloneflags |= syscall.CLONE_NEWNET
	}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: s.UID, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: s.GID, HostID: os.Getegid(), Size: 1}}
		// The init is not uid 0 in there: without these the exec would drop
		// what it needs to build the root. It drops them itself, later.
		for cap := range uintptr(unix.CAP_LAST_CAP + 1) {
			if nested(cap) {
				attr.AmbientCaps = append(attr.AmbientCaps, cap)
			}
		}
	}
	return cmd
}

// nested are the capabilities over its own namespaces that an unprivileged init needs.
func nested(c uintptr) bool {
	switch c {
	case unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT, unix.CAP_SETPCAP, unix.CAP_KILL, unix.CAP_NET_ADMIN,
		unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER:
		return true
	}
	return false
}

func (c *Child) handshake(s Spec, o LaunchOptions, spec *os.File) error {
	if err := sendSpec(spec, s, o); err != nil {
		// The init may have died of something that it could tell.
		if m, _, rerr := c.ctl.recv(); rerr == nil && m.Failed != nil {
			return m.Failed
		}
		return err
	}
	if s.PrivateNetwork && s.Attach != nil && !s.Bare && s.Join == 0 { // while it builds its root
		if err := s.Attach(c.Pid); err != nil {
			return err
		}
	}
	if c.Cgroup != nil {
		if err := c.Cgroup.join(c.Pid); err != nil {
			return err
		}
	}
	if s.Join != 0 && s.Within != nil {
		if err := s.Within.enter(c.Pid); err != nil {
			return err
		}
	}
	if err := c.ctl.send(message{Go: true}, nil); err != nil && !gone(err) {
		return fmt.Errorf("start sandbox: %w", err)
	}
	m, a, err := c.ctl.recv()
	switch {
	case err != nil && gone(err):
		return c.died()
	case err != nil:
		return err
	case m.Failed != nil:
		return m.Failed
	case !m.Started || a.pid == 0:
		return errors.New("start sandbox: the init does not speak this protocol")
	}
	c.App, c.Pty = a.pid, a.file
	if c.Cgroup != nil {
		return c.Cgroup.leave(c.Pid)
	}
	return nil
}

// died words the end of an init that could not say why it ended.
func (c *Child) died() error {
	werr := c.wait()
	if oomKills(c.oom) > 0 {
		return &Error{Step: "start sandbox", Text: "out of memory before the program ran", Fix: "raise the memory limit of this process type"}
	}
	return fmt.Errorf("start sandbox: the init died: %w", errors.Join(werr, errors.New("no answer")))
}

func sendSpec(w *os.File, s Spec, o LaunchOptions) error {
	defer w.Close()
	payload, err := json.Marshal(o.Payload)
	if err != nil {
		return fmt.Errorf("encode sandbox: %w", err)
	}
	e := envelope{Spec: s, UserNS: os.Geteuid() != 0 && !s.Bare, Pty: o.Pty, Payload: payload}
	if err := json.NewEncoder(w).Encode(e); err != nil {
		return fmt.Errorf("send sandbox: %w", err)
	}
	return nil
}

// launchError explains a clone that the kernel refused.
func launchError(err error) error {
	e := fail("start sandbox", err)
	switch syscall.Errno(e.Errno) {
	case syscall.EPERM, syscall.EACCES, syscall.ENOSPC, syscall.EINVAL, syscall.EUSERS:
		e.Fix = "this user may not make namespaces: run hop3 as root or allow unprivileged user namespaces (hop3 doctor says more)"
	}
	return e
}

// Keep tells the init that it may outlive this process.
func (c *Child) Keep() error {
	if err := c.ctl.send(message{Keep: true}, nil); err != nil {
		return fmt.Errorf("keep sandbox: %w", err)
	}
	return nil
}

// Signal makes the init send sig to the app's process group.
func (c *Child) Signal(sig syscall.Signal) error {
	if err := c.ctl.send(message{Signal: int(sig)}, nil); err != nil {
		return fmt.Errorf("signal sandbox: %w", err)
	}
	return nil
}

// Kill ends the init, and by it everything in the sandbox.
func (c *Child) Kill() {
	_ = c.Cgroup.Kill()      // where there is v2; it includes those of a Bare one
	_ = c.cmd.Process.Kill() // ended already is as good
}

// Wait reaps the init. No process of the sandbox is left when it returns.
func (c *Child) Wait() error { return c.wait() }

// Close frees the descriptors. It ends the sandbox unless Keep was called.
func (c *Child) Close() {
	if c.ctl != nil {
		c.ctl.close()
	}
	if c.Pty != nil {
		c.Pty.Close()
	}
	if c.oom != nil {
		c.oom.Close()
	}
}

// Executable is this process's own binary in a form that survives its
// replacement on disk by an upgrade.
func Executable() string { return filepath.Clean("/proc/self/exe") }

// initEnv is the init's own environment: one processor, for there is one
// of these per instance. GORACE goes through for tests.
func initEnv() []string {
	env := []string{"GOMAXPROCS=1"}
	if v, ok := os.LookupEnv("GORACE"); ok {
		env = append(env, "GORACE="+v)
	}
	return env
}
