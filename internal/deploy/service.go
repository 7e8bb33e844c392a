package deploy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"hop3/detect"
	"hop3/internal/service"
	"hop3/internal/state"
	"hop3/procman"
	"hop3/procman/sandbox"
	"hop3/receive"
)

// files is a tree of this program's own that is built as a pushed commit is.
type files struct{ fs.FS }

func (f files) Tree(context.Context) (fs.FS, error) { return f.FS, nil }

func (f files) Export(_ context.Context, dst string, _ receive.ExportLimits) error {
	if err := os.CopyFS(dst, f.FS); err != nil {
		return fmt.Errorf("write the files of a service: %w", err)
	}
	return nil
}

func (f files) Commit(context.Context) (receive.CommitInfo, error) { return receive.CommitInfo{}, nil }

// kindOf returns what kind of service a is.
func kindOf(a *state.App) (service.Kind, error) {
	if k, ok := service.Find(a.Service.Kind); ok {
		return k, nil
	}
	return service.Kind{}, fmt.Errorf("this version of hop3 does not know the kind %q of the service %s", a.Service.Kind, a.ServiceName())
}

// CreateService builds and starts a service. Owner is the user id of the app whose files ask for it, 0 where a person does. It
// is there when its server takes work, or not at all.
func (p *Pipeline) CreateService(ctx context.Context, r Request, kind service.Kind, name string, owner int) (*state.App, error) {
	svc, err := p.Store.CreateService(name, r.By, state.Service{Kind: kind.Name, Owner: owner}, time.Now())
	if err != nil {
		return nil, err
	}
	leave, err := p.enter(ctx, r.Talk, svc.Name, &ticket{who: r.By, what: "services:create"})
	if err != nil {
		return nil, errors.Join(err, p.removeService(ctx, svc))
	}
	defer leave()
	r.Talk.Step("Creating the service %s: %s", name, kind.Title)
	if err := p.startService(ctx, r, svc, kind); err != nil {
		if f, ok := errors.AsType[*Failure](err); ok && f.Why == "start failed" {
			f.Mend = "nothing is left of the service; hop3 doctor says what this machine lacks"
		}
		return nil, errors.Join(err, p.removeService(context.WithoutCancel(ctx), svc))
	}
	return p.Store.App(svc.Name)
}

// startService makes the first release of a service, or one of what this version of hop3 has. It needs the service's turn.
func (p *Pipeline) startService(ctx context.Context, r Request, svc *state.App, kind service.Kind) error {
	if err := p.checkDisk(ctx, svc); err != nil {
		return err
	}
	plan, err := detect.Detect(kind.Files())
	if err != nil {
		return fmt.Errorf("read the files of a service: %w", err)
	}
	built, err := p.build(ctx, r.Talk, svc, plan, files{kind.Files()}, options{})
	if err != nil {
		return err
	}
	a := activation{app: svc.Name, config: svc.Config, command: true, trusted: true}
	if svc.Service.Port == 0 { // as late as can be, so that nobody else takes it meanwhile
		if svc, err = p.givePort(svc); err != nil {
			return err
		}
		password := rand.Text()
		r.Talk.Hide(map[string]string{"": password})
		a.config = kind.Settings(svc.ServiceName(), password, svc.Service.Port)
	}
	fill(&a.release, plan, built)
	a.release.By, a.release.Change = r.By, "service "+kind.Name
	_, err = p.activate(context.WithoutCancel(ctx), r.Talk, a)
	return err
}

// givePort gives a service the port that it keeps.
func (p *Pipeline) givePort(svc *state.App) (*state.App, error) {
	port, err := p.Supervisor.TakePort()
	if err != nil {
		return nil, err
	}
	return p.Store.Update(svc.Name, func(a *state.App) error {
		service := *a.Service
		service.Port = port
		a.Service = &service
		return nil
	})
}

// DestroyService stops a service and removes its data. One that an app uses is a [*state.Conflict].
func (p *Pipeline) DestroyService(ctx context.Context, r Request, name string) error {
	svc, leave, err := p.serviceTurn(ctx, r, name, "services:destroy")
	if err != nil {
		return err
	}
	defer leave()
	if users := p.Store.Users(name); len(users) > 0 {
		return &state.Conflict{What: fmt.Sprintf("the service %s is attached to %s", name, users[0].Name), Mend: fmt.Sprintf("detach it first: services:detach %s %s", name, users[0].Name)}
	}
	return p.removeService(ctx, svc)
}

