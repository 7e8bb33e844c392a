package deploy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hop3/internal/state"
	"hop3/procman"
)

// A Request says who wants an app changed, and where to tell about it.
type Request struct {
	App  string
	By   string
	Talk *Talk
}

// turn waits for the app's turn and returns the app as it is then.
func (p *Pipeline) turn(ctx context.Context, r Request, what string) (*state.App, func(), error) {
	return p.turnOf(ctx, r, &ticket{who: r.By, what: what})
}

func (p *Pipeline) turnOf(ctx context.Context, r Request, t *ticket) (*state.App, func(), error) {
	if _, err := p.Store.App(r.App); err != nil {
		return nil, nil, err
	}
	leave, err := p.enter(ctx, r.Talk, r.App, t)
	if err != nil {
		return nil, nil, err
	}
	app, err := p.Store.App(r.App) // it may have changed, or gone, meanwhile
	if err != nil {
		leave()
		return nil, nil, err
	}
	r.Talk.Hide(app.Config)
	return app, leave, nil
}

// NotDeployed says that an app has no release to work on.
type NotDeployed struct{ App string }

func (e *NotDeployed) Error() string { return fmt.Sprintf("%s has no release yet", e.App) }

// Hint says how to make one.
func (e *NotDeployed) Hint() string { return "push to it first: git push hop3 main" }

// Configure changes settings: set adds or replaces, unset removes. Unless
// restart is false or the app has no release, a new release runs with them.
// It returns that release's number, 0 for none.
func (p *Pipeline) Configure(ctx context.Context, r Request, set map[string]string, unset []string, restart bool) (int, error) {
	for k := range set {
		if err := state.CheckConfigKey(k); err != nil {
			return 0, err
		}
	}
	app, leave, err := p.changeTurn(ctx, r, "a config change")
	if err != nil {
		return 0, err
	}
	defer leave()
	if err := checkAttached(app, set, unset); err != nil {
		return 0, err
	}
	config := maps.Clone(app.Config)
	if config == nil {
		config = map[string]string{}
	}
	maps.Copy(config, set)
	for _, k := range unset {
		if _, ok := config[k]; !ok {
			return 0, &state.NotFound{Kind: "config key", Name: k, Near: state.Nearest(k, slices.Collect(maps.Keys(config)))}
		}
		delete(config, k)
	}
	if err := p.SetBuildKeys(r.App, unset, false); err != nil {
		return 0, err
	}
	rel, live := app.CurrentRelease()
	if !live || !restart || maps.Equal(config, rel.Config) {
		_, err := p.Store.Update(r.App, func(a *state.App) error { a.Config = config; return nil })
		return 0, err
	}
	r.Talk.Hide(config)
	rel.By, rel.Change, rel.Error = r.By, configChange(set, unset), ""
	rel, err = p.activate(ctx, r.Talk, activation{app: r.App, release: rel, config: config})
	return rel.Number, err
}

// configChange names the keys, never a value.
func configChange(set map[string]string, unset []string) string {
	var parts []string
	if len(set) > 0 {
		parts = append(parts, "set "+strings.Join(slices.Sorted(maps.Keys(set)), ", "))
	}
	if len(unset) > 0 {
		parts = append(parts, "unset "+strings.Join(unset, ", "))
	}
	return "config: " + strings.Join(parts, "; ")
}

// Rollback makes an earlier release's code and settings live again as a new
// release: the one with that number, or for 0 the one before the current.
func (p *Pipeline) Rollback(ctx context.Context, r Request, number int) (state.Release, error) {
	app, leave, err := p.changeTurn(ctx, r, "a rollback")
	if err != nil {
		return state.Release{}, err
	}
	defer leave()
	old, err := rollbackTarget(app, number)
	if err != nil {
		return state.Release{}, err
	}
	r.Talk.Hide(old.Config)
	rel := old
	rel.By, rel.Change, rel.Error = r.By, fmt.Sprintf("rollback to v%d", old.Number), ""
	return p.activate(ctx, r.Talk, activation{app: r.App, release: rel, config: current(app, old.Config), trusted: true})
}

func rollbackTarget(app *state.App, number int) (state.Release, error) {
	if app.Current == 0 {
		return state.Release{}, &NotDeployed{app.Name}
	}
	if number == 0 {
		for _, rel := range slices.Backward(app.Releases) {
			if rel.Number < app.Current && rel.Status == state.Retired {
				return rel, nil
			}
		}
		return state.Release{}, &state.Conflict{What: fmt.Sprintf("%s has no release before v%d", app.Name, app.Current), Mend: "see its releases: releases " + app.Name}
	}
	rel, ok := app.Release(number)
	switch {
	case !ok:
		return rel, &state.NotFound{Kind: "release", Name: fmt.Sprintf("v%d of %s", number, app.Name)}
	case rel.Status == state.Withdrawn:
		return rel, &state.Conflict{What: fmt.Sprintf("v%d was withdrawn: %s", number, rel.Error), Mend: "mend the app and push again, or roll back to another: releases " + app.Name}
	case rel.Status == state.Failed || rel.Status == state.Pending:
		return rel, &state.Conflict{What: fmt.Sprintf("v%d was never live (%s)", number, rel.Status), Mend: "roll back to one that was: releases " + app.Name}
	}
	return rel, nil
}

