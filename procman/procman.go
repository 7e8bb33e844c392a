// Package procman runs the processes of the apps and changes them without losing a request.
//
// A Release says what an app shall run. Swap is the only way in which processes change: a deploy, a rollback, a config
// change, a scale, a restart and a stop are all a Swap to another Release value. It starts what is new or changed beside
// what runs, waits until all of it is ready, and only then asks its caller to commit, points the router and lets go of
// the old; until then any failure leaves the old untouched. What did not change keeps running with its pid.
//
// Every instance runs behind its shim (package shim), which outlives this process. A record in the app's RunDir says
// which shims exist; Adopt finds them again after a restart of the server.
//
// One goroutine per app owns the app's state. Others hand it small functions to run (app.do); it never waits for
// anything but the disk. Waiting is done by the goroutines of a swap, of a start, and of an instance that is let go,
// which report back to the owner.
package procman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"hop3/procman/netns"
	"hop3/procman/proxy"
	"hop3/procman/sandbox"
)

// State is what an instance is doing.
type State string

// The states of an instance.
const (
	Starting State = "starting" // not ready yet
	Ready    State = "ready"    // serves, or works
	Draining State = "draining" // replaced; finishes its requests
	Stopping State = "stopping" // was sent its stop signal
	Exited   State = "exited"   // ended by itself; is started again after a pause
	Crashed  State = "crashed"  // the same, ten times or more in a row
)

// Isolation settings of Options.
const (
	IsolationRequire = "require" // processes run in a sandbox, or not at all
	IsolationNone    = "none"    // processes run as children of their shim with the host's view
)

// LogBudget is how many bytes of logs an app may keep; the oldest files go first.
const LogBudget = 100 << 20

// Options make a Supervisor.
type Options struct {
	Exe       string // the program whose main calls shim.Reexec; usually os.Executable
	Router    *proxy.Router
	Ports     PortRange      // zero: DefaultPorts
	Network   *netns.Network // gives processes networks of their own; nil: they share the machine's
	Isolation string         // IsolationNone to do without a sandbox; anything else requires it
	Log       logrus.FieldLogger
	Defaults  sandbox.Limits // for process types that set none
	Parallel  int            // instances that are being executed at once; 0: four per core
	LogBudget int64          // bytes per app; 0: LogBudget
	// SwapMemory is what the instances of an app's old and new release may take together, by their memory limits, in bytes:
	// beyond it a swap goes one instance after the other. 0: no limit.
	SwapMemory int64
	Fault      func(Step) error // called at each step of a swap, by tests; its error fails the step
}

// Supervisor runs the processes of all apps. Its methods may be called from any goroutine.
type Supervisor struct {
	o     Options
	ports *ports
	slots chan struct{} // bounds how many shims are started at once
	wg    sync.WaitGroup
	runs  atomic.Uint64 // one-off processes so far: their names
	jobs  jobs

	base context.Context // ends with Close, and with it all goroutines that outlive their caller
	end  context.CancelCauseFunc

	mu     sync.Mutex
	closed bool
	apps   map[string]*app
}

var errClosed = errors.New("supervisor is closed")

// New returns a Supervisor that runs nothing yet. Close ends it.
func New(o Options) *Supervisor {
	if o.Log == nil {
		l := logrus.New()
		l.SetOutput(io.Discard)
		o.Log = l
	}
	o.Parallel = orElse(o.Parallel, 4*runtime.NumCPU())
	o.LogBudget = orElse(o.LogBudget, LogBudget)
	s := &Supervisor{o: o, ports: newPorts(o.Ports), slots: make(chan struct{}, o.Parallel), apps: map[string]*app{}}
	s.base, s.end = context.WithCancelCause(context.Background())
	return s
}

// PrivateNetwork tells whether processes have networks of their own, in which every web process has the same port.
func (s *Supervisor) PrivateNetwork() bool {
	return s.o.Network != nil && s.Isolated()
}

// Isolated tells whether processes run in sandboxes.
func (s *Supervisor) Isolated() bool { return s.o.Isolation != IsolationNone }

// app returns the named app, with its owner goroutine running.
func (s *Supervisor) app(name string) (*app, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	a, ok := s.apps[name]
	if !ok {
		a = newApp(s, name)
		s.apps[name] = a
		s.wg.Go(a.own)
	}
	return a, nil
}

// Instance is one process of an app as `ps` shows it.
type Instance struct {
	Name     string    `json:"name"` // "web.1"
	Type     string    `json:"type"`
	Index    int       `json:"index"`
	Pid      int       `json:"pid"` // of the app's main process, as the host sees it; 0 where none runs
	State    State     `json:"state"`
	Release  int       `json:"release"` // the release that it was started with
	Port     int       `json:"port"`
	Since    time.Time `json:"since"` // of the state
	Restarts int       `json:"restarts"`
	Exit     *Exit     `json:"exit"` // of its last run; nil where it never ended
}

// Instances returns the processes of an app, web first, those that are being let go last. An app that runs nothing
// has none.
func (s *Supervisor) Instances(name string) []Instance {
	s.mu.Lock()
	a := s.apps[name]
	s.mu.Unlock()
	if a == nil {
		return nil
	}
	if p := a.shown.Load(); p != nil {
		return slices.Clone(*p)
	}
	return nil
}

// Restarts returns how often processes of an app have been started again after
// they had ended by themselves, since the server started.
func (s *Supervisor) Restarts(name string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.apps[name]; a != nil {
		return a.restarts.Load()
	}
	return 0
}

// Stop ends all processes of an app, waits for them, removes its route and forgets it: for an app that is destroyed.
func (s *Supervisor) Stop(ctx context.Context, name string) error {
	s.mu.Lock()
	a := s.apps[name]
	s.mu.Unlock()
	if a == nil {
		return nil
	}
	if err := a.take(ctx); err != nil {
		return fmt.Errorf("stop app %s: %w", name, err)
	}
	defer a.give()
	err := a.do(func() {
		s.o.Router.Remove(name)
		for _, i := range a.live {
			a.retire(i)
		}
		a.live = map[slot]*instance{}
		a.release = nil
		a.changed()
	})
	if err == nil {
		err = a.awaitRetired(ctx, 0)
	}
	if err != nil {
		return fmt.Errorf("stop app %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps[name] == a {
		delete(s.apps, name)
		close(a.gone)
	}
	return nil
}

// Close ends the supervisor. Without stopApps the apps' processes run on behind their shims, for the next supervisor
// to adopt; with it they are stopped as by Stop. Instances that are being let go are waited for until ctx ends.
func (s *Supervisor) Close(ctx context.Context, stopApps bool) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	apps := make([]*app, 0, len(s.apps))
	for _, a := range s.apps {
		apps = append(apps, a)
	}
	s.mu.Unlock()
	errs := make([]error, len(apps))
	var all sync.WaitGroup
	for n, a := range apps {
		all.Go(func() {
			if stopApps {
				errs[n] = s.Stop(ctx, a.name())
			} else if err := a.take(ctx); err != nil { // a swap that runs is waited for
				errs[n] = err
			} else {
				errs[n] = a.awaitRetired(ctx, 0)
				a.give()
			}
		})
	}
	all.Wait()
	s.end(errClosed)
	s.wg.Wait()
	for _, a := range apps { // their owners are gone: nobody else looks at them now
		for _, i := range a.instances() {
			if i.shim != nil {
				i.shim.Close() //nolint:errcheck // it only lets go of the instance
			}
		}
	}
	return errors.Join(errs...)
}
