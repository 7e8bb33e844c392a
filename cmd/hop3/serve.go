package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"hop3/internal/access"
	"hop3/internal/certs"
	"hop3/internal/command"
	"hop3/internal/config"
	"hop3/internal/deploy"
	"hop3/internal/metrics"
	"hop3/internal/slim"
	"hop3/internal/state"
	"hop3/procman"
	"hop3/procman/netns"
	"hop3/procman/proxy"
	"hop3/procman/sandbox"
	"hop3/receive"
	"hop3/sshd"
)

// drainTime is what calls and requests get to finish in when the server stops.
const drainTime = 30 * time.Second

// serve runs the server until ctx ends.
func serve(ctx context.Context, args []string, io stdio) error {
	// Who read our output may have gone, as after a handover: that must not end the server. Ignoring the signal would be
	// passed on to the apps.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// The memory of a server holds the settings of all apps: no crash may write it to the disk.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("switch core dumps off: %w", err)
	}
	c, err := config.Load(args)
	if errors.Is(err, pflag.ErrHelp) {
		c, set := config.Default(), newFlags("serve")
		c.Flags(set)
		set.String("config", config.DefaultFile, "TOML file of the same settings")
		return asUsage(set, err)
	}
	if err != nil {
		return &usageError{err.Error(), "see: hop3 serve --help"}
	}
	log := newLog(c.LogFormat, io.err)
	s, err := newServer(ctx, c, log)
	if err != nil {
		return err
	}
	s.args, s.upgrade, s.takeover = args, make(chan struct{}, 1), takeoverTime
	if s.program, err = os.Executable(); err != nil {
		return errors.Join(fmt.Errorf("find this program: %w", err), s.store.Close())
	}
	if s.listeners, err = inheritListeners(); err == nil {
		err = s.run(ctx, io.out)
	}
	return errors.Join(err, s.store.Close())
}

func newLog(format string, w io.Writer) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(w)
	f, ok := w.(*os.File)
	if format == "json" || format == "" && !(ok && term.IsTerminal(int(f.Fd()))) {
		log.SetFormatter(&logrus.JSONFormatter{})
	}
	return log
}

// A server is the stages, wired.
type server struct {
	args     []string // of serve
	program  string   // where the program is installed
	c        config.Config
	log      *logrus.Logger
	store    *state.Store
	access   *procman.AccessLog
	certs    *certs.Set // nil without HTTPS
	keys     *access.Access
	router   *proxy.Router
	network  *netns.Network // nil: apps share the machine's
	procs    *procman.Supervisor
	pipeline *deploy.Pipeline
	commands *command.Set
	ssh      *sshd.Server
	metrics  *metrics.Metrics

	sessions         atomic.Int64 // calls by ssh under way
	booted, stopping atomic.Bool

	listeners *listeners
	upgrade   chan struct{} // gets one when another process shall take over
	takeover  time.Duration // what that gets to serve in
}

// newServer opens the state and wires the stages; nothing listens yet.
func newServer(ctx context.Context, c config.Config, log *logrus.Logger) (s *server, err error) {
	if c.Data, err = filepath.Abs(c.Data); err != nil {
		return nil, fmt.Errorf("find the data folder: %w", err)
	}
	store, err := state.Open(c.Data)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, store.Close())
		}
	}()
	for _, d := range store.Damaged() {
		log.WithField("app", d.Name).WithField("fix", d.Hint()).WithError(d.Err).Error("app not served: its record is damaged")
	}
	if err := addAdmins(store, c.AdminKey); err != nil {
		return nil, err
	}
	set, err := rememberedToolchains(ctx, c, store, log)
	if err != nil {
		return nil, err
	}
	s = &server{c: c, log: log, store: store, keys: access.New(store.Keys())}
	if err := s.trust(c); err != nil {
		return nil, err
	}
	s.access = procman.NewAccessLog(func(app string) string { return filepath.Join(store.AppDir(app), "logs") })
	routing := proxy.Options{Log: log, AccessLog: s.access.Line}
	for _, n := range c.TrustedProxies {
		routing.TrustedProxies = append(routing.TrustedProxies, n.Prefix)
	}
	if err := s.openCerts(&routing); err != nil {
		return nil, err
	}
	s.router = proxy.New(routing)
	if s.network, err = openNetwork(c, log); err != nil {
		return nil, err
	}
	s.procs, err = newSupervisor(c, s.router, s.network, log)
	if err != nil {
		return nil, err
	}
	s.metrics = s.newMetrics()
	s.pipeline = deploy.New(deploy.Options{
		Store: store, Nix: set.nix, Builder: set.builder, Supervisor: s.procs, Router: s.router, Access: s.access, Log: log,
		Version: version, Domain: c.Domain, Observe: s.metrics.Deployed, MinFree: int64(c.MinFree), KeepReleases: c.Releases, Builds: c.Builds, OSV: c.OSV,
	})
	s.commands = &command.Set{
		Store: store, Pipeline: s.pipeline, Procs: s.procs, Version: version, Started: time.Now(), Packages: set.name, Certs: s.certs, ParseSize: config.ParseSize,
		Git: &receive.Server{Ingester: ingester(c), Limits: receive.Limits{PackBytes: int64(c.MaxPushSize)}},
	}
	s.commands.Doctor = s.checkRunning
	s.commands.SetAutocreate(c.Autocreate)
	host, err := sshd.LoadHostKey(filepath.Join(c.Data, "host_ed25519"))
	if err != nil {
		return nil, err
	}
	s.ssh = sshd.New(sshd.Options{HostKey: host, Lookup: s.lookup, Handle: s.handle, Log: log})
	return s, nil
}

