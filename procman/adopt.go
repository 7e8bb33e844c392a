package procman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hop3/procman/shim"
)

// adoptHold is how long requests wait for an app that is being started after a restart of the server.
const adoptHold = 30 * time.Second

// Adopt makes r what runs of its app when the server starts: the current release, with formation all zero where the app
// is stopped. Processes of an earlier supervisor that match it are taken over with their pids; others are stopped;
// missing ones are started, and tried again by the usual restarts where that fails. Requests wait until the first web
// process is ready. It returns when every process was ready or failed once; the error tells of those, and the app is
// under way all the same, except where the release itself or its hosts were refused. It must be the first call for its
// app; for an app that has no release, Reap is.
func (s *Supervisor) Adopt(ctx context.Context, r Release) error {
	rel, err := r.normal(s.o.Defaults)
	if err != nil {
		return err
	}
	a, err := s.app(rel.App)
	if err != nil {
		return err
	}
	if err := a.take(ctx); err != nil {
		return fmt.Errorf("adopt %s: %w", a.name(), err)
	}
	defer a.give()
	if off := a.do(func() { err = a.claim(rel) }); off != nil || err != nil {
		return errors.Join(off, err)
	}
	left := a.leftovers()
	var missing []*instance
	if err := a.do(func() { missing = a.fill(rel, left) }); err != nil {
		return err
	}
	return a.boot(ctx, missing, rel)
}

// Reap stops what an earlier supervisor left of an app that has no current release: a first deploy that was cut off.
func (s *Supervisor) Reap(ctx context.Context, app, runDir string) error {
	a, err := s.app(app)
	if err != nil {
		return err
	}
	if err := a.take(ctx); err != nil {
		return fmt.Errorf("reap %s: %w", app, err)
	}
	defer a.give()
	if off := a.do(func() {
		if a.adopted || a.release != nil { // it is being looked after
			return
		}
		if _, err := os.Stat(runDir); err != nil {
			return // nothing was ever started
		}
		a.dir = runDir
		err = a.sweep()
	}); off != nil || err != nil {
		return errors.Join(off, err)
	}
	return a.awaitRetired(ctx, 0)
}

// claim makes r the live release, with nothing in its slots and its requests waiting. Owner only.
func (a *app) claim(r *Release) error {
	if a.release != nil || a.adopted {
		return fmt.Errorf("adopt %s: it is being looked after already", a.name())
	}
	if err := a.folders(r); err != nil {
		return err
	}
	a.hold = adoptHold
	if err := a.sup.o.Router.Point(a.route(r)); err != nil {
		return fmt.Errorf("adopt %s: %w", a.name(), err)
	}
	a.release, a.adopted = r, true
	return nil
}

// orphanType is the process type of what runs and is in no record.
const orphanType = "orphan"

// leftover is an instance of an earlier supervisor.
type leftover struct {
	recordInstance
	proc *shim.Instance // nil: nothing of it runs, or it could not be taken
	kept bool           // it may run all the same: its folder stays
}

// leftovers finds the instances that the record and the folders in RunDir tell of.
func (a *app) leftovers() []*leftover {
	var out []*leftover
	known := map[string]bool{}
	rec, seq, err := readRecord(a.dir)
	a.seq = seq // the owner waits for its turn, or is the caller
	if err != nil {
		a.log().WithError(err).Error("record not read: processes of the last run are stopped, not taken over")
		rec = &record{}
	}
	for _, i := range rec.Instances {
		out = append(out, &leftover{recordInstance: i})
		known[i.ID] = true
	}
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		a.log().WithError(err).Error("folder of the last run not read")
	}
	for _, e := range entries {
		if e.IsDir() && instanceID.MatchString(e.Name()) && !known[e.Name()] {
			out = append(out, &leftover{recordInstance: recordInstance{ID: e.Name(), Type: orphanType, Index: 1}})
		}
	}
	var all sync.WaitGroup
	for _, l := range out {
		all.Go(func() {
			dir := filepath.Join(a.dir, l.ID)
			id, err := l.identity(dir)
			if err != nil {
				return // it never came to life
			}
			proc, err := shim.Adopt(dir, id)
			if err != nil {
				l.kept = !errors.Is(err, shim.ErrGone)
				if l.kept {
					a.log().WithField("proc", l.Type).WithError(err).Error("instance of the last run not taken over, may still run")
				} else {
					a.log().WithField("proc", l.Type).WithError(err).Debug("instance of the last run is not there any more")
				}
				return
			}
			l.proc = proc
		})
	}
	all.Wait()
	return out
}

// identity is what the record says, or, where the server ended between starting the instance and writing that down, what
// the instance's own folder says.
func (l *leftover) identity(dir string) (shim.Identity, error) {
	if l.Identity != nil {
		return *l.Identity, nil
	}
	var card struct {
		Identity shim.Identity `json:"identity"`
	}
	b, err := os.ReadFile(filepath.Join(dir, "instance.json"))
	if err == nil {
		err = json.Unmarshal(b, &card)
	}
	return card.Identity, err
}

