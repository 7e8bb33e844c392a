package procman

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"hop3/procman/sandbox"
)

// Web is the process type that is routed.
const Web = "web"

// Defaults of a release that says nothing else (PRODUCT.md section 6).
const (
	DefaultStartTimeout = 60 * time.Second
	DefaultDrainTimeout = 30 * time.Second
	DefaultStopTimeout  = 30 * time.Second
	// DefaultInterval is how long a process without a port must stay up to count as ready.
	DefaultInterval = time.Second
	// maxInstances bounds one type of one app: a typing error in ps:scale must not start ten thousand.
	maxInstances = 100
)

var (
	appName  = regexp.MustCompile(`^(service\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`) // an app, or what runs a service
	typeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)
)

// Release is what an app shall run: an immutable value, made by a deploy, a config change, a scale or a rollback.
type Release struct {
	App       string
	Number    int
	Commit    string
	StorePath string            // $out: bin/ is the PATH, app/ the working directory
	Closure   []string          // the store paths that its processes see, StorePath among them
	AppEnv    map[string]string // the app's own variables; never logged, never in argv
	Masked    []string          // texts that its processes' logs do not keep, the longest first
	Processes []Process
	Formation map[string]int // instances per type; absent: web 1, others 0
	Static    string         // folder under StorePath/app that the router serves when there is no web process
	SPA       bool           // the pages of Static route in the browser: what is missing is answered by index.html
	Hosts     []string
	Health    Health

	StartTimeout time.Duration // until ready; 0 is DefaultStartTimeout
	DrainTimeout time.Duration // for requests in flight; 0 is DefaultDrainTimeout

	UID     int    // of the app's processes, also their gid
	DataDir string // shown to them as /data
	LogDir  string // their log files
	RunDir  string // the supervisor's record and the shims' folders, the app's alone
	JobDir  string // the folders of its one-off processes, the app's alone; only StartJob needs it
	URL     string

	// Port is what web processes listen on in a network of their own; 0, and on the machine's network: each gets one that
	// no other instance has.
	Port int
	// Closed keeps its processes from any outgoing connection, whatever the server allows.
	Closed bool
	// Mounts are folders of the host that its processes see, besides DataDir.
	Mounts []sandbox.Mount
	// Sockets are the services that its processes may reach. Nothing else of them is to be seen.
	Sockets []sandbox.Socket

	// Maintenance, when not empty, is what visitors read in place of the app; its processes run on.
	Maintenance string
	// MaxBody and ResponseTimeout are the router's limits for the app; see proxy.Route.
	MaxBody         int64
	ResponseTimeout time.Duration
}

// Process is one line of the Procfile with its settings.
type Process struct {
	Type, Command string
	StopSignal    string        // "TERM" when empty
	StopTimeout   time.Duration // from the stop signal to KILL; 0 is DefaultStopTimeout
	Limits        sandbox.Limits
	// Exclusive types never run twice at once: the old one stops before the new one starts.
	Exclusive bool
	// Health are the checks that an instance passes one after the other to be ready; without any the release's is used.
	Health       []Health
	StartTimeout time.Duration // until ready; 0 is the release's
	DrainTimeout time.Duration // for requests in flight; 0 is the release's
	// RestartLimit is the number of crashes in a row after which it stays down; 0 is no limit.
	RestartLimit int
	// Ready, where a type other than web has it, is asked until it returns nil: then an instance is ready. It is not part of
	// what a process is identified by.
	Ready func(context.Context) error
}

// Health says when an instance counts as ready: by a command, by listening, by a request, or, for what is none of these
// and not web, by staying up.
type Health struct {
	Command   string            // run inside of the instance, of web once it accepts on its port; 0 is healthy
	Listening bool              // it need only accept on its port
	Path      string            // asked by HTTP: 2xx and 3xx are healthy. Empty for web: "/", and any answer below 500 is
	Content   string            // what the answer's first 64 KiB must hold
	Headers   map[string]string // of the request
	Interval  time.Duration     // how long to stay up where nothing is asked; 0 is DefaultInterval
	Uptime    bool              // of web: staying up is enough
	Delay     time.Duration     // before the first look
	Timeout   time.Duration     // of one look; 0 is 5 s
	Retries   int               // unhealthy answers before the start fails; 0: until the start timeout
	Wait      time.Duration     // between an unhealthy answer and the next look, where they are counted
}

// asks reports whether more is wanted of an instance of type t than to stay up.
func (h *Health) asks(t string) bool {
	return h.Command != "" || h.Listening || h.Path != "" || t == Web && !h.Uptime
}

