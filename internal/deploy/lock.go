package deploy

import (
	"context"
	"fmt"
	"time"

	"hop3/internal/state"
)

// Locked refuses a change of an app that apps:lock keeps as it is.
type Locked struct {
	App  string
	Lock state.Mark
}

func (e *Locked) Error() string {
	text := fmt.Sprintf("%s is locked by %s since %s", e.App, e.Lock.By, e.Lock.At.UTC().Format("2006-01-02 15:04:05Z"))
	if e.Lock.Message != "" {
		text += ": " + e.Lock.Message
	}
	return text
}

// Hint says how to end it.
func (e *Locked) Hint() string { return "when they agree: apps:unlock " + e.App }

// Reason is what git prints behind "remote rejected".
func (e *Locked) Reason() string { return "locked" }

func checkLock(app *state.App) error {
	if app.Lock != nil {
		return &Locked{App: app.Name, Lock: *app.Lock}
	}
	return nil
}

// Lock keeps an app's releases, settings, domains, scale and name as they are until
// Unlock. What is under way finishes. An app that is locked already is a [*Locked].
func (p *Pipeline) Lock(app, by, message string) error {
	_, err := p.Store.Update(app, func(a *state.App) error {
		if err := checkLock(a); err != nil {
			return err
		}
		a.Lock = &state.Mark{By: by, At: time.Now().UTC(), Message: message}
		return nil
	})
	return err
}

// Unlock ends Lock. An app that is not locked is a [*state.Conflict].
func (p *Pipeline) Unlock(app string) error {
	_, err := p.Store.Update(app, func(a *state.App) error {
		if a.Lock == nil {
			return &state.Conflict{What: app + " is not locked", Mend: "lock it with: apps:lock " + app}
		}
		a.Lock = nil
		return nil
	})
	return err
}

// changeTurn is turn for what a locked app refuses. It is asked before the
// wait, so that nobody waits in vain, and after it.
func (p *Pipeline) changeTurn(ctx context.Context, r Request, what string) (*state.App, func(), error) {
	return p.changeTurnOf(ctx, r, &ticket{who: r.By, what: what})
}

func (p *Pipeline) changeTurnOf(ctx context.Context, r Request, t *ticket) (*state.App, func(), error) {
	app, err := p.Store.App(r.App)
	if err == nil {
		err = checkLock(app)
	}
	if err != nil {
		return nil, nil, err
	}
	app, leave, err := p.turnOf(ctx, r, t)
	if err != nil {
		return nil, nil, err
	}
	if err := checkLock(app); err != nil {
		leave()
		return nil, nil, err
	}
	return app, leave, nil
}

// defaultMaintenance is what visitors read where no message was given.
const defaultMaintenance = "The app is down for maintenance. Please try again later."

func maintenancePage(app *state.App) string {
	switch {
	case app.Maintenance == nil:
		return ""
	case app.Maintenance.Message != "":
		return app.Maintenance.Message
	}
	return defaultMaintenance
}

// SetMaintenance shows visitors a page instead of the app, or with nil the app
// again. Its processes run on; it holds over releases and restarts.
func (p *Pipeline) SetMaintenance(ctx context.Context, r Request, mark *state.Mark) error {
	app, leave, err := p.turn(ctx, r, "a change of maintenance")
	if err != nil {
		return err
	}
	defer leave()
	if mark == nil && app.Maintenance == nil {
		return &state.Conflict{What: r.App + " is not in maintenance", Mend: "begin it with: maintenance:on " + r.App}
	}
	return p.adjust(ctx, r, nil, func(a *state.App) { a.Maintenance = mark })
}

// SetMaxBody bounds the bodies of requests for the app, in bytes; 0 does not.
func (p *Pipeline) SetMaxBody(ctx context.Context, r Request, n int64) error {
	return p.setRouting(ctx, r, func(a *state.App) { a.MaxBody = n })
}

// SetResponseTimeout bounds how long the app may take to begin an answer; 0 is the router's default.
func (p *Pipeline) SetResponseTimeout(ctx context.Context, r Request, d time.Duration) error {
	return p.setRouting(ctx, r, func(a *state.App) { a.ResponseTimeout = d })
}

func (p *Pipeline) setRouting(ctx context.Context, r Request, change func(*state.App)) error {
	_, leave, err := p.turn(ctx, r, "a change of limits")
	if err != nil {
		return err
	}
	defer leave()
	return p.adjust(ctx, r, nil, change)
}

// SetDeployBranch makes pushes to another branch deploy; "" is main or
// master, whichever is there.
func (p *Pipeline) SetDeployBranch(ctx context.Context, r Request, branch string) error {
	_, leave, err := p.changeTurn(ctx, r, "a change of the deploy branch")
	if err != nil {
		return err
	}
	defer leave()
	_, err = p.Store.Update(r.App, func(a *state.App) error { a.DeployBranch = branch; return nil })
	return err
}
