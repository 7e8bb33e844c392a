package procman

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxRetired bounds how many replaced instances of one app may be draining when the next swap begins: without it a
// hundred quick deploys under websockets would be a hundred old releases in memory.
const maxRetired = 8

// SwapOptions vary a Swap.
type SwapOptions struct {
	// Progress gets plain lines for the pusher, nothing after Swap has returned. nil is silent.
	Progress io.Writer
	// Restart names types ("web"), instances ("web.2") or everything (RestartAll) to be started anew although nothing
	// about them changed.
	Restart []string
	// Commit is called once, when all of the new release is ready and before any request reaches it: it makes the
	// release the current one. An error undoes the swap. Its success is the point of no return. May be nil.
	Commit func() error
	// Wait has Swap return only when the processes that it replaced and removed have ended.
	Wait bool
}

// SwapResult says what a Swap did, by instance names.
type SwapResult struct {
	Started   []string      `json:"started"`
	Unchanged []string      `json:"unchanged"`
	Removed   []string      `json:"removed"`
	Took      time.Duration `json:"took"`
	// Boot is how long the slowest new instance took from its start until it was ready.
	Boot time.Duration `json:"boot"`
}

// swap is one Swap under way.
type swap struct {
	app  *app
	r    *Release
	o    SwapOptions
	diff diff

	mu   sync.Mutex // of boot and the progress writer
	boot time.Duration

	news    []*instance // of the new release, in the order of the diff
	stopped []*instance // ones of the old release that were stopped for their successors, and come back if those fail
	claimed bool        // the route has the new hosts already
}

// Swap makes r what runs of its app, all or nothing. While it works, and after any error, what ran before runs on
// untouched; the errors are *StartError where an instance did not become ready, *CommandError, *UnknownTypeError,
// *proxy.HostTakenError, and what Commit returned. Once Commit has succeeded, ctx's end does not matter any more. What is
// replaced is let go after Swap has returned, unless o.Wait is set. One Swap of an app runs at a time; another one waits.
func (s *Supervisor) Swap(ctx context.Context, r Release, o SwapOptions) (SwapResult, error) {
	begun := time.Now()
	rel, err := r.normal(s.o.Defaults)
	if err != nil {
		return SwapResult{}, err
	}
	restart, err := restarter(o.Restart, rel)
	if err != nil {
		return SwapResult{}, err
	}
	a, err := s.app(rel.App)
	if err != nil {
		return SwapResult{}, err
	}
	if err := a.take(ctx); err != nil {
		return SwapResult{}, fmt.Errorf("swap %s: %w", a.name(), err)
	}
	defer a.give()
	w := &swap{app: a, r: rel, o: o}
	if err := w.run(ctx, restart); err != nil {
		return SwapResult{}, err
	}
	res := w.result()
	res.Took = time.Since(begun)
	return res, nil
}

func (w *swap) run(ctx context.Context, restart func(slot) bool) error {
	outer := ctx
	ctx, cancel := w.app.within(ctx)
	defer cancel()
	if err := w.plan(ctx, restart); err != nil {
		return err
	}
	if err := w.app.sup.at(StepPlanned); err != nil {
		return w.undo(ctx, err)
	}
	if err := w.startAll(ctx); err != nil {
		return w.undo(ctx, err)
	}
	if err := w.exchange(ctx); err != nil {
		return w.undo(ctx, err)
	}
	if err := w.commit(ctx); err != nil {
		return w.undo(ctx, err)
	}
	_ = w.app.sup.at(StepCommitted) // from here on nothing fails
	retired, err := w.install()
	if err != nil {
		return err
	}
	_ = w.app.sup.at(StepInstalled)
	for _, i := range retired {
		removed := slices.Contains(w.diff.remove, i.slot)
		if w.o.Wait && await(outer, i.gone) != nil {
			return nil // the release is live: who stops waiting changes nothing
		}
		if removed && w.o.Wait {
			w.say("%s stopped", i.slot)
		} else if removed {
			w.say("%s stopping", i.slot)
		}
	}
	return nil
}

// plan finds out what is to be done, and refuses what cannot work.
func (w *swap) plan(ctx context.Context, restart func(slot) bool) error {
	if err := w.app.awaitRetired(ctx, maxRetired); err != nil {
		return fmt.Errorf("swap %s: %w", w.app.name(), err)
	}
	if w.r.serves() {
		dir := filepath.Join(w.r.StorePath, "app", w.r.Static)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return &StaticError{Dir: w.r.Static}
		}
	}
	var err error
	if off := w.app.do(func() {
		if err = w.app.folders(w.r); err != nil {
			return
		}
		if err = w.app.sweep(); err != nil {
			return
		}
		w.diff = compare(w.app.running(), w.r, restart)
		for _, want := range w.diff.start {
			w.news = append(w.news, w.app.instance(want, w.r))
		}
		for _, i := range w.news {
			w.app.extra[i] = true
		}
	}); off != nil {
		return off
	}
	if err == nil {
		for _, k := range w.diff.keep {
			w.say("%s unchanged", k.slot)
		}
	}
	return err
}

// running is what is live now. Owner only.
func (a *app) running() map[slot]present {
	out := map[slot]present{}
	for s, i := range a.live {
		out[s] = present{slot: s, hash: i.hash, release: a.release.Number, up: i.state == Ready}
	}
	return out
}