func (h Health) normal() Health {
	h.Interval = orElse(h.Interval, DefaultInterval)
	h.Timeout = orElse(h.Timeout, 5*time.Second)
	return h
}

// normal checks r and returns it with its defaults filled in; nothing of it is shared with the caller.
func (r Release) normal(limits sandbox.Limits) (*Release, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("check release of %q: %w", r.App, err)
	}
	r.Closure = slices.Compact(slices.Sorted(slices.Values(r.Closure)))
	r.AppEnv = maps.Clone(r.AppEnv)
	r.Hosts = slices.Clone(r.Hosts)
	r.Processes = slices.Clone(r.Processes)
	r.Sockets, r.Mounts = slices.Clone(r.Sockets), slices.Clone(r.Mounts)
	r.StartTimeout = orElse(r.StartTimeout, DefaultStartTimeout)
	r.DrainTimeout = orElse(r.DrainTimeout, DefaultDrainTimeout)
	r.Health = r.Health.normal()
	r.Health.Wait = orElse(r.Health.Wait, r.Health.Interval)
	formation := map[string]int{}
	for i := range r.Processes {
		p := &r.Processes[i]
		p.StopTimeout = orElse(p.StopTimeout, DefaultStopTimeout)
		p.StopSignal = orElse(p.StopSignal, "TERM")
		p.StartTimeout, p.DrainTimeout = orElse(p.StartTimeout, r.StartTimeout), orElse(p.DrainTimeout, r.DrainTimeout)
		p.Health = r.checks(*p)
		p.Limits.MemoryBytes = orElse(p.Limits.MemoryBytes, limits.MemoryBytes)
		p.Limits.CPUMillis = orElse(p.Limits.CPUMillis, limits.CPUMillis)
		p.Limits.Pids = orElse(p.Limits.Pids, limits.Pids)
		n, given := r.Formation[p.Type]
		if !given && p.Type == Web {
			n = 1
		}
		formation[p.Type] = n
	}
	r.Formation = formation
	return &r, nil
}

// checks are those of process type p, with their defaults filled in.
func (r *Release) checks(p Process) []Health {
	if len(p.Health) == 0 && p.Type == Web {
		return []Health{r.Health}
	} else if len(p.Health) == 0 {
		return []Health{{Interval: r.Health.Interval, Timeout: r.Health.Timeout}}
	}
	var out []Health
	for _, h := range p.Health {
		out = append(out, h.normal())
	}
	return out
}

func (r *Release) check() error {
	switch {
	case !appName.MatchString(r.App):
		return errors.New("app name is not legal")
	case r.Number < 0:
		return errors.New("release number is negative")
	case r.RunDir == "" || r.LogDir == "":
		return errors.New("RunDir and LogDir are needed")
	case !filepath.IsAbs(r.RunDir) || !filepath.IsAbs(r.LogDir):
		return errors.New("RunDir and LogDir must be absolute")
	case r.StorePath != "" && !filepath.IsAbs(r.StorePath):
		return errors.New("store path must be absolute")
	case r.Port < 0 || r.Port > 65535:
		return fmt.Errorf("port %d is not between 1 and 65535", r.Port)
	case r.Static != "" && !filepath.IsLocal(r.Static):
		return fmt.Errorf("static folder %q leaves the release", r.Static)
	}
	types := map[string]bool{}
	for _, p := range r.Processes {
		if !typeName.MatchString(p.Type) {
			return fmt.Errorf("process type %q is not legal", p.Type)
		}
		if types[p.Type] {
			return fmt.Errorf("process type %q is there twice", p.Type)
		}
		types[p.Type] = true
		if _, err := parseSignal(p.StopSignal); err != nil {
			return fmt.Errorf("process type %q: %w", p.Type, err)
		}
	}
	for t, n := range r.Formation {
		if n < 0 || n > maxInstances {
			return fmt.Errorf("formation %s=%d is not between 0 and %d", t, n, maxInstances)
		}
		if n > 0 && !types[t] {
			return &UnknownTypeError{Type: t, Types: slices.Sorted(maps.Keys(types))}
		}
	}
	return nil
}

// process returns the process type t; ok is false where r has none.
func (r *Release) process(t string) (p Process, ok bool) {
	for _, p := range r.Processes {
		if p.Type == t {
			return p, true
		}
	}
	return Process{}, false
}

// serves reports whether the router serves r's files itself.
func (r *Release) serves() bool {
	_, web := r.process(Web)
	return r.Static != "" && !web
}

func orElse[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