// removeService needs the service's turn.
func (p *Pipeline) removeService(ctx context.Context, svc *state.App) error {
	if err := p.Supervisor.Reap(ctx, svc.Name, p.runDir(svc.Name)); err != nil { // of a start that was cut off
		return fmt.Errorf("end what is left of %s: %w", svc.ServiceName(), err)
	}
	if err := p.Supervisor.Stop(ctx, svc.Name); err != nil {
		return fmt.Errorf("stop %s: %w", svc.ServiceName(), err)
	}
	now, err := p.Store.App(svc.Name) // it may have its port by now
	if err != nil {
		return err
	}
	if err := p.Store.Destroy(svc.Name); err != nil {
		return err
	}
	p.Supervisor.FreePort(now.Service.Port)
	return nil
}

// serviceTurn waits for the turn to change a service. Who has an app's turn may wait for a service's, never the reverse.
func (p *Pipeline) serviceTurn(ctx context.Context, r Request, name, what string) (*state.App, func(), error) {
	svc, err := p.Store.Service(name)
	if err != nil {
		return nil, nil, err
	}
	leave, err := p.enter(ctx, r.Talk, svc.Name, &ticket{who: r.By, what: what})
	if err != nil {
		return nil, nil, err
	}
	if svc, err = p.Store.Service(name); err != nil {
		leave()
		return nil, nil, err
	}
	return svc, leave, nil
}

// bootService brings a service back when the server starts. One whose creation was cut off is removed.
func (p *Pipeline) bootService(ctx context.Context, svc *state.App) error {
	p.Supervisor.ReservePort(svc.Service.Port)
	rel, ok := svc.CurrentRelease()
	if !ok {
		return p.removeService(ctx, svc)
	}
	for _, r := range svc.Releases {
		if r.Status == state.Pending {
			if err := p.fail(svc.Name, r.Number, errors.New("the server stopped before it was live")); err != nil {
				return err
			}
		}
	}
	err := p.Supervisor.Adopt(ctx, p.running(svc, rel))
	if err == nil && svc.Stopped { // a restore was cut off
		r := Request{App: svc.Name, By: "the server", Talk: NewTalk(io.Discard)}
		err = errors.Join(p.script(ctx, svc, nil, "restore", "undo"), p.halt(ctx, r, false))
	}
	return err
}

// asService completes what procman is to know of a service: it has no address, and says itself when it is ready.
func (p *Pipeline) asService(svc *state.App, rel state.Release, run *procman.Release) {
	run.Closed = true
	kind, err := kindOf(svc)
	if err != nil {
		p.Log.WithError(err).Error("the service is not asked whether it is ready")
		return
	}
	for i := range run.Processes {
		run.Processes[i].Ready = func(ctx context.Context) error { return p.askService(ctx, svc, kind, rel.Config[kind.Secret]) }
	}
}

// askService asks the server whether it takes work.
func (p *Pipeline) askService(ctx context.Context, svc *state.App, kind service.Kind, password string) error {
	conn, err := dialIn(ctx, p.socketDir(svc), kind.Socket(svc.Service.Port))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is lost
	return kind.Ready(ctx, conn, password)
}

// dialIn connects to a socket by its folder: the whole path may be longer than an address can be (108 bytes, unix(7)).
func dialIn(ctx context.Context, dir, file string) (net.Conn, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return (&net.Dialer{}).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), file))
}

// socketDir is the folder of a service's socket.
func (p *Pipeline) socketDir(svc *state.App) string {
	return filepath.Join(p.Store.AppDir(svc.Name), "data", "socket")
}

// sockets are those of the services that an app is attached to.
func (p *Pipeline) sockets(app *state.App) []sandbox.Socket {
	var out []sandbox.Socket
	for _, t := range app.Attached {
		svc, err := p.Store.Service(t.Service)
		if err != nil {
			p.Log.WithField("app", app.Name).WithError(err).Error("an attached service is not there")
			continue
		}
		kind, err := kindOf(svc)
		if err != nil {
			p.Log.WithField("app", app.Name).WithError(err).Error("an attached service is not known")
			continue
		}
		out = append(out, sandbox.Socket{Name: t.Service, Dir: p.socketDir(svc), File: kind.Socket(svc.Service.Port), Port: svc.Service.Port})
	}
	return out
}