// Scale sets how many instances of some types run, and starts and stops only
// the difference.
func (p *Pipeline) Scale(ctx context.Context, r Request, change func(now map[string]int) (map[string]int, error)) (map[string]int, error) {
	app, leave, err := p.changeTurn(ctx, r, "a ps:scale")
	if err != nil {
		return nil, err
	}
	defer leave()
	rel, ok := app.CurrentRelease()
	if !ok {
		return nil, &NotDeployed{r.App}
	}
	started := *app
	started.Stopped = false
	now := formation(&started, rel)
	wanted, err := change(maps.Clone(now))
	if err != nil {
		return nil, err
	}
	err = p.adjust(ctx, r, nil, func(a *state.App) {
		// Only what was asked for is kept: other types follow the app's files.
		f := maps.Clone(a.Formation)
		if f == nil {
			f = map[string]int{}
		}
		for t, n := range wanted {
			if n != now[t] {
				f[t] = n
			}
		}
		a.Formation, a.Stopped = f, false
	})
	return wanted, err
}

// Restart replaces the processes of the given types, or of all if there are
// none, without losing a request.
func (p *Pipeline) Restart(ctx context.Context, r Request, types []string) error {
	app, leave, err := p.turn(ctx, r, "a restart")
	if err != nil {
		return err
	}
	defer leave()
	if app.Current == 0 {
		return &NotDeployed{r.App}
	}
	if len(types) == 0 {
		types = []string{procman.RestartAll}
	}
	return p.adjust(ctx, r, types, func(*state.App) {})
}

// SetStopped stops all processes of an app, or starts them again.
func (p *Pipeline) SetStopped(ctx context.Context, r Request, stopped bool) error {
	app, leave, err := p.turn(ctx, r, "a ps:stop or ps:start")
	if err != nil {
		return err
	}
	defer leave()
	if app.Current == 0 {
		return &NotDeployed{r.App}
	}
	return p.adjust(ctx, r, nil, func(a *state.App) { a.Stopped = stopped })
}

// SetDomains changes the domains of an app and its routes at once.
func (p *Pipeline) SetDomains(ctx context.Context, r Request, change func([]string) ([]string, error)) error {
	app, leave, err := p.changeTurn(ctx, r, "a change of domains")
	if err != nil {
		return err
	}
	defer leave()
	domains, err := change(slices.Clone(app.Domains))
	if err != nil {
		return err
	}
	if err := p.checkHosts(r.App, domains); err != nil {
		return err
	}
	return p.adjust(ctx, r, nil, func(a *state.App) { a.Domains = domains })
}

// adjust changes how the current release runs. It needs the app's turn.
func (p *Pipeline) adjust(ctx context.Context, r Request, restart []string, change func(*state.App)) error {
	app, err := p.Store.App(r.App)
	if err != nil {
		return err
	}
	commit := func() error {
		_, err := p.Store.Update(r.App, func(a *state.App) error { change(a); return nil })
		p.clock.wake()
		return err
	}
	rel, ok := app.CurrentRelease()
	if !ok {
		return commit()
	}
	next := *app
	change(&next)
	out := r.Talk.Lines("")
	defer out.Close() //nolint:errcheck // a Talk's writer has no error
	_, err = p.Supervisor.Swap(ctx, p.running(&next, rel), procman.SwapOptions{Progress: out, Restart: restart, Commit: commit})
	if err != nil {
		return swapFailure(err)
	}
	return nil
}

// Destroy stops an app and removes it with all that it has.
func (p *Pipeline) Destroy(ctx context.Context, r Request) error {
	app, leave, err := p.changeTurn(ctx, r, "apps:destroy")
	if err != nil {
		return err
	}
	defer leave()
	// What a cut-off deploy left belongs to nobody; where the app is known Reap does nothing.
	if err := p.Supervisor.Reap(ctx, r.App, p.runDir(r.App)); err != nil {
		return fmt.Errorf("end what is left of %s: %w", r.App, err)
	}
	if err := p.Supervisor.Stop(ctx, r.App); err != nil {
		return fmt.Errorf("stop %s: %w", r.App, err)
	}
	if err := p.Supervisor.EndJobs(ctx, r.App); err != nil {
		return fmt.Errorf("stop the jobs of %s: %w", r.App, err)
	}
	p.detachAll(ctx, r, app)
	return p.Store.Destroy(r.App)
}

// Current returns the current release as procman sees it, for one-off commands.
func (p *Pipeline) Current(name string) (procman.Release, error) {
	app, err := p.Store.App(name)
	if err != nil {
		return procman.Release{}, err
	}
	rel, ok := app.CurrentRelease()
	if !ok {
		return procman.Release{}, &NotDeployed{name}
	}
	return p.running(app, rel), nil
}
