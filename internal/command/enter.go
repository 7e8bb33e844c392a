package command

import (
	"context"
	"strings"

	"github.com/spf13/pflag"

	"hop3/internal/state"
	"hop3/procman"
)

func enterCommands() []*Command {
	return []*Command{
		{Name: "enter", Group: "running things", Usage: "[APP] [-e KEY=VALUE]… TYPE.N [-- COMMAND…]", Short: "run a command, or a shell, inside of a running process's sandbox; ssh -t gives it a terminal", Example: "enter blog web.1 -- ls /tmp", Role: state.Operate, App: OneApp, Min: 1, Max: -1, Exits: []int{ExitConflict}, Keys: true, Run: enter,
			Flags: func(f *pflag.FlagSet) { f.StringArrayP("env", "e", nil, "a variable for this command only") }},
	}
}

func enter(ctx context.Context, c *Call) error {
	process, argv := c.Args[0], c.Args[1:]
	if len(argv) > 0 && argv[0] == "--" {
		argv = argv[1:]
	}
	spec, err := c.runSpec(ctx, argv)
	if err != nil {
		return err
	}
	code, err := c.Procs.Enter(ctx, c.App, process, spec)
	return exited(code, err)
}

// runSpec is a command with the caller's ends of the line and the flag -e.
func (c *Call) runSpec(ctx context.Context, argv []string) (procman.RunSpec, error) {
	env, err := c.Flags.GetStringArray("env")
	if err != nil {
		return procman.RunSpec{}, err
	}
	for _, kv := range env {
		k, _, ok := strings.Cut(kv, "=")
		if !ok {
			return procman.RunSpec{}, &Usage{What: "-e takes KEY=VALUE", Mend: "usage: " + c.Command.usage()}
		}
		if err := state.CheckConfigKey(k); err != nil {
			return procman.RunSpec{}, err
		}
	}
	spec := procman.RunSpec{Argv: argv, Env: env, In: c.In, Out: c.RawOut, Err: c.Err, Signals: c.signals(ctx)}
	if c.Pty != nil {
		spec.Pty = &c.Pty.Pty
		spec.Env = append([]string{"TERM=" + c.Pty.Term}, spec.Env...)
	}
	return spec, nil
}

// exited makes an error of an exit code that is not 0.
func exited(code int, err error) error {
	if err == nil && code != 0 {
		return &Exited{Code: code}
	}
	return err
}
