package procman

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"hop3/procman/netns"
	"hop3/procman/proxy"
	"hop3/procman/sandbox"
	"hop3/procman/shim"
)

// instance is one process in one slot. It keeps its slot over restarts; each run has its own id, folder and log file.
// All fields but slot, app and gone belong to the app's owner goroutine.
type instance struct {
	app  *app
	slot slot
	gone chan struct{} // closed when it has been let go and nothing of it is left

	id       string // of the run; also its folder in RunDir
	proc     Process
	hash     string
	release  int           // with which it was started
	drain    time.Duration // how long its requests may take once it is replaced
	port     int
	state    State
	since    time.Time
	shim     *shim.Instance
	backend  *proxy.Backend
	crashes  crashes
	restarts int
	exit     *Exit

	leaving  bool        // is being let go
	paused   bool        // is stopped for a successor, and may come back
	timer    *time.Timer // until the next restart
	cancel   context.CancelFunc
	starting chan struct{} // closed at the end of the start in progress; nil without one
}

// instance returns a new instance for w, not live yet. Owner only.
func (a *app) instance(w wanted, r *Release) *instance {
	i := &instance{app: a, slot: w.slot, gone: make(chan struct{}), state: Starting, since: time.Now(), release: r.Number}
	i.adjust(w, r)
	return i
}

// adjust takes over from the release what may change while it runs. Owner only.
func (i *instance) adjust(w wanted, r *Release) {
	i.proc, i.hash, i.drain = w.proc, w.hash, w.proc.DrainTimeout
}

func (i *instance) set(s State) {
	i.state, i.since = s, time.Now()
}

func (i *instance) show() Instance {
	out := Instance{
		Name: i.slot.String(), Type: i.slot.Type, Index: i.slot.Index, State: i.state, Release: i.release,
		Port: i.port, Since: i.since.UTC(), Restarts: i.restarts, Exit: i.exit,
	}
	if i.shim != nil {
		out.Pid = i.shim.Pid()
	}
	return out
}

func (i *instance) record() recordInstance {
	out := recordInstance{
		ID: i.id, Type: i.slot.Type, Index: i.slot.Index, Release: i.release, Hash: i.hash, Port: i.port,
		State: i.state, Restarts: i.restarts,
	}
	if i.shim != nil {
		id := i.shim.Identity()
		out.Identity = &id
	}
	return out
}

func (i *instance) upstream() *proxy.Backend {
	if i.backend == nil {
		proc, port := i.shim, i.port
		i.backend = proxy.NewBackendDial(i.slot.String(), func(ctx context.Context) (net.Conn, error) { return proc.Dial(ctx, port) })
	}
	return i.backend
}

// newID returns a name for one run that no other run has.
func newID() string { return strconv.FormatUint(rand.Uint64(), 36) }

// run is what one start of an instance needs; it does not change.
type run struct {
	i    *instance
	r    *Release
	spec shim.Spec
	port int
	note func(string) // for what the pusher should know while it waits; may be nil
}

// prepare gives i a new id, a port and a record, before anything is started. Owner only.
func (i *instance) prepare(r *Release, cancel context.CancelFunc) (*run, error) {
	if i.leaving || i.paused {
		return nil, errForgotten
	}
	if err := i.takePort(r); err != nil {
		return nil, err
	}
	i.id = newID()
	i.release = r.Number
	spec, err := i.spec(r)
	if err != nil {
		return nil, err
	}
	i.cancel, i.starting = cancel, make(chan struct{})
	i.set(Starting)
	i.app.changed()
	return &run{i: i, r: r, spec: spec, port: i.port}, nil
}

// takePort gives i the port of its next run: the one that the app wants, where it has a network of its own, else one that
// no other instance has. Owner only.
func (i *instance) takePort(r *Release) error {
	s := i.app.sup
	if r.Port != 0 && s.PrivateNetwork() {
		i.port = r.Port
		return nil
	}
	if i.port != 0 && !bindable(i.port) { // somebody took it between two runs, or it still has old connections
		i.freePort()
	}
	if i.port != 0 {
		return nil
	}
	port, err := s.ports.take()
	i.port = port
	return err
}