// startThose starts the chosen ones all at once.
func (w *swap) startThose(ctx context.Context, chosen func(*instance) bool) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, i := range w.news {
		if chosen(i) {
			all.Go(func() error { return w.startOne(ctx, i) })
		}
	}
	return all.Wait()
}

func (w *swap) startOne(ctx context.Context, i *instance) error {
	begun := time.Now()
	if err := w.app.start(ctx, i, w.r, func(text string) { w.say("%s", text) }); err != nil {
		return err
	}
	took := time.Since(begun)
	w.mu.Lock()
	w.boot = max(w.boot, took)
	w.mu.Unlock()
	if i.slot.Type == Web {
		w.say("%s ready in %.2f s on port %d", i.slot, took.Seconds(), i.port)
	} else {
		w.say("%s ready in %.2f s", i.slot, took.Seconds())
	}
	return nil
}

// commit has the caller commit, if the new set is still whole.
func (w *swap) commit(ctx context.Context) error {
	if err := w.check(); err != nil {
		return err
	}
	if err := cmp.Or(context.Cause(ctx), w.app.sup.at(StepClaimed)); err != nil {
		return fmt.Errorf("swap %s: %w", w.app.name(), err)
	}
	if w.o.Commit == nil {
		return nil
	}
	if err := w.o.Commit(); err != nil {
		return fmt.Errorf("commit release v%d of %s: %w", w.r.Number, w.app.name(), err)
	}
	return nil
}

// check makes sure that all new instances are still ready and that the new hosts are ours.
func (w *swap) check() error {
	var err error
	if off := w.app.do(func() {
		for _, i := range w.news {
			if i.state != Ready {
				err = w.lost(i)
				return
			}
		}
		err = w.claim()
	}); off != nil {
		return off
	}
	return err
}

// lost explains the end of a new instance that was ready already. Owner only.
func (w *swap) lost(i *instance) error {
	e := &StartError{App: w.app.name(), Process: i.slot.String(), Release: w.r.Number, Reason: EndedEarly, Exit: i.exit}
	e.Detail = "ended before the release went live"
	if i.exit != nil {
		e.Detail = exitText(*i.exit) + " before the release went live"
	}
	if spec, err := i.spec(w.r); err == nil {
		e.Log = tailText(spec.LogPath, failureLines)
	}
	return e
}

// claim takes the hosts of the new release before the commit, so that pointing the route after it cannot fail. Until
// then they lead to the old set, or wait where there is none. Owner only.
func (w *swap) claim() error {
	a := w.app
	if a.release == nil {
		rt := a.route(w.r)
		rt.Static, rt.Maintenance, rt.Hold = nil, "", w.r.StartTimeout
		w.claimed = true
		return a.sup.o.Router.Point(rt)
	}
	rt := a.route(a.release)
	rt.Hosts = slices.Clone(rt.Hosts)
	for _, h := range w.r.Hosts {
		if !slices.Contains(rt.Hosts, h) {
			rt.Hosts = append(rt.Hosts, h)
		}
	}
	if len(rt.Hosts) == len(a.release.Hosts) {
		return nil
	}
	w.claimed = true
	return a.sup.o.Router.Point(rt)
}

// install makes the new set the live one: the route is pointed, the old instances are let go. It returns those.
func (w *swap) install() (retired []*instance, err error) {
	a := w.app
	err = a.do(func() {
		for _, k := range w.diff.keep {
			a.live[k.slot].adjust(k, w.r)
		}
		for _, s := range w.diff.remove {
			retired = append(retired, a.live[s])
			delete(a.live, s)
		}
		for _, i := range w.news {
			if old := a.live[i.slot]; old != nil {
				retired = append(retired, old)
			}
			delete(a.extra, i)
			a.live[i.slot] = i
		}
		a.release, a.hold = w.r, 0
		a.point()
		for _, i := range retired {
			a.retire(i)
		}
		for _, i := range w.news {
			if i.state != Ready { // it ended while the caller committed: the usual restart
				a.down(i, i.exit, 0)
			}
		}
		a.changed()
	})
	a.log().WithField("release", w.r.Number).Info("release is live")
	return retired, err
}

// undo stops the new set and puts back what was stopped for it; err is why.
func (w *swap) undo(ctx context.Context, err error) error {
	a := w.app
	if off := a.do(func() {
		for _, i := range w.news {
			a.retire(i)
		}
		if len(w.stopped) == 0 {
			a.hold = 0
		}
		if w.claimed && a.release == nil {
			a.sup.o.Router.Remove(a.name())
		} else {
			a.point()
		}
		a.changed()
	}); off != nil {
		return err
	}
	w.putBack(ctx)
	return err
}

func (w *swap) result() SwapResult {
	res := SwapResult{Started: []string{}, Unchanged: []string{}, Removed: []string{}, Boot: w.boot}
	for _, x := range w.diff.start {
		res.Started = append(res.Started, x.slot.String())
	}
	for _, x := range w.diff.keep {
		res.Unchanged = append(res.Unchanged, x.slot.String())
	}
	for _, s := range w.diff.remove {
		res.Removed = append(res.Removed, s.String())
	}
	return res
}

// say writes one line for the pusher.
func (w *swap) say(format string, args ...any) {
	if w.o.Progress == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.o.Progress, format+"\n", args...) //nolint:errcheck // whoever went away need not be told
}
