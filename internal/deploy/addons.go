package deploy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hop3/detect"
	"hop3/internal/service"
	"hop3/internal/state"
)

// An addon is a service that the app's files ask for, with its kind.
type addon struct {
	detect.Addon
	kind service.Kind
}

// addonsOf returns the services that the app's files ask for, under the names by which they call them. What app.json asks of
// other platforms is left out with a word about it; hop3.toml is meant for us: what cannot be had there is an error.
func addonsOf(talk *Talk, plan detect.Plan) ([]addon, error) {
	var list []addon
	for _, a := range plan.Manifest.Addons {
		kind, ok := service.Find(a.Type)
		if !ok && strings.HasPrefix(a.From, "app.json") {
			talk.Line("warning: app.json asks for the addon %s, which this server does not have", a.Type)
			continue
		}
		if !ok {
			return nil, &Failure{
				What: fmt.Sprintf("hop3.toml [[addons]] asks for a service of the type %q, which this server does not have", a.Type),
				Mend: "there are: " + strings.Join(service.Names(), ", "), Why: "not deployable",
			}
		}
		a.Name = cmp.Or(a.Name, kind.Name)
		if slices.ContainsFunc(list, func(other addon) bool { return other.Name == a.Name }) {
			return nil, &Failure{What: fmt.Sprintf("two addons are called %s", a.Name), Mend: "give each a name of its own in hop3.toml [[addons]], or an \"as\" in app.json", Why: "not deployable"}
		}
		if len(a.Extensions) > 0 && kind.Name != "postgres" {
			return nil, &Failure{What: fmt.Sprintf("the addon %s asks for extensions, which %s has not", a.Name, kind.Name), Mend: "take them out of hop3.toml [[addons]]", Why: "not deployable"}
		}
		list = append(list, addon{a, kind})
	}
	return list, nil
}

// checkAddons refuses, before anything is built, what provide could not do.
func (p *Pipeline) checkAddons(talk *Talk, app *state.App, plan detect.Plan) error {
	list, err := addonsOf(talk, plan)
	if err != nil {
		return err
	}
	for _, a := range list {
		if attachedAs(app, a) {
			continue
		}
		name := app.Name + "-" + a.Name
		if svc, err := p.Store.Service(name); err == nil && (svc.Service.Owner != app.UID || svc.Service.Kind != a.kind.Name) {
			return &Failure{
				What: fmt.Sprintf("the addon %s would be the service %s, which exists and was not made for it", a.Name, name),
				Mend: fmt.Sprintf("give the addon another name, or have an operator attach that one: services:attach %s %s", name, app.Name), Why: "not deployable",
			}
		}
		if err := state.CheckAppName(name); err != nil {
			return &Failure{What: err.Error(), Mend: "give the addon a shorter name in hop3.toml [[addons]]", Why: "not deployable"}
		}
		talk.Line("%s, from %s: the service %s", a.kind.Title, a.From, name)
	}
	for _, key := range slices.Sorted(maps.Keys(plan.Manifest.EnvFrom)) {
		from := plan.Manifest.EnvFrom[key]
		if from.From == "" && serverValue(p, app, from.Key) != "" || p.source(app, from.From) != nil ||
			slices.ContainsFunc(list, func(a addon) bool { return a.Name == from.From || a.kind.Name == from.From }) {
			continue
		}
		return &Failure{
			What: fmt.Sprintf("hop3.toml [env] %s = {from = %q, key = %q} names no service of this app", key, from.From, from.Key),
			Mend: "ask for one in [[addons]], or attach one: services:attach " + cmp.Or(from.From, "NAME") + " " + app.Name, Why: "not deployable",
		}
	}
	return nil
}

func attachedAs(app *state.App, a addon) bool {
	return slices.ContainsFunc(app.Attached, func(t state.Attachment) bool { return t.Addon == a.Name })
}

