package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"hop3/internal/state"
	"hop3/procman"
)

func appCommands() []*Command {
	return []*Command{
		{Name: "apps", Group: "apps", Short: "list the apps", Anyone: true, Answers: []any{appsAnswer{}}, Run: apps},
		{Name: "apps:create", Group: "apps", Usage: "APP", Short: "make an app without code", Example: "apps:create blog", Role: state.Operate, App: AppName, Exits: []int{ExitConflict}, Run: appsCreate},
		{Name: "apps:destroy", Group: "apps", Usage: "[APP] [--confirm APP]", Short: "remove an app with its code, releases, settings and data", Example: "apps:destroy blog --confirm blog", Role: state.Admin, App: OneApp, Exits: []int{ExitConflict, ExitNotConfirmed}, Keys: true, Run: appsDestroy,
			Flags: func(f *pflag.FlagSet) { f.String("confirm", "", "the app's name again") }},
		{Name: "apps:rename", Group: "apps", Usage: "[OLD] NEW", Short: "give an app another name, without losing a request; its address changes with it", Example: "apps:rename blog journal", Role: state.Operate, App: OneApp, Min: 1, Max: 1, Exits: []int{ExitConflict, ExitDeploy}, Run: appsRename},
		{Name: "apps:info", Group: "apps", Usage: "[APP]", Short: "show an app", Role: state.View, App: OneApp, Answers: []any{appsInfoAnswer{}}, Run: appsInfo},
	}
}

// maxTyped bounds what is read of somebody who types a name.
const maxTyped = 256

type appJSON struct {
	Name    string `json:"name"`
	Release string `json:"release"`
	State   string `json:"state"`
	URL     string `json:"url"`
}

// appState sums the states of an app's processes up in a word.
func (c *Call) appState(a *state.App) string {
	switch {
	case a.Current == 0:
		return "empty"
	case a.Stopped:
		return "stopped"
	}
	for _, i := range c.Procs.Instances(a.Name) {
		if i.State == procman.Exited || i.State == procman.Crashed {
			return "crashed"
		}
	}
	return "running"
}

func (c *Call) appJSON(a *state.App) appJSON {
	return appJSON{Name: a.Name, Release: releaseName(a.Current), State: c.appState(a), URL: c.Pipeline.URL(a.Name)}
}

// releaseName is "v3", or "" for none.
func releaseName(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("v%d", n)
}

type appsAnswer struct {
	Version int       `json:"version"`
	Apps    []appJSON `json:"apps"`
}

func apps(_ context.Context, c *Call) error {
	list := []appJSON{}
	rows := [][]string{{"NAME", "RELEASE", "STATE", "URL"}}
	for _, a := range c.visible(c.Key) {
		j := c.appJSON(a)
		list = append(list, j)
		rows = append(rows, []string{j.Name, orDash(j.Release), j.State, j.URL})
	}
	return c.answer(appsAnswer{1, list}, func(w io.Writer) { table(w, rows) })
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func appsCreate(_ context.Context, c *Call) error {
	a, err := c.Pipeline.Create(c.App, c.Who)
	if err != nil {
		return err
	}
	c.say("-----> Made %s", a.Name)
	c.say("       git remote add hop3 ssh://hop3@HOST:PORT/%s, then git push hop3 main", a.Name)
	return nil
}

func appsRename(ctx context.Context, c *Call) error {
	name := c.Args[0]
	if err := c.Pipeline.Rename(ctx, c.request(), name); err != nil {
		return err
	}
	c.say("=====> %s is %s now, at %s", c.App, name, c.Pipeline.URL(name))
	c.say("       git remote set-url hop3 ssh://hop3@HOST:PORT/%s", name)
	return nil
}

func appsDestroy(ctx context.Context, c *Call) error {
	confirm, err := c.Flags.GetString("confirm")
	if err != nil {
		return err
	}
	if confirm == "" && c.Pty != nil {
		c.say(" !     This removes %s with its code, releases, settings and data. Type its name to confirm:", c.App)
		// The client's terminal is raw: echo, Backspace, Enter and Ctrl-C are ours to do.
		line, err := term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{io.LimitReader(c.In, maxTyped), c.RawOut}, "").ReadLine()
		if err != nil {
			return &NotConfirmed{What: "nothing was destroyed", Mend: "confirm with --confirm " + c.App}
		}
		confirm = strings.TrimSpace(line)
	}
	if confirm != c.App {
		return &NotConfirmed{What: "nothing was destroyed: the name does not confirm it", Mend: "confirm with --confirm " + c.App}
	}
	if err := c.Pipeline.Destroy(ctx, c.request()); err != nil {
		return err
	}
	c.say("-----> Destroyed %s", c.App)
	return nil
}

type appsInfoAnswer struct {
	Version int `json:"version"`
	appJSON
	Stack     string         `json:"stack"`
	Commit    string         `json:"commit"`
	StorePath string         `json:"store_path"`
	Size      int64          `json:"size"`
	Created   string         `json:"created"`
	CreatedBy string         `json:"created_by"`
	Domains   []string       `json:"domains"`
	Formation map[string]int `json:"formation"`

	DeployBranch string      `json:"deploy_branch"`
	Lock         *state.Mark `json:"lock"`
	Maintenance  *state.Mark `json:"maintenance"`
}

func appsInfo(_ context.Context, c *Call) error {
	a, err := c.Store.App(c.App)
	if err != nil {
		return err
	}
	rel, _ := a.CurrentRelease()
	doc := appsInfoAnswer{1, c.appJSON(a), rel.Stack, rel.Commit, rel.StorePath, rel.Size, when(a.Created), a.CreatedBy, append([]string{}, a.Domains...), map[string]int{}, a.DeployBranch, a.Lock, a.Maintenance}
	if run, err := c.Pipeline.Current(c.App); err == nil {
		doc.Formation = run.Formation
	}
	return c.answer(doc, func(w io.Writer) {
		table(w, [][]string{
			{"name:", doc.Name}, {"state:", doc.State}, {"release:", orDash(doc.Release)}, {"url:", doc.URL},
			{"domains:", orDash(strings.Join(doc.Domains, " "))}, {"stack:", orDash(doc.Stack)}, {"commit:", orDash(doc.Commit)},
			{"store path:", orDash(doc.StorePath)}, {"closure:", fmt.Sprintf("%d bytes", doc.Size)}, {"created:", doc.Created + " by " + doc.CreatedBy},
			{"deploys:", cmp.Or(doc.DeployBranch, "main or master")}, {"locked:", markText(doc.Lock)}, {"maintenance:", markText(doc.Maintenance)},
		})
	})
}

func markText(m *state.Mark) string {
	if m == nil {
		return "-"
	}
	return strings.TrimSpace(fmt.Sprintf("by %s since %s %s", m.By, when(m.At), m.Message))
}
