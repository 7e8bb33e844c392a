package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hop3/internal/state"
	"hop3/procman"
	"hop3/procman/sandbox"
)

// An activation is a wish to make a release live.
type activation struct {
	app     string
	release state.Release // without number and status
	config  map[string]string
	restart []string // types whose processes are replaced even if unchanged
	command bool     // run the release command first
	pushed  bool     // the release's commit becomes the branch
	times   *timings // where to write how long it took, may be nil
	ticket  *ticket  // of a build, which can be cancelled until it passes
	trusted bool     // it was live before: no probation

	attached *[]state.Attachment // the services that the app uses from then on; nil leaves them
	failed   string              // why the release that it replaces is withdrawn; "" retires it
}

// activate makes a release live: it records it, runs its release command,
// swaps the processes and records that it is live, all or nothing. It needs
// the app's turn in the queue. Its error is a [*Failure] where the release
// itself is at fault.
func (p *Pipeline) activate(ctx context.Context, talk *Talk, a activation) (state.Release, error) {
	rel, err := p.add(a)
	if err != nil {
		return rel, err
	}
	defer p.prune(a.app)
	err = p.at(stepPending)
	if err == nil {
		err = p.start(ctx, talk, a, rel)
	}
	if err != nil {
		return rel, errors.Join(err, p.fail(a.app, rel.Number, err))
	}
	return rel, nil
}

// The steps of an activation around those of its swap.
const (
	stepPending  procman.Step = "pending"  // the release is recorded
	stepReleased procman.Step = "released" // its release command has run
	stepSettled  procman.Step = "settled"  // at a start of the server: what was half done in the state is not any more
)

// at tells Options.Fault that a step is reached.
func (p *Pipeline) at(step procman.Step) error {
	if p.Fault == nil {
		return nil
	}
	return p.Fault(step)
}

func (p *Pipeline) start(ctx context.Context, talk *Talk, a activation, rel state.Release) error {
	app, err := p.Store.App(a.app)
	if err != nil {
		return err
	}
	if a.times == nil {
		a.times = &timings{}
	}
	began := time.Now()
	if a.attached != nil {
		next := *app
		next.Attached = *a.attached
		app = &next
	}
	run := p.running(app, rel)
	if err := p.checkHosts(a.app, run.Hosts); err != nil {
		return err
	}
	if a.command && rel.ReleaseCommand != "" {
		if err := p.releaseCommand(ctx, talk, run, rel.ReleaseCommand); err != nil {
			return err
		}
	}
	if err := p.at(stepReleased); err != nil {
		return err
	}
	a.times.release = time.Since(began)
	talk.Step("Starting %s", formationText(run))
	out := talk.Lines("")
	defer out.Close() //nolint:errcheck // a Talk's writer has no error
	before, _ := p.Router.Stats(a.app)
	committed := false
	done, err := p.Supervisor.Swap(ctx, run, procman.SwapOptions{
		Progress: out,
		Restart:  a.restart,
		Commit: func() error {
			err := p.promote(a, rel.Number)
			committed = err == nil
			return err
		},
	})
	if committed && err != nil { // the release is the current one: the next start makes it run
		p.Log.WithField("app", a.app).WithError(err).Error("the swap did not end after its commit")
	} else if err != nil {
		return swapFailure(err)
	}
	a.times.boot, a.times.swap = done.Boot, done.Took-done.Boot
	if app.Current > 0 && !a.trusted {
		p.observe(probation{app: a.app, release: rel.Number, previous: app.Current, before: before, ends: time.Now().Add(watchTime(rel))})
	}
	if a.command && rel.Postdeploy != "" {
		p.postdeploy(ctx, talk, run, rel.Postdeploy)
	}
	return nil
}

// add records the release as pending under the next number.
func (p *Pipeline) add(a activation) (rel state.Release, err error) {
	rel = a.release
	_, err = p.Store.Update(a.app, func(app *state.App) error {
		app.LastRelease++
		rel.Number, rel.Status, rel.At = app.LastRelease, state.Pending, time.Now().UTC()
		rel.Config, rel.Trusted = a.config, a.trusted
		if rel.Roots == 0 {
			rel.Roots = rel.Number
		}
		app.Releases = append(app.Releases, rel)
		return nil
	})
	return rel, err
}

