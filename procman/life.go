package procman

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"hop3/procman/sandbox"
	"hop3/procman/shim"
)

// start runs i in release r and returns when it is ready. On an error the process, if there is one, still runs: the
// caller decides what becomes of it. The owner's goroutine must not call it.
func (a *app) start(ctx context.Context, i *instance, r *Release, note func(string)) error {
	ctx, cancel := a.within(ctx)
	defer cancel()
	var u *run
	var err error
	if off := a.do(func() { u, err = i.prepare(r, cancel) }); off != nil {
		return off
	}
	if err != nil {
		return startError(i.slot.String(), r, err)
	}
	u.note = note
	defer close(u.i.starting)
	if err := a.sup.at(StepRecorded); err != nil {
		return startError(i.slot.String(), r, err)
	}
	proc, err := u.execute(ctx)
	if err != nil {
		return startError(i.slot.String(), r, err)
	}
	_ = a.sup.at(StepStarted) // a server can die here; nothing can fail
	if err := a.do(func() { a.attach(i, proc) }); err != nil {
		return err
	}
	if err := a.sup.at(StepAttached); err != nil {
		return err
	}
	if err := u.ready(ctx, proc); err != nil {
		return u.failure(proc, err)
	}
	err = errForgotten
	if off := a.do(func() {
		if i.leaving || i.paused {
			return
		}
		err = nil
		i.set(Ready)
		if a.live[i.slot] == i {
			a.point()
		}
		a.changed()      // after the route: who reads "ready" may ask at once
		if ended(proc) { // between the last probe and now: nobody else looks at what is not ready
			a.exited(i, proc)
		}
	}); off != nil {
		return off
	}
	return cmp.Or(err, a.sup.at(StepReady))
}

func ended(p *shim.Instance) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// attach connects i with its running shim. Owner only.
func (a *app) attach(i *instance, proc *shim.Instance) {
	i.shim = proc
	a.changed()
	a.prune()
	a.sup.wg.Go(func() {
		if await(a.sup.base, proc.Done()) == nil {
			a.do(func() { a.exited(i, proc) }) //nolint:errcheck // it fails only when nobody wants to know any more
		}
	})
}

// ready waits until the run has passed all its checks.
func (u *run) ready(ctx context.Context, proc *shim.Instance) error {
	begun := time.Now()
	kind, _ := u.r.process(u.i.slot.Type)
	p := probe{
		port: u.port, pid: proc.Pid(), done: proc.Done(),
		dial: func(ctx context.Context) (net.Conn, error) { return proc.Dial(ctx, u.port) },
		note: func(text string) {
			if u.note != nil {
				u.note(u.i.slot.String() + " " + text)
			}
		},
	}
	if len(u.r.Hosts) > 0 {
		p.host = u.r.Hosts[0]
	}
	if kind.Ready != nil {
		p.health, p.timeout = u.r.Health, kind.StartTimeout
		return p.asked(ctx, kind.Ready)
	}
	for _, h := range kind.Health {
		p.health, p.timeout, p.check = h, kind.StartTimeout-time.Since(begun), nil
		p.mute = kind.Type != Web && !h.Listening && h.Path == ""
		if h.Command != "" {
			p.check = u.healthCommand(proc, h.Command)
		}
		if err := p.wait(ctx, h.asks(kind.Type)); err != nil {
			return err
		}
	}
	return nil
}

// failure explains why a run did not become ready.
func (u *run) failure(proc *shim.Instance, err error) error {
	e := &StartError{App: u.r.App, Process: u.i.slot.String(), Release: u.r.Number}
	if odd, ok := errors.AsType[*notReady](err); ok {
		e.Reason, e.Detail = odd.reason, odd.detail
	} else if errors.Is(err, errEnded) {
		exit := proc.Exit()
		e.Reason, e.Detail, e.Exit = EndedEarly, exitText(exit)+" before it was ready", &exit
	} else {
		return fmt.Errorf("start %s: %w", e.Process, err)
	}
	e.Log = tailText(u.spec.LogPath, failureLines)
	return e
}

// failureLines is how much of its log a failed start quotes.
const failureLines = 50

// startError explains why a run did not even begin.
func startError(name string, r *Release, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, errClosed) || errors.Is(err, errForgotten) {
		return fmt.Errorf("start %s: %w", name, err)
	}
	e := &StartError{App: r.App, Process: name, Release: r.Number, Reason: NotStarted, Err: err}
	e.Detail = "could not be executed: " + err.Error()
	if c, ok := errors.AsType[*CommandError](err); ok {
		e.Detail = "cannot run: " + c.Problem + " (command: " + c.Command + ")"
	}
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		e.hint = h.Hint()
	}
	return e
}

// exited notes the end of a run that was ready. A run that was not is dealt with by who started it, and one that is
// being let go by who does that. Owner only.
func (a *app) exited(i *instance, proc *shim.Instance) {
	if i.shim != proc || i.state != Ready {
		return
	}
	exit := proc.Exit()
	if a.live[i.slot] == i {
		a.down(i, &exit, time.Since(i.since))
		return
	}
	i.exit = &exit
	i.set(Exited)
	a.changed()
}

