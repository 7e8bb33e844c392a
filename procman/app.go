package procman

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"hop3/procman/proxy"
)

// app is one app. The fields below release belong to its owner goroutine; everybody else goes through do.
type app struct {
	sup   *Supervisor
	label atomic.Pointer[string] // its name, which Rename changes
	turn  chan struct{}          // holds one token: who has it may swap
	calls chan func()            // for the owner
	gone  chan struct{}          // closed when the app is forgotten

	shown    atomic.Pointer[[]Instance] // what Instances returns
	restarts atomic.Uint64              // what Restarts returns

	release *Release // nil: nothing is live
	dir     string   // RunDir, "" as long as nothing has been started
	logs    string   // LogDir
	seq     uint64   // of the newest record
	adopted bool     // what an earlier supervisor left has been dealt with
	hold    time.Duration
	live    map[slot]*instance
	extra   map[*instance]bool // those that are not live yet, or not any more
}

var errForgotten = errors.New("app was removed meanwhile")

func newApp(s *Supervisor, name string) *app {
	a := &app{
		sup:  s,
		turn: make(chan struct{}, 1), calls: make(chan func()), gone: make(chan struct{}),
		live: map[slot]*instance{}, extra: map[*instance]bool{},
	}
	a.label.Store(&name)
	a.turn <- struct{}{}
	return a
}

func (a *app) name() string { return *a.label.Load() }

func (a *app) log() logrus.FieldLogger { return a.sup.o.Log.WithField("app", a.name()) }

// own is the owner goroutine.
func (a *app) own() {
	for {
		select {
		case f := <-a.calls:
			f()
		case <-a.gone:
			return
		case <-a.sup.base.Done():
			return
		}
	}
}

// do has the owner run f and waits for it. An error means that f did not run.
func (a *app) do(f func()) error {
	done := make(chan struct{})
	select {
	case a.calls <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-a.gone:
		return errForgotten
	case <-a.sup.base.Done():
		return errClosed
	}
}

// take waits for the turn to change the app; give passes it on.
func (a *app) take(ctx context.Context) error {
	select {
	case <-a.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-a.sup.base.Done():
		return errClosed
	}
}

func (a *app) give() { a.turn <- struct{}{} }

// within returns a context that also ends when the supervisor is closed.
func (a *app) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(a.sup.base, func() { cancel(errClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

// awaitRetired waits until at most limit instances besides the live ones are left.
func (a *app) awaitRetired(ctx context.Context, limit int) error {
	for {
		var left []*instance
		if err := a.do(func() {
			for i := range a.extra {
				left = append(left, i)
			}
		}); err != nil {
			return err
		}
		if len(left) <= limit {
			return nil
		}
		if err := await(ctx, left[0].gone); err != nil {
			return fmt.Errorf("wait for %s to stop: %w", left[0].slot, err)
		}
	}
}

// await waits for done.
func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// folders makes the folders that r's processes need. Owner only.
func (a *app) folders(r *Release) error {
	for _, dir := range []string{r.RunDir, r.LogDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make folder of app %s: %w", a.name(), err)
		}
	}
	a.dir, a.logs = r.RunDir, r.LogDir
	return r.dataFolder()
}

// dataFolder makes the folder that r's processes see as /data, which is theirs.
func (r *Release) dataFolder() error {
	if r.DataDir == "" {
		return nil
	}
	if _, err := os.Stat(r.DataDir); err == nil {
		return r.volumes() // its owner may be what the operator wants
	}
	if err := os.MkdirAll(r.DataDir, 0o700); err != nil {
		return fmt.Errorf("make data folder of app %s: %w", r.App, err)
	}
	if os.Geteuid() == 0 && r.UID != 0 {
		if err := os.Chown(r.DataDir, r.UID, r.UID); err != nil {
			return fmt.Errorf("give data folder to app %s: %w", r.App, err)
		}
	}
	return r.volumes()
}

// changed publishes the app's state and writes its record. Owner only.
func (a *app) changed() {
	shown := []Instance{}
	r := record{App: a.name(), Instances: []recordInstance{}}
	for _, i := range a.instances() {
		shown = append(shown, i.show())
		if i.id != "" {
			r.Instances = append(r.Instances, i.record())
		}
	}
	a.shown.Store(&shown)
	if a.dir == "" {
		return
	}
	a.seq++
	if err := writeRecord(a.dir, a.seq, &r); err != nil {
		a.log().WithError(err).Error("record not written: a restart of the server now would lose sight of processes")
	}
}

// instances returns all instances: live ones in the order of their slots, then the others.
func (a *app) instances() []*instance {
	var out, rest []*instance
	for _, i := range a.live {
		out = append(out, i)
	}
	for i := range a.extra {
		rest = append(rest, i)
	}
	order := func(x, y *instance) int {
		return cmp.Or(compareSlots(x.slot, y.slot), cmp.Compare(x.release, y.release), cmp.Compare(x.id, y.id))
	}
	slices.SortFunc(out, order)
	slices.SortFunc(rest, order)
	return append(out, rest...)
}

// point has the router send the app's requests to what is ready now. Owner only.
func (a *app) point() {
	if a.release == nil {
		return
	}
	if err := a.sup.o.Router.Point(a.route(a.release)); err != nil {
		a.log().WithError(err).Error("route not pointed")
	}
}

// route is where the requests for release r go, given what is live. Owner only.
func (a *app) route(r *Release) proxy.Route {
	rt := proxy.Route{App: a.name(), Hosts: r.Hosts, Hold: a.hold, Maintenance: r.Maintenance, MaxBody: r.MaxBody, ResponseTimeout: r.ResponseTimeout}
	if r.serves() {
		rt.Static = &proxy.Static{Dir: filepath.Join(r.StorePath, "app", r.Static), Tag: filepath.Base(r.StorePath), SPA: r.SPA}
		return rt
	}
	if r.Formation[Web] == 0 && rt.Maintenance == "" {
		rt.Maintenance = stoppedPage
	}
	if a.hold > 0 {
		return rt
	}
	for _, i := range a.instances() {
		if i.slot.Type == Web && i.state == Ready && a.live[i.slot] == i {
			rt.Backends = append(rt.Backends, i.upstream())
		}
	}
	return rt
}

// stoppedPage is what visitors of an app without web processes read.
const stoppedPage = "This app is stopped."