// promote is the commit point: one rename makes the release the current one.
func (p *Pipeline) promote(a activation, number int) error {
	_, err := p.Store.Update(a.app, func(app *state.App) error {
		for i := range app.Releases {
			switch r := &app.Releases[i]; {
			case r.Number == number:
				r.Status = state.Live
				if a.pushed {
					app.Pushed = r.Commit
				}
			case r.Status == state.Live && a.failed != "":
				r.Status, r.Error = state.Withdrawn, a.failed // a rollback does not choose it
			case r.Status == state.Live:
				r.Status = state.Retired
			}
		}
		app.Current, app.Config = number, a.config
		if a.attached != nil {
			app.Attached = *a.attached
		}
		return nil
	})
	p.clock.wake()
	return err
}

// fail records why a release did not become live.
func (p *Pipeline) fail(app string, number int, cause error) error {
	_, err := p.Store.Update(app, func(a *state.App) error {
		for i := range a.Releases {
			if r := &a.Releases[i]; r.Number == number && r.Status == state.Pending {
				r.Status, r.Error = state.Failed, cause.Error()
			}
		}
		return nil
	})
	return err
}

// releaseTimeout ends a release command that hangs; migrations of large
// tables take minutes.
const releaseTimeout = 15 * time.Minute

// tailLines is how much of a failed thing's output the pusher sees again.
const tailLines = 50

func (p *Pipeline) releaseCommand(ctx context.Context, talk *Talk, run procman.Release, command string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, releaseTimeout, fmt.Errorf("no end after %v", releaseTimeout))
	defer cancel()
	talk.Line("release: %s", command)
	tail := newTail(tailLines, talk.Lines("release: "))
	code, err := p.Supervisor.Run(ctx, run, procman.RunSpec{Type: "release", Shell: command, Out: tail, Err: tail})
	tail.close()
	if err != nil {
		return &Failure{What: "the release command failed: " + err.Error(), Tail: tail.lines, Why: "release command failed", Mend: "nothing was changed; mend the command and push again", Status: err}
	}
	if code != 0 {
		return &Failure{What: fmt.Sprintf("the release command %q failed with %s", command, exitText(code)), Tail: tail.lines, Why: "release command failed", Mend: "nothing was changed; mend the command and push again"}
	}
	return nil
}

// postdeploy runs the command that follows a deploy. The release is live: a failure is told, and undoes nothing.
func (p *Pipeline) postdeploy(ctx context.Context, talk *Talk, run procman.Release, command string) {
	ctx, cancel := context.WithTimeoutCause(ctx, releaseTimeout, fmt.Errorf("no end after %v", releaseTimeout))
	defer cancel()
	talk.Line("postdeploy: %s", command)
	out := talk.Lines("postdeploy: ")
	code, err := p.Supervisor.Run(ctx, run, procman.RunSpec{Type: procman.PostdeployType, Shell: command, Out: out, Err: out})
	_ = out.Close() // a Talk's writer has no error
	switch {
	case err != nil:
		talk.Fail("the postdeploy command failed: %v; the release is live", err)
	case code != 0:
		talk.Fail("the postdeploy command failed with %s; the release is live", exitText(code))
	}
}

// exitText tells an exit status as people say it.
func exitText(code int) string {
	if code > 128 && code < 128+65 {
		return "signal " + unix.SignalName(syscall.Signal(code-128))
	}
	return fmt.Sprintf("exit status %d", code)
}

// swapFailure turns an error of procman into what the pusher reads.
func swapFailure(err error) error {
	f := &Failure{What: err.Error(), Mend: hintOf(err), Why: "start failed", Status: err}
	if start, ok := errors.AsType[*procman.StartError](err); ok {
		f.Tail = start.Log
	}
	if errors.Is(err, context.Canceled) {
		f.Why = "cancelled"
	}
	return f
}

