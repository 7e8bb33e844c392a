package command

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"hop3/internal/deploy"
	"hop3/internal/service"
	"hop3/internal/state"
	"hop3/procman"
)

func serviceCommands() []*Command {
	const group = "services"
	list := []*Command{
		{Name: "services", Group: group, Short: "list the databases and caches that the server runs for apps", Role: state.View, Answers: []any{servicesAnswer{}}, Run: services},
		{Name: "services:create", Group: group, Usage: "KIND NAME [--attach APP]", Short: "make a service: KIND is postgres or redis", Example: "services:create postgres blogdb", Role: state.Operate, Min: 2, Max: 2, Exits: []int{ExitConflict, ExitDeploy}, Run: servicesCreate,
			Flags: func(f *pflag.FlagSet) { f.String("attach", "", "attach it to this app") }},
		{Name: "services:info", Group: group, Usage: "NAME", Short: "show a service and the apps that it is attached to", Example: "services:info blogdb", Role: state.View, Min: 1, Max: 1, Answers: []any{serviceInfoAnswer{}}, Run: servicesInfo},
		{Name: "services:destroy", Group: group, Usage: "NAME [--confirm NAME]", Short: "remove a service with its data, once no app uses it", Example: "services:destroy blogdb --confirm blogdb", Role: state.Admin, Min: 1, Max: 1, Exits: []int{ExitConflict, ExitNotConfirmed}, Keys: true, Run: servicesDestroy,
			Flags: func(f *pflag.FlagSet) { f.String("confirm", "", "the service's name again") }},
	}
	return append(list, serviceUseCommands(group)...)
}

type serviceJSON struct {
	Name     string       `json:"name"`
	Kind     string       `json:"kind"`
	State    string       `json:"state"`
	Pid      int          `json:"pid"` // of the server, as the host sees it; 0 where none runs
	Port     int          `json:"port"`
	Restarts int          `json:"restarts"`
	Apps     []deploy.Use `json:"apps"`
}

type servicesAnswer struct {
	Version  int           `json:"version"`
	Services []serviceJSON `json:"services"`
}

type serviceInfoAnswer struct {
	Version int `json:"version"`
	serviceJSON
	Ready     bool   `json:"ready"` // it answers in its own protocol
	Problem   string `json:"problem"`
	Software  string `json:"software"`
	Release   string `json:"release"`
	StorePath string `json:"store_path"`
	DataBytes int64  `json:"data_bytes"`
	Created   string `json:"created"`
	CreatedBy string `json:"created_by"`
}

func (c *Call) service(a *state.App) serviceJSON {
	s := serviceJSON{Name: a.ServiceName(), Kind: a.Service.Kind, State: "creating", Port: a.Service.Port, Apps: c.Pipeline.Uses(a.ServiceName())}
	for _, i := range c.Procs.Instances(a.Name) {
		s.State, s.Pid, s.Restarts = string(i.State), i.Pid, i.Restarts
		if i.State == procman.Ready {
			break
		}
	}
	return s
}

// mayService says whether the key may use a service: one for all apps may, another one only what its own apps alone use.
func (c *Call) mayService(role state.Role, name string) bool {
	if !c.Key.May(role, "") {
		return false
	}
	users := c.Store.Users(name)
	return len(c.Key.Apps) == 0 || len(users) > 0 && !slices.ContainsFunc(users, func(a *state.App) bool { return !c.Key.May(role, a.Name) })
}

// named finds the service that a call names. One that the key may not see is answered like one that does not exist.
func (c *Call) named(name string) (*state.App, error) {
	svc, err := c.Store.Service(name)
	switch {
	case err == nil && c.mayService(state.View, name) && !c.mayService(c.Command.Role, name):
		return nil, &Denied{Who: c.Who, What: c.Command.Name + " of " + name, Needs: c.Command.Role.String()}
	case err == nil && c.mayService(c.Command.Role, name):
		return svc, nil
	}
	var names []string
	for _, a := range c.Store.Services() {
		if c.mayService(state.View, a.ServiceName()) {
			names = append(names, a.ServiceName())
		}
	}
	return nil, &state.NotFound{Kind: "service", Name: name, Near: state.Nearest(name, names)}
}

// ownApp finds an app that a call names behind a service.
func (c *Call) ownApp(name string) error {
	if !c.isApp(name) || !c.Key.May(state.View, name) {
		return c.unknownApp(c.Key, name)
	}
	if !c.Key.May(c.Command.Role, name) {
		return &Denied{Who: c.Who, What: c.Command.Name + " on " + name, Needs: c.Command.Role.String()}
	}
	c.App = name
	return nil
}

