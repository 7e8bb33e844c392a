package procman

import (
	"cmp"
	"context"
	"fmt"
	"sync"
)

// exclusive reports whether what runs in s must have stopped before its successor starts.
func (w *swap) exclusive(s slot) bool {
	return w.proc(s).Exclusive
}

// proc is what the new release says of the process type in s.
func (w *swap) proc(s slot) Process {
	p, _ := w.r.process(s.Type)
	return p
}

// exchange stops the old instances of exclusive types and starts the new ones. Everything else of the new release is
// ready by now, so that the time without them is short. Requests are held meanwhile if web is one of them.
func (w *swap) exchange(ctx context.Context) error {
	a := w.app
	slots := map[slot]bool{}
	for _, i := range w.news {
		if w.exclusive(i.slot) {
			slots[i.slot] = true
		}
	}
	if len(slots) == 0 {
		return nil
	}
	if err := a.awaitEarlier(ctx, slots); err != nil {
		return err
	}
	if err := a.do(func() {
		for s := range slots {
			if old := a.live[s]; old != nil {
				w.stopped = append(w.stopped, old)
				if s.Type == Web {
					a.hold = w.proc(s).StartTimeout + old.drain + old.proc.StopTimeout
				}
			}
		}
		a.point()
	}); err != nil {
		return err
	}
	var all sync.WaitGroup
	for _, old := range w.stopped {
		all.Go(func() {
			a.pause(a.sup.base, old) // not cut short by ctx: half stopped is neither one nor the other
			w.say("%s stopped", old.slot)
		})
	}
	all.Wait()
	if err := cmp.Or(context.Cause(ctx), a.sup.at(StepPaused)); err != nil {
		return fmt.Errorf("swap %s: %w", a.name(), err)
	}
	if err := w.startThose(ctx, func(i *instance) bool { return slots[i.slot] }); err != nil {
		return err
	}
	return a.sup.at(StepExchanged)
}

// awaitEarlier waits for instances in slots that were let go and have not ended yet.
func (a *app) awaitEarlier(ctx context.Context, slots map[slot]bool) error {
	var earlier []*instance
	if err := a.do(func() {
		for i := range a.extra {
			if i.leaving && (slots[i.slot] || i.slot.Type == orphanType) { // what an orphan ran as is not known
				earlier = append(earlier, i)
			}
		}
	}); err != nil {
		return err
	}
	for _, i := range earlier {
		if err := await(ctx, i.gone); err != nil {
			return fmt.Errorf("wait for the old %s: %w", i.slot, err)
		}
	}
	return nil
}

// pause stops the process of a live instance, which stays in its slot and is not restarted.
func (a *app) pause(ctx context.Context, i *instance) {
	var starting chan struct{}
	if a.do(func() {
		i.paused = true
		if i.timer != nil {
			i.timer.Stop()
		}
		if starting = i.starting; starting != nil {
			i.cancel()
		}
		i.set(Stopping)
		a.point()
		a.changed()
	}) != nil {
		return
	}
	if starting != nil && await(ctx, starting) != nil {
		return
	}
	if i.backend != nil { // changed only by starts and ends, which a pause rules out
		a.drain(ctx, i)
	}
	if i.shim != nil {
		a.halt(ctx, i, i.shim)
	}
	a.do(func() { //nolint:errcheck // it fails only when the supervisor ends
		i.detach()
		a.changed()
	})
}

// putBack starts again what was stopped for a successor that did not make it.
func (w *swap) putBack(ctx context.Context) {
	a := w.app
	ctx, cancel := a.within(context.WithoutCancel(ctx)) // whoever gave up must not leave the app without its process
	defer cancel()
	var all sync.WaitGroup
	for _, old := range w.stopped {
		all.Go(func() {
			for _, i := range w.news { // two of them must not run at once
				if i.slot == old.slot && await(ctx, i.gone) != nil {
					return
				}
			}
			var r *Release
			if a.do(func() { old.paused, r = false, a.release }) != nil {
				return
			}
			if err := a.revive(ctx, old, r); err != nil {
				a.log().WithField("proc", old.slot).WithError(err).Error("process not put back at once")
			} else {
				w.say("%s is back", old.slot)
			}
		})
	}
	all.Wait()
	a.do(func() { //nolint:errcheck // it fails only when the supervisor ends
		a.hold = 0
		a.point()
	})
}