// running is the release as procman sees it.
func (p *Pipeline) running(app *state.App, rel state.Release) procman.Release {
	dir := p.Store.AppDir(app.Name)
	run := procman.Release{
		App: app.Name, Number: rel.Number, Commit: rel.Commit,
		StorePath: rel.StorePath, Closure: rel.Closure,
		AppEnv: environment(rel), Masked: masked(app, rel), Static: rel.Static, SPA: rel.SPA,
		Formation: formation(app, rel),
		Hosts:     p.hosts(app, rel),
		Health:    health(rel.Health),
		UID:       app.UID,
		DataDir:   filepath.Join(dir, "data"), LogDir: filepath.Join(dir, "logs"), RunDir: p.runDir(app.Name), JobDir: p.JobDir(app.Name),
		StartTimeout: rel.StartTimeout, DrainTimeout: rel.DrainTimeout,
		URL: p.URL(app.Name), Maintenance: maintenancePage(app), MaxBody: app.MaxBody, ResponseTimeout: app.ResponseTimeout,
	}
	run.Sockets, run.Port, run.Mounts = p.sockets(app), rel.Port, mounts(rel, run.DataDir)
	for _, t := range rel.Processes {
		run.Processes = append(run.Processes, procman.Process{
			Type: t.Type, Command: t.Command, StopSignal: t.StopSignal, StopTimeout: t.StopTimeout, Exclusive: t.Exclusive,
			StartTimeout: t.StartTimeout, DrainTimeout: t.DrainTimeout, RestartLimit: t.RestartLimit, Health: healths(t.Checks),
			Limits: sandbox.Limits{MemoryBytes: t.MemoryBytes, CPUMillis: t.CPUMillis, Pids: t.Pids},
		})
	}
	if app.Service != nil {
		p.asService(app, rel, &run)
	}
	return run
}

// environment is the app's own variables: its files' defaults under its settings.
func environment(rel state.Release) map[string]string {
	env := maps.Clone(rel.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, rel.Config)
	return env
}

// Hosts are the names at which the app answers now.
func (p *Pipeline) Hosts(app *state.App) []string {
	rel, _ := app.CurrentRelease()
	return p.hosts(app, rel)
}

func (p *Pipeline) hosts(app *state.App, rel state.Release) []string {
	if app.Service != nil {
		return nil // the router does not lead to it
	}
	hosts := append([]string{app.Name + "." + p.Domain}, app.Domains...)
	for _, h := range rel.Hosts {
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// checkHosts refuses names at which another app answers.
func (p *Pipeline) checkHosts(app string, hosts []string) error {
	for _, other := range p.Store.Apps() {
		if other.Name == app {
			continue
		}
		for _, h := range p.Hosts(other) {
			if slices.Contains(hosts, h) {
				return &state.Conflict{What: fmt.Sprintf("the name %s belongs to another app", h), Mend: "choose another, or remove it there first"}
			}
		}
	}
	for _, h := range hosts {
		if strings.HasSuffix(h, "."+p.Domain) && h != app+"."+p.Domain {
			return &state.Conflict{What: fmt.Sprintf("the name %s is kept for an app of that name", h), Mend: "choose one outside of " + p.Domain}
		}
	}
	return nil
}

// formation is how many instances of each type run: what ps:scale said, over
// what the app's files say, over web=1 and nothing else.
func formation(app *state.App, rel state.Release) map[string]int {
	f := map[string]int{}
	for _, t := range rel.Processes {
		n := 0
		if t.Type == procman.Web {
			n = 1
		}
		if v, ok := rel.Formation[t.Type]; ok {
			n = v
		}
		if v, ok := app.Formation[t.Type]; ok {
			n = v
		}
		if app.Stopped {
			n = 0
		}
		f[t.Type] = n
	}
	return f
}

func formationText(run procman.Release) string {
	if len(run.Processes) == 0 {
		return "the files of " + run.Static
	}
	var parts []string
	for _, t := range run.Processes {
		parts = append(parts, fmt.Sprintf("%s=%d", t.Type, run.Formation[t.Type]))
	}
	return strings.Join(parts, " ")
}

// A tailWriter passes output on and keeps its last lines. Its methods may be
// called at once.
type tailWriter struct {
	next  io.WriteCloser
	split *liner
	lines []string // written under the liner's lock; read after close
}

func newTail(limit int, next io.WriteCloser) *tailWriter {
	w := &tailWriter{next: next}
	w.split = &liner{emit: func(line string) {
		if w.lines = append(w.lines, line); len(w.lines) > limit {
			w.lines = w.lines[1:]
		}
	}}
	return w
}

func (w *tailWriter) Write(b []byte) (int, error) {
	if _, err := w.split.Write(b); err != nil {
		return 0, err
	}
	return w.next.Write(b)
}

func (w *tailWriter) close() {
	_ = w.split.Close() // has no error
	_ = w.next.Close()  // a Talk's writer has no error
}