func services(_ context.Context, c *Call) error {
	answer := servicesAnswer{1, []serviceJSON{}}
	for _, a := range c.Store.Services() {
		if c.mayService(state.View, a.ServiceName()) {
			answer.Services = append(answer.Services, c.service(a))
		}
	}
	return c.answer(answer, func(w io.Writer) {
		rows := [][]string{{"NAME", "KIND", "STATE", "APPS"}}
		for _, s := range answer.Services {
			rows = append(rows, []string{s.Name, s.Kind, s.State, orDash(appNames(s.Apps))})
		}
		table(w, rows)
	})
}

func appNames(list []deploy.Use) string {
	var names []string
	for _, u := range list {
		names = append(names, u.App)
	}
	return strings.Join(names, " ")
}

func servicesInfo(ctx context.Context, c *Call) error {
	svc, err := c.named(c.Args[0])
	if err != nil {
		return err
	}
	rel, _ := svc.CurrentRelease()
	a := serviceInfoAnswer{
		Version: 1, serviceJSON: c.service(svc), Software: svc.Service.Kind, Release: fmt.Sprintf("v%d", rel.Number), StorePath: rel.StorePath,
		Created: when(svc.Created), CreatedBy: svc.CreatedBy,
	}
	if kind, ok := service.Find(svc.Service.Kind); ok {
		a.Software = kind.Title
	}
	if err := c.Pipeline.CheckService(ctx, svc); err != nil {
		a.Problem = err.Error()
	} else {
		a.Ready = true
	}
	if a.DataBytes, err = c.Pipeline.ServiceData(ctx, svc); err != nil {
		return err
	}
	return c.answer(a, func(w io.Writer) {
		state := a.State
		if a.Problem != "" {
			state += ", " + a.Problem
		}
		rows := [][]string{
			{"name:", a.Name}, {"kind:", a.Kind + " (" + a.Software + ")"}, {"state:", state}, {"listens:", "127.0.0.1:" + strconv.Itoa(a.Port)},
			{"data:", deploy.BytesText(a.DataBytes)}, {"store path:", a.StorePath}, {"created:", a.Created + " by " + a.CreatedBy},
		}
		for _, u := range a.Apps {
			rows = append(rows, []string{"attached:", u.App + " as " + u.Variable})
		}
		table(w, rows)
	})
}

func servicesCreate(ctx context.Context, c *Call) error {
	kind, ok := service.Find(c.Args[0])
	if !ok {
		return &Usage{What: c.Args[0] + " is no kind of service", Mend: "there are: " + strings.Join(service.Names(), ", ")}
	}
	app, err := c.Flags.GetString("attach")
	if err != nil {
		return err
	}
	name := c.Args[1]
	if app != "" {
		if err := c.ownApp(app); err != nil {
			return err
		}
	} else if len(c.Key.Apps) > 0 {
		return &Denied{Who: c.Who, What: "make a service for no app of its own (--attach APP)", Needs: state.Operate.String() + " for all apps"}
	}
	if _, err := c.Pipeline.CreateService(ctx, c.request(), kind, name, 0); err != nil {
		return err
	}
	if app == "" {
		c.say("=====> The service %s runs; attach it: services:attach %s APP", name, name)
		return nil
	}
	return c.attach(ctx, name, "")
}

func servicesDestroy(ctx context.Context, c *Call) error {
	name := c.Args[0]
	if _, err := c.named(name); err != nil {
		return err
	}
	confirm, err := c.Flags.GetString("confirm")
	if err != nil {
		return err
	}
	if confirm == "" && c.Pty != nil {
		c.say(" !     This removes the service %s and all its data. Type its name to go on:", name)
		line, err := bufio.NewReader(io.LimitReader(c.In, maxTyped)).ReadString('\n')
		if err != nil {
			return &NotConfirmed{What: "nothing was destroyed", Mend: "confirm with --confirm " + name}
		}
		confirm = strings.TrimSpace(line)
	}
	if confirm != name {
		return &NotConfirmed{What: "nothing was destroyed: the name does not confirm it", Mend: "confirm with --confirm " + name}
	}
	if err := c.Pipeline.DestroyService(ctx, c.request(), name); err != nil {
		return err
	}
	c.say("-----> Destroyed %s", name)
	return nil
}
