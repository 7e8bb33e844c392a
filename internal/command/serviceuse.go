package command

import (
	"context"
	"time"

	"github.com/spf13/pflag"

	"hop3/internal/state"
	"hop3/procman"
)

func serviceUseCommands(group string) []*Command {
	return []*Command{
		{Name: "services:attach", Group: group, Usage: "NAME APP [--as VARIABLE]", Short: "let an app use a service: it finds the address in DATABASE_URL or REDIS_URL", Example: "services:attach blogdb blog", Role: state.Operate, Min: 2, Max: 2, Exits: []int{ExitConflict, ExitDeploy}, Run: servicesAttach,
			Flags: func(f *pflag.FlagSet) { f.String("as", "", "the variable that holds the address") }},
		{Name: "services:detach", Group: group, Usage: "NAME APP", Short: "take a service, and its address, from an app", Example: "services:detach blogdb blog", Role: state.Operate, Min: 2, Max: 2, Exits: []int{ExitConflict, ExitDeploy}, Run: servicesDetach},
		{Name: "services:upgrade", Group: group, Usage: "NAME", Short: "build a service from the server's package set of today, and restart it if that changes it", Example: "services:upgrade blogdb", Role: state.Operate, Min: 1, Max: 1, Exits: []int{ExitDeploy}, Run: servicesUpgrade},
		{Name: "services:backup", Group: group, Usage: "NAME [--plain]", Short: "write what a service holds: a dump of pg_dump, or a snapshot in Redis's format", Example: "services:backup blogdb > blogdb.dump", Role: state.Operate, Min: 1, Max: 1, Run: servicesBackup,
			Flags: func(f *pflag.FlagSet) { f.Bool("plain", false, "SQL in place of pg_dump's custom format") }},
		{Name: "services:restore", Group: group, Usage: "NAME [--confirm NAME] < BACKUP", Short: "put a backup in place of what a service holds", Example: "services:restore blogdb --confirm blogdb < blogdb.dump", Role: state.Operate, Min: 1, Max: 1, Exits: []int{ExitNotConfirmed}, Run: servicesRestore,
			Flags: func(f *pflag.FlagSet) { f.String("confirm", "", "the service's name again") }},
		{Name: "services:connect", Group: group, Usage: "NAME [-- ARGUMENT…]", Short: "talk to a service by psql or valkey-cli; ssh -t gives it a terminal", Example: "services:connect blogdb", Role: state.Operate, Min: 1, Max: -1, Keys: true, Run: servicesConnect},
		{Name: "services:logs", Group: group, Usage: "NAME [-t] [-n 100] [--since 10m] [--grep RE]", Short: "print what a service's server wrote", Example: "services:logs blogdb -n 20", Role: state.View, Min: 1, Max: 1, Answers: []any{procman.LogLine{}}, Run: servicesLogs, Flags: logFlags},
	}
}

func servicesAttach(ctx context.Context, c *Call) error {
	if _, err := c.named(c.Args[0]); err != nil {
		return err
	}
	if err := c.ownApp(c.Args[1]); err != nil {
		return err
	}
	variable, err := c.Flags.GetString("as")
	if err != nil {
		return err
	}
	return c.attach(ctx, c.Args[0], variable)
}

// attach attaches a service to the call's app.
func (c *Call) attach(ctx context.Context, name, variable string) error {
	t, number, err := c.Pipeline.AttachService(ctx, c.request(), name, variable)
	if err != nil {
		return err
	}
	c.say("-----> %s is attached to %s, which finds it in %s", name, c.App, t.Variable)
	c.live(number)
	return nil
}

func (c *Call) live(number int) {
	if number > 0 {
		c.say("=====> %s v%d is live", c.App, number)
	}
}

func servicesDetach(ctx context.Context, c *Call) error {
	if _, err := c.named(c.Args[0]); err != nil {
		return err
	}
	if err := c.ownApp(c.Args[1]); err != nil {
		return err
	}
	number, err := c.Pipeline.DetachService(ctx, c.request(), c.Args[0])
	if err != nil {
		return err
	}
	c.say("-----> %s is detached from %s; its data stays", c.Args[0], c.App)
	c.live(number)
	return nil
}

func servicesUpgrade(ctx context.Context, c *Call) error {
	if _, err := c.named(c.Args[0]); err != nil {
		return err
	}
	rel, err := c.Pipeline.UpgradeService(ctx, c.request(), c.Args[0])
	if err != nil {
		return err
	}
	c.say("=====> %s v%d is live: %s", c.Args[0], rel.Number, rel.StorePath)
	return nil
}

func servicesBackup(ctx context.Context, c *Call) error {
	svc, err := c.named(c.Args[0])
	if err != nil {
		return err
	}
	if c.Pty != nil {
		return &Usage{What: "a backup is no text for a terminal", Mend: "without ssh -t, into a file: services:backup " + c.Args[0] + " > FILE"}
	}
	plain, err := c.Flags.GetBool("plain")
	if err != nil {
		return err
	}
	if !plain {
		return c.Pipeline.BackupService(ctx, c.Args[0], c.RawOut)
	}
	if svc.Service.Kind != "postgres" {
		return &Usage{What: "--plain is for postgres", Mend: "usage: " + c.Command.usage()}
	}
	return c.Pipeline.BackupService(ctx, c.Args[0], c.RawOut, "plain")
}

func servicesRestore(ctx context.Context, c *Call) error {
	name := c.Args[0]
	if _, err := c.named(name); err != nil {
		return err
	}
	if confirm, err := c.Flags.GetString("confirm"); err != nil || confirm != name {
		return &NotConfirmed{What: "nothing was restored: it replaces what the service holds", Mend: "confirm with --confirm " + name}
	}
	if err := c.Pipeline.RestoreService(ctx, c.request(), name, c.In); err != nil {
		return err
	}
	c.say("-----> %s holds what the backup held", name)
	return nil
}

func servicesConnect(ctx context.Context, c *Call) error {
	if _, err := c.named(c.Args[0]); err != nil {
		return err
	}
	args := c.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	spec := procman.RunSpec{In: c.In, Out: c.RawOut, Err: c.Err, Signals: c.signals(ctx)}
	if c.Pty != nil {
		spec.Pty, spec.Env = &c.Pty.Pty, []string{"TERM=" + c.Pty.Term}
	}
	return exited(c.Pipeline.UseService(ctx, c.Args[0], spec, args))
}

func servicesLogs(ctx context.Context, c *Call) error {
	svc, err := c.named(c.Args[0])
	if err != nil {
		return err
	}
	q, err := c.logQuery(time.Now())
	if err != nil {
		return err
	}
	if q.Follow {
		var stop context.CancelFunc
		ctx, stop = c.whileServing(ctx)
		defer stop()
	}
	return c.Procs.Logs(ctx, c.Pipeline.LogDir(svc.Name), q, c.Out)
}