// down takes a live instance whose run has ended out of the route and plans its restart. Owner only.
func (a *app) down(i *instance, exit *Exit, up time.Duration) {
	var delay time.Duration
	i.crashes, delay = i.crashes.next(up, rand.Float64())
	i.exit = exit
	i.detach()
	i.set(i.crashes.state())
	log := a.log().WithField("proc", i.slot).WithField("release", i.release)
	how := "did not become ready"
	if exit != nil {
		how = exitText(*exit)
	}
	if limit := i.proc.RestartLimit; limit > 0 && int(i.crashes) >= limit {
		i.set(Crashed)
		log.Warnf("process %s; it stays down after %d crashes", how, i.crashes)
	} else {
		log.Warnf("process %s; restart in %v", how, delay.Round(time.Millisecond))
		i.timer = time.AfterFunc(delay, func() {
			a.do(func() { a.restart(i) }) //nolint:errcheck // it fails only when nobody wants the restart any more
		})
	}
	a.point()
	a.changed()
}

// detach forgets the run of i that has ended; the port stays with i. Owner only.
func (i *instance) detach() {
	if i.shim != nil {
		i.shim.Close() //nolint:errcheck // it tells what was left to clean up, which its end has logged
	}
	i.shim = nil
	i.backend = nil
	i.clean()
}

// restart starts a live instance again. Owner only.
func (a *app) restart(i *instance) {
	if i.leaving || i.paused || a.live[i.slot] != i || a.release == nil {
		return
	}
	r := a.release
	i.restarts++
	a.restarts.Add(1)
	a.sup.wg.Go(func() { a.revive(a.sup.base, i, r) })
}

// revive starts a live instance, and plans its restart where that fails.
func (a *app) revive(ctx context.Context, i *instance, r *Release) error {
	err := a.start(ctx, i, r, nil)
	if err == nil || a.sup.base.Err() != nil {
		return err
	}
	var proc *shim.Instance
	off := false
	if a.do(func() { proc, off = i.shim, i.leaving || i.paused }) != nil || off {
		return err
	}
	a.log().WithField("proc", i.slot).WithError(err).Debug("restart did not succeed")
	var exit *Exit
	if proc != nil {
		a.halt(a.sup.base, i, proc)
		if ended(proc) {
			e := proc.Exit()
			exit = &e
		}
	}
	if off := a.do(func() {
		if !i.leaving && !i.paused {
			a.down(i, exit, 0)
		}
	}); off != nil {
		return off
	}
	return err
}

// halt stops the process of i: its signal, its time, KILL.
//
// When the supervisor ends before the process has, it is killed: only what was let go is ever halted.
func (a *app) halt(ctx context.Context, i *instance, proc *shim.Instance) {
	var p Process
	if a.do(func() { p = i.proc }) != nil {
		return
	}
	sig, err := parseSignal(p.StopSignal)
	if err == nil {
		err = proc.Stop(ctx, sig, orElse(p.StopTimeout, DefaultStopTimeout))
	}
	if err == nil || ended(proc) {
		return
	}
	a.log().WithField("proc", i.slot).WithError(err).Warn("process not stopped as asked; killing it")
	if err := proc.Kill(); err != nil {
		a.log().WithField("proc", i.slot).WithError(err).Error("process not killed")
	}
	await(ctx, proc.Done()) //nolint:errcheck // ctx's end is the supervisor's
}

// retire lets go of i: what it has in flight finishes, then it is stopped, then nothing of it is left. The route must
// not name it any more. Owner only.
func (a *app) retire(i *instance) {
	if i.leaving {
		return
	}
	i.leaving = true
	if i.timer != nil {
		i.timer.Stop()
	}
	i.set(Stopping)
	if i.backend != nil {
		i.set(Draining)
	}
	a.extra[i] = true
	if i.starting != nil {
		i.cancel()
	}
	a.sup.wg.Go(func() { a.letGo(i) })
}

func (a *app) letGo(i *instance) {
	ctx := a.sup.base
	if i.starting != nil { // set before leaving, never after
		if await(ctx, i.starting) != nil {
			return
		}
	}
	var proc *shim.Instance
	if a.do(func() { proc = i.shim }) != nil {
		return
	}
	if i.backend != nil { // changed by the owner only while it is not leaving
		a.drain(ctx, i)
		_ = a.sup.at(StepDrained)
		if a.do(func() { i.set(Stopping); a.changed() }) != nil {
			return
		}
	}
	if proc != nil {
		a.halt(ctx, i, proc)
		if ctx.Err() != nil {
			return // the next supervisor finds it in the record
		}
		_ = a.sup.at(StepStopped)
	}
	a.do(func() { //nolint:errcheck // it fails only when the supervisor ends
		i.detach()
		i.freePort()
		delete(a.extra, i)
		a.changed()
		close(i.gone)
	})
}

// drain waits for the requests that i has in flight, at most as long as its release says.
func (a *app) drain(ctx context.Context, i *instance) {
	ctx, cancel := context.WithTimeout(ctx, i.drain)
	defer cancel()
	if err := i.backend.Drain(ctx); err != nil {
		a.log().WithField("proc", i.slot).WithError(err).Info("drain ended early")
	}
	i.backend.Close()
}

// exitText words an exit as the end of a sentence about the process.
func exitText(e sandbox.ExitStatus) string {
	switch {
	case e.OOM:
		return "was killed: out of memory"
	case e.Signal != "":
		return "was ended by " + e.Signal
	}
	return "exited with status " + strconv.Itoa(e.Code)
}
