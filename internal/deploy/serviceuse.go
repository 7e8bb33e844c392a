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
	if err := p.inService(ctx, svc, procman.RunSpec{Argv: append([]string{"sh", "/app/backup"}, args...), Out: w}); err != nil {
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
	restore := procman.RunSpec{Argv: []string{"sh", "/app/restore"}, In: in}
	if !kind.Stopped {
		if err := p.inService(ctx, svc, restore); err != nil {
			return fmt.Errorf("restore the service %s: %w", name, err)
		}
		return nil
	}
	if err := p.inService(ctx, svc, procman.RunSpec{Argv: []string{"sh", "/app/receive"}, In: in}); err != nil { // it may take long, or fail
		return fmt.Errorf("restore the service %s: %w", name, err)
	}
	ctx = context.WithoutCancel(ctx) // half of it helps nobody
	if err := p.halt(ctx, r, true); err != nil {
		return err
	}
	restore.In = nil
	if err := errors.Join(p.inService(ctx, svc, restore), p.halt(ctx, r, false)); err != nil {
		return fmt.Errorf("restore the service %s: %w", name, err)
	}
	return nil
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
	spec.Argv = append([]string{"sh", "/app/client"}, args...)
	return p.Supervisor.Run(ctx, p.running(svc, rel), spec)
}
