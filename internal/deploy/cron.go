package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"hop3/internal/state"
	"hop3/procman"
)

// clock is what the goroutine that starts cron jobs waits for beside the time.
type clock struct {
	changed  chan struct{}
	starting sync.Mutex
}

// wake has the schedules read anew: releases have changed.
func (c *clock) wake() {
	select {
	case c.changed <- struct{}{}:
	default: // it is awake already
	}
}

// idle bounds the wait for the next entry, so that a jump of the machine's clock is noticed.
const idle = time.Minute

// RunCron starts the cron entries of all current releases when their time comes, until ctx ends. What was due while the
// server was down is not made up for; an entry that still runs is dealt with by its overlap policy.
func (p *Pipeline) RunCron(ctx context.Context) {
	last := time.Now()
	for {
		now := time.Now()
		if now.Before(last) { // the machine's clock was put back
			last = now
		}
		next := now.Add(idle)
		for _, app := range p.Store.Apps() {
			for _, e := range p.Entries(app) {
				if e.schedule == nil {
					continue
				}
				if due := e.schedule.Next(last); !due.After(now) {
					p.pushes.Go(func() { p.due(ctx, app, e.Cron) }) // to end an earlier run may take a while
				}
				if at := e.schedule.Next(now); at.Before(next) {
					next = at
				}
			}
		}
		last = now
		timer := time.NewTimer(time.Until(next))
		select {
		case <-timer.C:
		case <-p.clock.changed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// An Entry is a cron entry of an app's current release.
type Entry struct {
	state.Cron
	Next     time.Time // zero where it never comes, or the app is stopped
	schedule cron.Schedule
}

// Entries returns the cron entries of the app's current release.
func (p *Pipeline) Entries(app *state.App) []Entry {
	rel, _ := app.CurrentRelease()
	var out []Entry
	for _, c := range rel.Cron {
		e := Entry{Cron: c}
		if s, err := parseSchedule(c.Schedule); err == nil && !app.Stopped { // the push has refused others
			e.schedule, e.Next = s, s.Next(time.Now()).UTC()
		}
		out = append(out, e)
	}
	return out
}

// due starts an entry whose time has come.
func (p *Pipeline) due(ctx context.Context, app *state.App, c state.Cron) {
	job, err := p.StartCron(ctx, app.Name, c.Name, "hop3")
	if err != nil {
		p.Log.WithField("app", app.Name).WithField("cron", c.Name).WithError(err).Warn("cron entry not started")
		p.Access.Say(app.Name, app.Current, fmt.Sprintf("cron %s not started: %v", c.Name, err))
		return
	}
	p.Log.WithField("app", app.Name).WithField("proc", job.Name).Info("cron entry started")
}

// StartCron starts a cron entry of the app's current release now. A *state.Conflict says that it still runs, and is not to run
// twice.
func (p *Pipeline) StartCron(ctx context.Context, name, entry, by string) (procman.Job, error) {
	app, err := p.Store.App(name)
	if err != nil {
		return procman.Job{}, err
	}
	rel, ok := app.CurrentRelease()
	if !ok {
		return procman.Job{}, &NotDeployed{name}
	}
	i := slices.IndexFunc(rel.Cron, func(c state.Cron) bool { return c.Name == entry })
	if i < 0 {
		var names []string
		for _, c := range rel.Cron {
			names = append(names, c.Name)
		}
		return procman.Job{}, &state.NotFound{Kind: "cron entry", Name: entry, Near: state.Nearest(entry, names)}
	}
	spec, job := procman.RunSpec{Type: "cron", Shell: rel.Cron[i].Command}, procman.Job{Cron: entry, By: by, Timeout: rel.Cron[i].Timeout}
	for {
		earlier, started, err := p.startAlone(ctx, p.running(app, rel), spec, job, rel.Cron[i].Overlap)
		if earlier == "" {
			return started, err
		}
		if err := p.Supervisor.StopJob(ctx, name, earlier); err != nil && !errors.As(err, new(*procman.JobError)) {
			return procman.Job{}, err // else it has just ended by itself
		}
	}
}

// startAlone starts a cron job, if the overlap policy lets it run beside those of its entry that run; a *state.Conflict says
// that it does not, and earlier names one that has to be ended first.
func (p *Pipeline) startAlone(ctx context.Context, run procman.Release, spec procman.RunSpec, job procman.Job, overlap string) (earlier string, started procman.Job, err error) {
	p.clock.starting.Lock() // two callers see one another's job
	defer p.clock.starting.Unlock()
	for _, j := range p.Supervisor.Jobs(run.App) {
		switch {
		case j.Cron != job.Cron || overlap == state.OverlapAllow:
		case overlap == state.OverlapReplace:
			return j.Name, started, nil
		default:
			return "", started, &state.Conflict{
				What: fmt.Sprintf("the cron entry %s still runs, as %s since %s", job.Cron, j.Name, j.Started.Format(time.DateTime+" UTC")),
				Mend: fmt.Sprintf("wait for it, or stop it: ps:stop %s %s", run.App, j.Name),
			}
		}
	}
	started, err = p.Supervisor.StartJob(ctx, run, spec, job)
	return "", started, err
}

// StartJob starts a one-off command in the app's current release that nobody waits for.
func (p *Pipeline) StartJob(ctx context.Context, name string, c procman.RunSpec, job procman.Job) (procman.Job, error) {
	rel, err := p.Current(name)
	if err != nil {
		return procman.Job{}, err
	}
	return p.Supervisor.StartJob(ctx, rel, c, job)
}