// provide makes and attaches the services that the app's files ask for and that it has not yet, and gives a the settings
// with their addresses. They stay, whatever becomes of the deploy, and later ones find them. It needs the app's turn.
func (p *Pipeline) provide(ctx context.Context, talk *Talk, app *state.App, plan detect.Plan, a *activation) error {
	list, err := addonsOf(NewTalk(nopCloser{}), plan) // its words were said before the build
	if err != nil {
		return err
	}
	r := Request{App: a.app, By: a.release.By, Talk: talk}
	for _, one := range list {
		if attachedAs(app, one) {
			continue
		}
		if app, err = p.provideOne(ctx, r, app, one); err != nil {
			return fmt.Errorf("provide the addon %s: %w", one.Name, err)
		}
	}
	for _, t := range app.Attached {
		a.config[t.Variable] = app.Config[t.Variable]
	}
	for key, from := range plan.Manifest.EnvFrom {
		v, secret, err := p.valueFrom(app, from)
		if err != nil {
			return &Failure{What: fmt.Sprintf("hop3.toml [env] %s: %v", key, err), Mend: hintOf(err), Why: "not deployable", Status: err}
		}
		if secret {
			a.config[key] = v
		} else {
			a.release.Env[key] = v
		}
	}
	talk.Hide(a.config)
	return nil
}

func (p *Pipeline) provideOne(ctx context.Context, r Request, app *state.App, a addon) (*state.App, error) {
	name := app.Name + "-" + a.Name
	svc, err := p.Store.Service(name)
	if err != nil {
		if svc, err = p.CreateService(ctx, r, a.kind, name, app.UID); err != nil {
			return nil, err
		}
	}
	for _, e := range a.Extensions {
		if err := p.script(ctx, svc, nil, "extend", e); err != nil {
			return nil, fmt.Errorf("make the extension %s: %w", e, err)
		}
	}
	svc, leave, err := p.serviceTurn(ctx, r, name, "a deploy of "+app.Name)
	if err != nil {
		return nil, err
	}
	defer leave()
	t, address, err := p.admit(ctx, app, svc, a.As)
	if err != nil {
		return nil, err
	}
	t.Addon = a.Name
	r.Talk.Line("%s is attached as %s", name, t.Variable)
	return p.Store.Update(app.Name, func(app *state.App) error {
		app.Attached = append(app.Attached, t)
		app.Config[t.Variable] = address
		return nil
	})
}

// source finds the service that an app's files mean by a name: of an addon, of a service, of a kind.
func (p *Pipeline) source(app *state.App, name string) *state.Attachment {
	fits := []func(state.Attachment) bool{
		func(t state.Attachment) bool { return t.Addon == name },
		func(t state.Attachment) bool { return t.Service == name },
		func(t state.Attachment) bool {
			svc, err := p.Store.Service(t.Service)
			return err == nil && svc.Service.Kind == name
		},
	}
	for _, fit := range fits {
		if i := slices.IndexFunc(app.Attached, fit); i >= 0 && name != "" {
			return &app.Attached[i]
		}
	}
	return nil
}

// valueFrom resolves {from = …, key = …}; without a key it is the address. A secret value holds a password.
func (p *Pipeline) valueFrom(app *state.App, from detect.EnvFrom) (value string, secret bool, err error) {
	if from.From == "" {
		return serverValue(p, app, from.Key), false, nil
	}
	t := p.source(app, from.From)
	if t == nil {
		return "", false, &state.NotFound{Kind: "service", Name: from.From}
	}
	svc, err := p.Store.Service(t.Service)
	if err != nil {
		return "", false, err
	}
	kind, err := kindOf(svc)
	if err != nil {
		return "", false, err
	}
	login, err := kind.Parse(t.Service, app.Config[t.Variable])
	if err != nil {
		return "", false, err
	}
	values := kind.Values(login)
	if v, ok := values[cmp.Or(from.Key, kind.Variable)]; ok {
		return v, strings.Contains(v, login.Password), nil
	}
	return "", false, &state.Invalid{What: fmt.Sprintf("the service %s has no value %q", t.Service, from.Key), Rule: "one of " + strings.Join(slices.Sorted(maps.Keys(values)), ", ")}
}

// serverValue is what {key = …} without a service stands for; "" for what is not known.
func serverValue(p *Pipeline, app *state.App, key string) string {
	switch key {
	case "name":
		return app.Name
	case "domain", "hostname":
		return append(slices.Clone(app.Domains), app.Name+"."+p.Domain)[0]
	}
	return ""
}
