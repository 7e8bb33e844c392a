package command

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"hop3/internal/deploy"
	"hop3/internal/state"
)

func backupCommands() []*Command {
	return []*Command{
		{Name: "backup", Group: "data", Usage: "[APP] [--no-data]", Short: "write a tar of an app, or for an admin of all apps and keys, while they run; settings stay sealed", Example: "backup blog > blog.tar", Role: state.Operate, Max: 1, Run: backup,
			Flags: func(f *pflag.FlagSet) { f.Bool("no-data", false, "leave out what lies in /data") }},
		{Name: "restore", Group: "data", Usage: "[APP] < TAR", Short: "make apps of a backup; APP gives the one app in it another name", Example: "restore journal < blog.tar", Role: state.Operate, Max: 1, Answers: []any{restoreAnswer{}}, Exits: []int{ExitConflict}, Run: restore},
		{Name: "apps:clone", Group: "apps", Usage: "[APP] NEW", Short: "make another app of an app's code, settings and release, without its data and domains", Example: "apps:clone blog blog-next", Role: state.Operate, App: OneApp, Min: 1, Max: 1, Exits: []int{ExitConflict, ExitDeploy}, Run: appsClone},
	}
}

func backup(ctx context.Context, c *Call) error {
	if c.Pty != nil {
		return &Usage{What: "a backup is no text for a terminal", Mend: "without ssh -t, into a file: backup blog > blog.tar"}
	}
	noData, err := c.Flags.GetBool("no-data")
	if err != nil {
		return err
	}
	var apps []string
	for _, a := range c.visible(c.Key) {
		apps = append(apps, a.Name)
	}
	whole := len(c.Args) == 0
	if !whole {
		name := c.Args[0]
		if !c.isApp(name) || !c.Key.May(state.View, name) {
			return c.unknownApp(c.Key, name)
		}
		if !c.Key.May(state.Operate, name) {
			return &Denied{Who: c.Who, What: c.Command.Name + " of " + name, Needs: state.Operate.String()}
		}
		apps = []string{name}
	} else if !c.Key.May(state.Admin, "") {
		return &Denied{Who: c.Who, What: "a backup of the whole server", Needs: state.Admin.String()}
	}
	return c.Pipeline.Backup(ctx, c.request(), apps, !noData, whole, c.RawOut)
}

type restoreAnswer struct {
	Version int               `json:"version"`
	Apps    []deploy.Restored `json:"apps"`
}

func restore(ctx context.Context, c *Call) error {
	name := ""
	if len(c.Args) > 0 {
		name = c.Args[0]
	}
	may := func(app string) error {
		if c.Key.May(state.Operate, app) {
			return nil
		}
		return &Denied{Who: c.Who, What: c.Command.Name + " of " + app, Needs: state.Operate.String()}
	}
	list, err := c.Pipeline.Restore(ctx, c.request(), deploy.RestoreOptions{Name: name, May: may, Keys: c.Key.May(state.Admin, "")}, c.In)
	if err != nil {
		return err
	}
	if err := c.answer(restoreAnswer{1, list}, func(w io.Writer) {
		rows := [][]string{{"APP", "RELEASE", "PROBLEM"}}
		for _, r := range list {
			rows = append(rows, []string{r.App, orDash(r.Release), orDash(oneLine(r.Problem))})
		}
		table(w, rows)
	}); err != nil {
		return err
	}
	for _, r := range list {
		if r.Problem != "" {
			return fmt.Errorf("%s is restored and does not run: %s", r.App, oneLine(r.Problem))
		}
	}
	return nil
}

func appsClone(ctx context.Context, c *Call) error {
	name := c.Args[0]
	if !c.Key.May(state.Operate, name) {
		return &Denied{Who: c.Who, What: c.Command.Name + " to " + name, Needs: state.Operate.String()}
	}
	one, err := c.Pipeline.Clone(ctx, c.request(), name)
	if err != nil {
		return err
	}
	if one.Problem != "" {
		return fmt.Errorf("%s is made and does not run: %s", name, oneLine(one.Problem))
	}
	c.say("=====> %s is a clone of %s, at %s", name, c.App, c.Pipeline.URL(name))
	c.say("       git remote add %s ssh://hop3@HOST:PORT/%s", name, name)
	return nil
}
