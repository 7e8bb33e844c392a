package deploy

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"hop3/internal/state"
	"hop3/procman"
	"hop3/procman/proxy"
)

// A release that replaces another is on probation for a while: where its
// processes crash again and again, or the share of failed requests jumps, the
// one before is put back by the code that a rollback uses.
const (
	defaultWatch  = 30 * time.Second
	watchTick     = 500 * time.Millisecond // between two looks at the counters: a rate needs a span
	watchRestarts = 3                      // of one process: the first three take less than a second of back-off
	watchRequests = 20                     // fewer answers than these are no statistics
	watchJump     = 0.2                    // by how much the share of 5xx may rise
)

// A probation is a release under observation.
type probation struct {
	app               string
	release, previous int
	before            proxy.Stats // the counters just before the swap
	ends              time.Time
}

// watchTime is how long a release is on probation.
func watchTime(rel state.Release) time.Duration { return cmp.Or(rel.Watch, defaultWatch) }

// observe watches w until it ends, in a goroutine of its own that Close awaits.
func (p *Pipeline) observe(w probation) {
	if !w.ends.After(time.Now()) {
		return
	}
	now, _ := p.Router.Stats(w.app)
	p.pushes.Go(func() {
		ctx, cancel := context.WithDeadline(p.base, w.ends)
		defer cancel()
		tick := time.NewTicker(watchTick)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			app, err := p.Store.App(w.app)
			if err != nil || app.Current != w.release { // gone, or replaced: nothing to watch any more
				return
			}
			if why := p.fault(app, w, now); why != "" {
				p.withdraw(w, why)
				return
			}
		}
	})
}

// fault says what is wrong with the release, "" for nothing. Since are the counters from when it took over.
func (p *Pipeline) fault(app *state.App, w probation, since proxy.Stats) string {
	if why := crashLoop(p.Supervisor.Instances(w.app), w.release); why != "" || app.Maintenance != nil {
		return why // the maintenance page is a 503 that says nothing about the app
	}
	now, _ := p.Router.Stats(w.app)
	return jump(w.before, since, now)
}

// crashLoop names a process of the release that ends again and again.
func crashLoop(list []procman.Instance, release int) string {
	for _, i := range list {
		if i.Release == release && (i.Restarts >= watchRestarts || i.State == procman.Crashed) {
			return fmt.Sprintf("%s crashed %d times", i.Name, max(i.Restarts, 1))
		}
	}
	return ""
}

// jump compares the share of failed requests since the swap with that of the time before it.
func jump(before, since, now proxy.Stats) string {
	answered, failed := now.Requests-since.Requests, now.Errors-since.Errors
	if answered < watchRequests {
		return ""
	}
	usual := 0.0
	if before.Requests >= watchRequests {
		usual = float64(before.Errors) / float64(before.Requests)
	}
	if share := float64(failed) / float64(answered); share > usual+watchJump {
		return fmt.Sprintf("%d of %d requests failed (%.0f %% of them before)", failed, answered, 100*usual)
	}
	return ""
}

// withdraw puts the previous release back, if the one on probation is still live when its turn comes.
func (p *Pipeline) withdraw(w probation, why string) {
	log := p.Log.WithField("app", w.app).WithField("release", w.release)
	r := Request{App: w.app, By: "hop3", Talk: NewTalk(io.Discard)}
	app, leave, err := p.turn(p.base, r, fmt.Sprintf("putting v%d back", w.previous))
	if err != nil {
		return // the server is stopping: the next start goes on watching; or the app is gone
	}
	defer leave()
	old, ok := app.Release(w.previous)
	if app.Current != w.release || !ok {
		return
	}
	reason := fmt.Sprintf("%s after it replaced v%d", why, w.previous)
	rel := old
	rel.By, rel.Change, rel.Error = r.By, fmt.Sprintf("return to v%d: v%d %s", w.previous, w.release, why), ""
	rel, err = p.activate(p.base, r.Talk, activation{app: w.app, release: rel, config: current(app, old.Config), trusted: true, failed: reason})
	result := "ok"
	if err != nil {
		result = err.Error()
		log.WithError(err).Error("the previous release could not be put back: " + why)
	} else {
		log.Warnf("v%d put back as v%d: %s", w.previous, rel.Number, why)
		p.Access.Say(w.app, w.release, fmt.Sprintf("v%d withdrawn: %s; v%d is live again as v%d", w.release, why, w.previous, rel.Number))
	}
	event := state.Event{At: time.Now().UTC(), Who: r.By, App: w.app, What: fmt.Sprintf("return from v%d to v%d: %s", w.release, w.previous, why), Result: result}
	if err := p.Store.Record(event); err != nil {
		log.WithError(err).Error("event not recorded")
	}
}

// resume goes on with a probation that the server's end cut short.
func (p *Pipeline) resume(app *state.App, rel state.Release) {
	before, err := rollbackTarget(app, 0)
	if err != nil || rel.Trusted {
		return
	}
	now, _ := p.Router.Stats(app.Name)
	p.observe(probation{app: app.Name, release: rel.Number, previous: before.Number, before: now, ends: rel.At.Add(watchTime(rel))})
}