// fill puts what matches r into its slots, lets the rest go, and returns the instances that have to be started or
// looked at. Owner only.
func (a *app) fill(r *Release, left []*leftover) (missing []*instance) {
	for _, w := range r.wants() {
		i := a.instance(w, r)
		a.live[w.slot] = i
		best := choose(left, w)
		if best == nil {
			missing = append(missing, i)
			continue
		}
		i.restarts = best.Restarts
		a.inherit(i, best)
		if ended(best.proc) {
			exit := best.proc.Exit()
			i.exit = &exit
			i.restarts++
			i.detach()
			missing = append(missing, i)
		} else if best.State == Ready {
			i.set(Ready)
		} else {
			missing = append(missing, i)
		}
	}
	for _, l := range left {
		if l != nil {
			a.dismiss(l, r)
		}
	}
	a.opened()
	a.changed()
	return missing
}

// choose takes out of left the instance that is to fill w; nil where there is none.
func choose(left []*leftover, w wanted) *leftover {
	best := -1
	for n, l := range left {
		if l == nil || l.proc == nil || l.Hash != w.hash || (slot{l.Type, l.Index}) != w.slot {
			continue
		}
		if l.State != Ready && l.State != Starting { // it may have been told to stop
			continue
		}
		if best < 0 || l.Release > left[best].Release || l.State == Ready && left[best].State != Ready {
			best = n
		}
	}
	if best < 0 {
		return nil
	}
	l := left[best]
	left[best] = nil
	return l
}

// inherit gives i the run of an earlier supervisor. Owner only.
func (a *app) inherit(i *instance, l *leftover) {
	i.id, i.release, i.port = l.ID, l.Release, l.Port
	if i.port != 0 {
		a.sup.ports.reserve(i.port)
	}
	a.attach(i, l.proc)
}

// dismiss lets go of what an earlier supervisor left and nobody wants. Owner only.
func (a *app) dismiss(l *leftover, r *Release) {
	w := wanted{slot: slot{l.Type, l.Index}, hash: l.Hash}
	if r != nil {
		w.proc, _ = r.process(l.Type)
	} else {
		r = &Release{Number: l.Release}
	}
	i := a.instance(w, r)
	i.id = l.ID
	if l.proc == nil {
		if !l.kept {
			i.clean()
		}
		return
	}
	a.inherit(i, l)
	a.retire(i)
}

// sweep stops what an earlier supervisor left, where nobody called Adopt. Owner only.
func (a *app) sweep() error {
	if a.adopted {
		return nil
	}
	a.adopted = true
	if _, err := os.Stat(a.dir); err != nil {
		return nil // nothing was ever started
	}
	for _, l := range a.leftovers() {
		a.dismiss(l, nil)
	}
	a.changed()
	return nil
}

// opened ends the wait of the requests once somebody can answer them. Owner only.
func (a *app) opened() {
	for _, i := range a.live {
		if i.slot.Type == Web && i.state == Ready {
			a.hold = 0
		}
	}
	a.point()
}

// boot starts the missing instances.
func (a *app) boot(ctx context.Context, missing []*instance, r *Release) error {
	ctx, cancel := a.within(ctx)
	defer cancel()
	errs := make([]error, len(missing))
	var all sync.WaitGroup
	for n, i := range missing {
		all.Go(func() {
			errs[n] = a.bootOne(ctx, i, r)
			a.do(a.opened) //nolint:errcheck // it fails only when the supervisor ends
		})
	}
	all.Wait()
	if err := a.do(func() { a.hold = 0; a.point() }); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// bootOne starts i, or waits for it where an earlier supervisor had only just started it.
func (a *app) bootOne(ctx context.Context, i *instance, r *Release) error {
	var proc *shim.Instance
	var port int
	var alone bool
	if err := a.do(func() { proc, port, alone = i.shim, i.port, i.proc.Exclusive }); err != nil {
		return err
	}
	if alone { // the server died in an exchange: the other release's instance is being stopped
		if err := a.awaitEarlier(ctx, map[slot]bool{i.slot: true}); err != nil {
			return err
		}
	}
	if proc == nil {
		return a.revive(ctx, i, r)
	}
	u := &run{i: i, r: r, port: port}
	if err := u.ready(ctx, proc); err != nil {
		if a.sup.base.Err() != nil {
			return err
		}
		a.halt(a.sup.base, i, proc)
		if off := a.do(i.detach); off != nil {
			return off
		}
		return a.revive(ctx, i, r)
	}
	return a.do(func() {
		i.set(Ready)
		a.opened()
		a.changed()
		if ended(proc) { // between the last probe and now: nobody else looks at what is not ready
			a.exited(i, proc)
		}
	})
}