func ingester(c config.Config) receive.Ingester {
	if c.Ingester == "git" {
		return receive.GitIngester{}
	}
	return receive.GoIngester{}
}

func newSupervisor(c config.Config, router *proxy.Router, network *netns.Network, log logrus.FieldLogger) (*procman.Supervisor, error) {
	features := sandbox.Support()
	isolation := procman.IsolationRequire
	if features.Isolation == "none" {
		if c.Isolation != "prefer" {
			return nil, &usageError{"this machine cannot isolate processes", "see what is missing: hop3 doctor; to run without isolation set isolation = \"prefer\" in server.toml"}
		}
		log.Warn("apps run without isolation: this machine cannot give it")
		isolation = procman.IsolationNone
	}
	for _, m := range features.Problems {
		log.WithField("fix", m.Fix).Warn(m.What)
	}
	var machine unix.Sysinfo_t
	if err := unix.Sysinfo(&machine); err != nil {
		return nil, fmt.Errorf("look at the machine's memory: %w", err)
	}
	exe, err := slim.Executable()
	if err != nil {
		log.WithError(err).Warn("shims are hop3 itself, and larger")
	}
	return procman.New(procman.Options{
		SwapMemory: int64(machine.Totalram) * int64(machine.Unit) / 100 * int64(c.SwapMemory),
		Exe:        cmp.Or(exe, sandbox.Executable()), Router: router, Ports: procman.PortRange{From: c.Ports.First, To: c.Ports.Last}, Isolation: isolation, Network: network, Log: log,
		Defaults: sandbox.Limits{MemoryBytes: int64(c.Memory), CPUMillis: int64(c.CPU), Pids: int64(c.Pids)},
	}), nil
}

// run listens, says so, and serves until ctx ends.
func (s *server) run(ctx context.Context, stdout io.Writer) error {
	s.pipeline.Prepare()
	sshSocket, err := s.listeners.listen(sshListener, s.c.SSH)
	if err != nil {
		return err
	}
	httpSocket, err := s.listeners.listen(httpListener, s.c.HTTP)
	if err != nil {
		return errors.Join(err, sshSocket.Close())
	}
	s.pipeline.HTTPAddr = httpSocket.Addr().String()
	ends := make(chan error, 4)
	stopMetrics, err := s.serveHealth(ends)
	if err != nil {
		return errors.Join(err, sshSocket.Close(), httpSocket.Close())
	}
	if err := s.serveHTTPS(ends); err != nil {
		return errors.Join(err, stopMetrics(), sshSocket.Close(), httpSocket.Close())
	}
	s.routerPorts()
	booted := s.pipeline.Boot(ctx) // before anybody can call: whoever changes an app waits for its start
	timed := make(chan struct{})
	clock, stopClock := context.WithCancel(ctx)
	go func() { defer close(timed); booted(); s.booted.Store(true); s.pipeline.RunCron(clock) }()
	defer func() { stopClock(); <-timed }()
	go func() { ends <- s.router.Serve(httpSocket) }()
	go func() { ends <- s.ssh.Serve(sshSocket) }()
	if _, err := fmt.Fprintf(stdout, "hop3 ready ssh=%s http=%s data=%s\n", sshSocket.Addr(), httpSocket.Addr(), s.c.Data); err != nil {
		s.log.WithError(err).Warn("nobody reads the ready line")
	}
	if err := notify("READY=1"); err != nil {
		s.log.WithError(err).Warn("systemd was not told that the server is ready")
	}
	if err := errors.Join(tellPredecessor(), s.listeners.closeRest()); err != nil {
		s.log.WithError(err).Warn("the takeover is not complete")
	}
	s.obeySignals(ctx)
	pause := func() { stopClock(); <-timed }
	for serving := true; serving; {
		select {
		case <-ctx.Done():
			serving, err = false, nil
		case err = <-ends:
			serving = false
		case <-s.upgrade:
			booted()
			err := s.handOver(ctx, pause)
			if !errors.Is(err, errNotYet) {
				return errors.Join(err, stopMetrics())
			}
			s.log.WithError(err).Error("this server goes on")
		}
	}
	s.stopping.Store(true)
	if err := notify("STOPPING=1"); err != nil {
		s.log.WithError(err).Warn("systemd was not told that the server stops")
	}
	booted()
	return errors.Join(err, stopMetrics(), s.stop())
}

// stop lets calls and requests finish. Apps keep running, unless told otherwise.
func (s *server) stop() error {
	s.log.Info("stopping")
	_ = s.bounded("ssh", s.ssh.Shutdown) // has been logged
	s.pipeline.Close()
	_ = s.bounded("the router", s.router.Shutdown) // has been logged
	if s.certs != nil {
		s.certs.Close()
	}
	return errors.Join(s.access.Close(), s.bounded("processes", func(ctx context.Context) error { return s.procs.Close(ctx, s.c.StopApps) }), s.closeNetwork())
}

// bounded gives a stage drainTime of its own to end in. That it took longer
// is no error: what was left has been cut.
func (s *server) bounded(what string, end func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	err := end(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if err != nil {
		s.log.WithError(err).Warn(what + " did not stop cleanly")
	}
	return err
}
