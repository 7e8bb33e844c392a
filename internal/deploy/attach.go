package deploy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hop3/internal/service"
	"hop3/internal/state"
	"hop3/procman"
)

// AttachService gives an app a user of its own in a service, and the address in a variable: the one that is named, else the usual
// one of the kind, else, where the app has that already, one that names the service. It returns the attachment, and the
// release that runs with it, 0 where the app has none yet.
func (p *Pipeline) AttachService(ctx context.Context, r Request, name, variable string) (state.Attachment, int, error) {
	if variable != "" {
		if err := state.CheckConfigKey(variable); err != nil {
			return state.Attachment{}, 0, err
		}
	}
	app, leave, err := p.changeTurn(ctx, r, "services:attach")
	if err != nil {
		return state.Attachment{}, 0, err
	}
	defer leave()
	svc, free, err := p.serviceTurn(ctx, r, name, "services:attach")
	if err != nil {
		return state.Attachment{}, 0, err
	}
	defer free()
	t, address, err := p.admit(ctx, app, svc, variable)
	if err != nil {
		return state.Attachment{}, 0, err
	}
	config := maps.Clone(app.Config)
	if config == nil {
		config = map[string]string{}
	}
	config[t.Variable] = address
	number, err := p.reattach(ctx, r, app, "services: attach "+name, config, append(slices.Clone(app.Attached), t))
	if err != nil {
		return t, 0, errors.Join(err, p.dismiss(context.WithoutCancel(ctx), svc, t))
	}
	return t, number, nil
}

// admit lets an app into a service, and says how it is attached. It needs both turns.
func (p *Pipeline) admit(ctx context.Context, app, svc *state.App, variable string) (t state.Attachment, address string, err error) {
	kind, err := kindOf(svc)
	if err != nil {
		return t, "", err
	}
	name := svc.ServiceName()
	if _, ok := app.Attachment(name); ok {
		return t, "", &state.Conflict{What: fmt.Sprintf("the service %s is attached to %s already", name, app.Name), Mend: "see: services:info " + name}
	}
	t = state.Attachment{Service: name, User: fmt.Sprintf("%s-%d", app.Name, app.UID), At: time.Now().UTC(), Variable: variable}
	if variable == "" {
		t.Variable = kind.Variable
		if _, ok := app.Config[t.Variable]; ok {
			t.Variable = kind.Further(name)
		}
	}
	if _, ok := app.Config[t.Variable]; ok {
		return t, "", &state.Conflict{What: fmt.Sprintf("%s has a setting %s already", app.Name, t.Variable), Mend: "name another variable: --as NAME, or unset that one first"}
	}
	login := service.Login{Service: name, User: t.User, Password: rand.Text(), Port: svc.Service.Port}
	if err := p.script(ctx, svc, strings.NewReader(login.Password+"\n"), "grant", t.User); err != nil {
		return t, "", fmt.Errorf("let %s into the service %s: %w", app.Name, name, err)
	}
	return t, kind.URL(login), nil
}

// dismiss lets the user of an attachment in no more.
func (p *Pipeline) dismiss(ctx context.Context, svc *state.App, t state.Attachment) error {
	if err := p.script(ctx, svc, nil, "revoke", t.User); err != nil {
		return fmt.Errorf("let %s into the service %s no more: %w", t.User, t.Service, err)
	}
	return nil
}

// reattach makes a release of an app that uses other services.
func (p *Pipeline) reattach(ctx context.Context, r Request, app *state.App, change string, config map[string]string, attached []state.Attachment) (int, error) {
	rel, live := app.CurrentRelease()
	if !live {
		_, err := p.Store.Update(app.Name, func(a *state.App) error { a.Config, a.Attached = config, attached; return nil })
		return 0, err
	}
	r.Talk.Hide(config)
	rel.By, rel.Change, rel.Error = r.By, change, ""
	rel, err := p.activate(ctx, r.Talk, activation{app: app.Name, release: rel, config: config, attached: &attached})
	return rel.Number, err
}