func (i *instance) freePort() {
	i.app.sup.ports.free(i.port)
	i.port = 0
}

// spec says how i is run in release r. Owner only.
func (i *instance) spec(r *Release) (shim.Spec, error) {
	name := i.slot.String()
	box, err := i.app.sup.box(r, name, i.port, i.proc.Command, nil)
	if err != nil {
		return shim.Spec{}, err
	}
	version := "v" + strconv.Itoa(r.Number)
	box.Limits = i.proc.Limits
	box.Cgroup = filepath.Join("hop3", r.App, name+"-"+version+"-"+i.id)
	return shim.Spec{
		Dir:     filepath.Join(r.RunDir, i.id),
		LogPath: filepath.Join(r.LogDir, name+"-"+version+"-"+i.id+logSuffix),
		Sandbox: box, Process: name, Release: r.Number, Masked: r.Masked,
	}, nil
}

// box is the sandbox of one process of release r; command is a line of the Procfile.
func (s *Supervisor) box(r *Release, name string, port int, command string, extra map[string]string) (sandbox.Spec, error) {
	e := s.environment(r, name, port)
	argv, err := r.argv(name, command, e.plain())
	if err != nil {
		return sandbox.Spec{}, err
	}
	return s.boxWith(r, name, argv, e.list(extra)), nil
}

func (s *Supervisor) boxWith(r *Release, name string, argv, env []string) sandbox.Spec {
	box := sandbox.Spec{
		App: r.App, Name: name, Closure: r.Closure, AppDir: filepath.Join(r.StorePath, "app"),
		BinDir: filepath.Join(r.StorePath, "bin"), DataDir: r.DataDir, Dir: "/app",
		Argv: argv, Env: env, UID: r.UID, GID: r.UID, Hostname: r.App, Sockets: r.Sockets, Mounts: r.Mounts,
	}
	if s.PrivateNetwork() {
		box.PrivateNetwork, box.Attach, box.Resolv = true, s.o.Network.Attach, s.o.Network.Resolv()
		if r.Closed {
			box.Attach, box.Resolv = nil, netns.NoServers
		}
	}
	if s.o.Isolation == IsolationNone {
		box.Bare = true
		box.Dir = box.AppDir
		if len(argv) > 0 {
			if rest, ok := trimApp(argv[0]); ok {
				box.Argv = append([]string{filepath.Join(box.AppDir, rest)}, argv[1:]...)
			}
		}
	}
	return box
}

// environment is r's; without a sandbox its paths are the host's.
func (s *Supervisor) environment(r *Release, name string, port int) environment {
	e := r.environment(name, port)
	if s.PrivateNetwork() { // nobody but the router gets in
		e.defaults["HOST"], e.defaults["BIND_ADDRESS"] = everyAddress, everyAddress
	}
	if s.o.Isolation == IsolationNone {
		e.defaults["HOME"] = filepath.Join(r.StorePath, "app")
		e.defaults["DATA_DIR"] = r.DataDir
	}
	return e
}

func trimApp(path string) (string, bool) {
	rest, err := filepath.Rel("/app", path)
	return rest, err == nil && filepath.IsLocal(rest)
}

// execute starts the shim.
func (u *run) execute(ctx context.Context) (*shim.Instance, error) {
	s := u.i.app.sup
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	proc, err := shim.Start(ctx, s.o.Exe, u.spec)
	if err != nil {
		return nil, fmt.Errorf("start shim: %w", err)
	}
	return proc, nil
}

// clean removes the folder of a run that has ended. Owner only.
func (i *instance) clean() {
	if i.id == "" || i.app.dir == "" {
		return
	}
	if err := os.RemoveAll(filepath.Join(i.app.dir, i.id)); err != nil {
		i.app.log().WithField("proc", i.slot).WithError(err).Warn("folder of an ended process not removed")
	}
	i.id = ""
}
