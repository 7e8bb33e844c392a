package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hop3/internal/state"
	"hop3/procman/proxy"
	"hop3/receive"
)

// holdTime is how long a request waits for an app that is being started.
const holdTime = 30 * time.Second

// adoptTime is how long a question about an app's processes waits for them to be taken over: a second for a hundred apps, and
// much more on a machine that has no time.
const adoptTime = 10 * time.Second

// Prepare is called once, before the server listens: requests for apps that
// Boot is going to start will be held, and what interrupted pushes left in the
// repositories is removed.
func (p *Pipeline) Prepare() {
	if left, err := filepath.Glob(filepath.Join(globQuote(p.Store.Dir()), restorePrefix+"*")); err == nil { // the pattern is legal
		for _, dir := range left {
			if err := os.RemoveAll(dir); err != nil {
				p.Log.WithError(err).Error("what a restore left was not removed")
			}
		}
	}
	p.boots = map[string]chan struct{}{}
	for _, app := range p.Store.Apps() {
		if app.Current > 0 && !app.Stopped {
			p.boots[app.Name] = make(chan struct{})
			if err := p.Router.Point(proxy.Route{App: app.Name, Hosts: p.Hosts(app), Hold: holdTime, Maintenance: maintenancePage(app)}); err != nil {
				p.Log.WithField("app", app.Name).WithError(err).Error("requests are not held")
			}
		}
		repo, err := receive.Init(p.repoDir(app.Name))
		if err == nil {
			err = repo.Sweep()
		}
		if err != nil {
			p.Log.WithField("app", app.Name).WithError(err).Error("the repository was not tidied")
		}
	}
}

// Boot brings every app to its current release: what still runs is taken
// over, what does not is started from its store path. Branches that a crash
// kept from following their release are moved. An app waits for the services
// that it uses, whatever becomes of them. When it returns each app is
// its to change, so that whoever comes later waits for the app's start; wait
// returns once all have ended one way or the other. Failures are logged.
func (p *Pipeline) Boot(ctx context.Context) (wait func()) {
	var wg sync.WaitGroup
	services := map[string]chan struct{}{} // by name, closed when their start has ended
	for _, svc := range p.Store.Services() {
		leave, err := p.enter(ctx, NewTalk(io.Discard), svc.Name, &ticket{who: "the server", what: "its start"})
		if err != nil { // only when the server is stopping already
			break
		}
		started := make(chan struct{})
		services[svc.ServiceName()] = started
		wg.Go(func() {
			defer close(started)
			defer leave()
			if err := p.bootService(ctx, svc); err != nil {
				p.Log.WithField("app", svc.Name).WithError(err).Error("service did not start")
			}
		})
	}
	atOnce := make(chan struct{}, 4) // starting is bound by the two things that all share: cores and disk
	for _, app := range p.Store.Apps() {
		leave, err := p.enter(ctx, NewTalk(io.Discard), app.Name, &ticket{who: "the server", what: "its start"})
		if err != nil { // only when the server is stopping already
			break
		}
		wg.Go(func() {
			if booted := p.boots[app.Name]; booted != nil {
				defer close(booted)
			}
			defer leave()
			for _, t := range app.Attached {
				if started := services[t.Service]; started != nil {
					<-started
				}
			}
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			if err := p.bootApp(ctx, app); err != nil {
				p.Log.WithField("app", app.Name).WithError(err).Error("app did not start")
			}
		})
	}
	return wg.Wait
}

// TakenOver waits while the server, which has just started, has not yet looked for an app's processes: until there are some
// to show, or there will be none, or adoptTime is over, or ctx ends.
func (p *Pipeline) TakenOver(ctx context.Context, app string) {
	booted := p.boots[app]
	if booted == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, adoptTime)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for len(p.Supervisor.Instances(app)) == 0 {
		select {
		case <-booted:
			return
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// bootApp needs the app's turn.
func (p *Pipeline) bootApp(ctx context.Context, app *state.App) error {
	if err := p.Supervisor.AdoptJobs(app.Name, p.JobDir(app.Name)); err != nil {
		p.Log.WithField("app", app.Name).WithError(err).Error("jobs of the last run were not taken over")
	}
	repo, err := receive.Init(p.repoDir(app.Name)) // a crash may have come before it was made
	if err != nil {
		return err
	}
	if err := cmp.Or(p.settle(app, repo), p.at(stepSettled)); err != nil {
		return err
	}
	rel, ok := app.CurrentRelease()
	if !ok { // a first deploy may have been cut off half way
		return errors.Join(p.Supervisor.Reap(ctx, app.Name, p.runDir(app.Name)), p.finishRename(ctx, app))
	}
	if err := p.Supervisor.Adopt(ctx, p.running(app, rel)); err != nil {
		return errors.Join(err, p.finishRename(ctx, app))
	}
	p.resume(app, rel)
	return errors.Join(p.finishRename(ctx, app), repo.Consolidate(ctx))
}

// settle ends what a crash left half done: releases that never became live
// are failed, and the branch follows the release that did.
func (p *Pipeline) settle(app *state.App, repo *receive.Repo) error {
	for _, r := range app.Releases {
		if r.Status == state.Pending {
			if err := p.fail(app.Name, r.Number, errors.New("the server stopped before it was live")); err != nil {
				return err
			}
		}
	}
	i := slices.IndexFunc(app.Releases, func(r state.Release) bool { return r.Commit == app.Pushed && r.Ref != "" })
	if app.Pushed == "" || i < 0 {
		return nil
	}
	refs, err := repo.Refs()
	if err != nil {
		return err
	}
	if ref := app.Releases[i].Ref; refs[ref] != app.Pushed {
		return repo.UpdateRef(ref, refs[ref], app.Pushed)
	}
	return nil
}

// prune forgets releases beyond the number that is kept, failed ones first,
// then the oldest, and with them the GC roots that only they held. The current
// release and what it was made from always stay.
func (p *Pipeline) prune(name string) {
	log := p.Log.WithField("app", name)
	var keep map[int]bool
	_, err := p.Store.Update(name, func(a *state.App) error {
		excess := len(a.Releases) - p.limits.Load().keep
		for _, status := range []state.Status{state.Failed, state.Withdrawn, state.Retired} {
			a.Releases = slices.DeleteFunc(a.Releases, func(r state.Release) bool {
				if excess <= 0 || r.Status != status {
					return false
				}
				excess--
				return true
			})
		}
		keep = map[int]bool{}
		for _, r := range a.Releases {
			keep[r.Number], keep[r.Roots] = true, true
		}
		return nil
	})
	if err != nil {
		log.WithError(err).Error("old releases were not forgotten")
		return
	}
	dirs, err := os.ReadDir(filepath.Join(p.Store.AppDir(name), "releases"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.WithError(err).Error("old releases were not removed")
		return
	}
	for _, d := range dirs {
		var n int
		if _, err := fmt.Sscanf(d.Name(), "%d", &n); err != nil || keep[n] {
			continue
		}
		if err := os.RemoveAll(p.releaseDir(name, n)); err != nil {
			log.WithError(err).Error("an old release was not removed")
		}
	}
}