// DetachService takes a service from an app. Processes that drain keep their connections; nobody gets in anew.
func (p *Pipeline) DetachService(ctx context.Context, r Request, name string) (int, error) {
	app, leave, err := p.changeTurn(ctx, r, "services:detach")
	if err != nil {
		return 0, err
	}
	defer leave()
	svc, free, err := p.serviceTurn(ctx, r, name, "services:detach")
	if err != nil {
		return 0, err
	}
	defer free()
	t, ok := app.Attachment(name)
	if !ok {
		return 0, &state.Conflict{What: fmt.Sprintf("the service %s is not attached to %s", name, app.Name), Mend: "see where it is: services:info " + name}
	}
	config := maps.Clone(app.Config)
	delete(config, t.Variable)
	number, err := p.reattach(ctx, r, app, "services: detach "+name, config, without(app.Attached, name))
	if err != nil {
		return 0, err
	}
	return number, p.dismiss(context.WithoutCancel(ctx), svc, t)
}

func without(list []state.Attachment, name string) []state.Attachment {
	return slices.DeleteFunc(slices.Clone(list), func(t state.Attachment) bool { return t.Service == name })
}

// detachAll lets an app that is destroyed into its services no more. What fails is logged: the app goes all the same.
func (p *Pipeline) detachAll(ctx context.Context, r Request, app *state.App) {
	for _, t := range app.Attached {
		svc, leave, err := p.serviceTurn(ctx, r, t.Service, "apps:destroy")
		if err == nil {
			err = p.dismiss(ctx, svc, t)
			leave()
		}
		if err != nil {
			p.Log.WithField("app", app.Name).WithField("user", t.User).WithError(err).Error("the user of a service was not removed")
		}
	}
}

// current gives the settings of an earlier release the addresses of the services that the app has now.
func current(app *state.App, config map[string]string) map[string]string {
	if len(app.Attached) == 0 {
		return config
	}
	out := maps.Clone(config)
	if out == nil {
		out = map[string]string{}
	}
	for _, t := range app.Attached {
		out[t.Variable] = app.Config[t.Variable]
	}
	return out
}

// checkAttached refuses to change variables by hand that services have.
func checkAttached(app *state.App, set map[string]string, unset []string) error {
	for _, t := range app.Attached {
		if _, ok := set[t.Variable]; ok || slices.Contains(unset, t.Variable) {
			return &state.Conflict{What: fmt.Sprintf("%s belongs to the service %s", t.Variable, t.Service), Mend: fmt.Sprintf("detach it first: services:detach %s %s", t.Service, app.Name)}
		}
	}
	return nil
}

// forget takes the services of another app from one that was made of its backup, and returns their names.
func (p *Pipeline) forget(app string) ([]string, error) {
	var names []string
	_, err := p.Store.Update(app, func(a *state.App) error {
		for _, t := range a.Attached {
			names = append(names, t.Service)
			delete(a.Config, t.Variable)
			for i := range a.Releases {
				a.Releases[i].Config = maps.Clone(a.Releases[i].Config)
				delete(a.Releases[i].Config, t.Variable)
			}
		}
		a.Attached = nil
		return nil
	})
	return names, err
}

// inService runs a script of a service's kind in its release. An error quotes what the script said on stderr.
func (p *Pipeline) inService(ctx context.Context, svc *state.App, spec procman.RunSpec) error {
	rel, ok := svc.CurrentRelease()
	if !ok {
		return &NotDeployed{svc.ServiceName()}
	}
	tail := newTail(tailLines, nopCloser{})
	spec.Err = tail
	code, err := p.Supervisor.Run(ctx, p.running(svc, rel), spec)
	tail.close()
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: %s", exitText(code), strings.Join(tail.lines, "; "))
	}
	return err
}

type nopCloser struct{}

func (nopCloser) Write(b []byte) (int, error) { return len(b), nil }
func (nopCloser) Close() error                { return nil }
