package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"hop3/internal/state"
	"hop3/procman"
)

// answerTime is how long a server may take to answer when somebody looks at it.
const answerTime = 2 * time.Second

// A Use is an app that a service is attached to.
type Use struct {
	App      string `json:"app"`
	Variable string `json:"variable"` // in which it finds the address
	User     string `json:"user"`     // in the service
	Addon    string `json:"addon"`    // what its own files call the service; "" where a person attached it
}

// Uses lists the apps that a service is attached to.
func (p *Pipeline) Uses(service string) []Use {
	list := []Use{}
	for _, a := range p.Store.Users(service) {
		t, _ := a.Attachment(service) // a user has one
		list = append(list, Use{App: a.Name, Variable: t.Variable, User: t.User, Addon: t.Addon})
	}
	return list
}

// CheckService asks the server of a service whether it takes work.
func (p *Pipeline) CheckService(ctx context.Context, svc *state.App) error {
	kind, err := kindOf(svc)
	if err != nil {
		return err
	}
	rel, ok := svc.CurrentRelease()
	if !ok {
		return &NotDeployed{svc.ServiceName()}
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return p.askService(ctx, svc, kind, rel.Config[kind.Secret])
}

// ServiceData measures what a service holds, in bytes.
func (p *Pipeline) ServiceData(ctx context.Context, svc *state.App) (int64, error) {
	return diskUsage(ctx, filepath.Join(p.Store.AppDir(svc.Name), "data"))
}

// BackupService writes what a service holds to w, in the format of its kind, while it runs.
func (p *Pipeline) BackupService(ctx context.Context, name string, w io.Writer, args ...string) error {
	svc, err := p.Store.Service(name)
	if err != nil {
		return err
	}
	if err := p.inService(ctx, svc, procman.RunSpec{Argv: append([]string{"sh", "./backup"}, args...), Out: w}); err != nil {
		return fmt.Errorf("back the service %s up: %w", name, err)
	}
	return nil
}

// RestoreService puts what BackupService wrote in place of what a service holds, all of it or nothing. Users and
// attachments stay as they are. Kinds whose server must not run meanwhile are stopped for it.
func (p *Pipeline) RestoreService(ctx context.Context, r Request, name string, in io.Reader) error {
	svc, leave, err := p.serviceTurn(ctx, r, name, "services:restore")
	if err != nil {
		return err
	}
	defer leave()
	kind, err := kindOf(svc)
	if err != nil {
		return err
	}
	r.App = svc.Name
	if kind.Stopped {
		err = p.replaceData(ctx, r, svc, in)
	} else {
		err = p.script(ctx, svc, in, "restore")
	}
	if err != nil {
		return fmt.Errorf("restore the service %s: %w", name, err)
	}
	return nil
}

// replaceData restores a service that has to be stopped for it. If it does not start with the new data it gets the old back.
func (p *Pipeline) replaceData(ctx context.Context, r Request, svc *state.App, in io.Reader) error {
	if err := p.script(ctx, svc, in, "receive"); err != nil { // it may take long, or fail
		return err
	}
	ctx = context.WithoutCancel(ctx) // half of it helps nobody
	if err := p.halt(ctx, r, true); err != nil {
		return err
	}
	err := p.script(ctx, svc, nil, "restore")
	if err != nil {
		return errors.Join(err, p.halt(ctx, r, false))
	}
	if err := p.halt(ctx, r, false); err != nil {
		return errors.Join(err, p.script(ctx, svc, nil, "restore", "undo"), p.halt(ctx, r, false))
	}
	return p.script(ctx, svc, nil, "restore", "done")
}

// script runs a script of a service's kind.
func (p *Pipeline) script(ctx context.Context, svc *state.App, in io.Reader, words ...string) error {
	return p.inService(ctx, svc, procman.RunSpec{Argv: append([]string{"sh", "./" + words[0]}, words[1:]...), In: in})
}

// UpgradeService builds a service from what the server's package set has now, and replaces its server if that is another
// one. Apps see their connections end.
func (p *Pipeline) UpgradeService(ctx context.Context, r Request, name string) (state.Release, error) {
	svc, leave, err := p.serviceTurn(ctx, r, name, "services:upgrade")
	if err != nil {
		return state.Release{}, err
	}
	defer leave()
	kind, err := kindOf(svc)
	if err != nil {
		return state.Release{}, err
	}
	if err := p.startService(ctx, r, svc, kind); err != nil {
		return state.Release{}, err
	}
	if svc, err = p.Store.Service(name); err != nil {
		return state.Release{}, err
	}
	rel, _ := svc.CurrentRelease() // it has one
	return rel, nil
}

// halt stops the processes of a service and waits for their end, or starts them again. It needs the service's turn.
func (p *Pipeline) halt(ctx context.Context, r Request, stopped bool) error {
	svc, err := p.Store.Update(r.App, func(a *state.App) error { a.Stopped = stopped; return nil })
	if err != nil {
		return err
	}
	rel, _ := svc.CurrentRelease() // it has one
	return p.replace(ctx, r, p.running(svc, rel))
}

// UseService runs the client of a service's kind, with the ends of the line that spec has. It returns the exit code.
func (p *Pipeline) UseService(ctx context.Context, name string, spec procman.RunSpec, args []string) (int, error) {
	svc, err := p.Store.Service(name)
	if err != nil {
		return -1, err
	}
	rel, ok := svc.CurrentRelease()
	if !ok {
		return -1, &NotDeployed{name}
	}
	spec.Argv = append([]string{"sh", "./client"}, args...)
	return p.Supervisor.Run(ctx, p.running(svc, rel), spec)
}
