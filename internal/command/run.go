package command

import (
	"context"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"hop3/internal/state"
	"hop3/procman"
)

func runCommands() []*Command {
	return []*Command{
		{Name: "run", Group: "running things", Usage: "[APP] [-e KEY=VALUE]… [--type TYPE] -- COMMAND…", Short: "run a command in the current release; ssh -t gives it a terminal", Example: "run blog -- python3 manage.py migrate", Role: state.Operate, App: OneApp, Min: 1, Max: -1, Run: run,
			Flags: func(f *pflag.FlagSet) {
				f.StringArrayP("env", "e", nil, "a variable for this command only")
				f.String("type", "", "use the limits of this process type")
			}},
	}
}

// ReadsTerminal reports whether a command line is of a command that reads what
// is typed at its terminal, Ctrl-C included.
func ReadsTerminal(args []string) bool {
	return len(args) > 0 && slices.Contains([]string{"run", "apps:destroy", "config:set", "config:import", "keys:add"}, args[0])
}

func run(ctx context.Context, c *Call) error {
	release, err := c.Pipeline.Current(c.App)
	if err != nil {
		return err
	}
	env, err := c.Flags.GetStringArray("env")
	if err != nil {
		return err
	}
	for _, kv := range env {
		k, _, ok := strings.Cut(kv, "=")
		if !ok {
			return &Usage{What: "-e takes KEY=VALUE", Mend: "usage: " + c.Command.usage()}
		}
		if err := state.CheckConfigKey(k); err != nil {
			return err
		}
	}
	kind, err := c.Flags.GetString("type")
	if err != nil {
		return err
	}
	if kind != "" && !slices.ContainsFunc(release.Processes, func(p procman.Process) bool { return p.Type == kind }) {
		return &state.NotFound{Kind: "process type", Name: kind}
	}
	spec := procman.RunSpec{Type: kind, Argv: c.Args, Env: env, In: c.In, Out: c.RawOut, Err: c.Err, Signals: c.signals(ctx)}
	if c.Pty != nil {
		spec.Pty = &c.Pty.Pty
		spec.Env = append([]string{"TERM=" + c.Pty.Term}, spec.Env...)
	}
	code, err := c.Procs.Run(ctx, release, spec)
	if err != nil {
		return err
	}
	if code != 0 {
		return &Exited{Code: code}
	}
	return nil
}

// signals turns the names that an ssh client sends into signals, until ctx ends.
func (c *Call) signals(ctx context.Context) <-chan syscall.Signal {
	out := make(chan syscall.Signal)
	go func() { // ends with ctx, which ends with the call
		for {
			select {
			case name, ok := <-c.Signals:
				if !ok {
					return
				}
				if sig := unix.SignalNum("SIG" + name); sig != 0 {
					select {
					case out <- sig:
					case <-ctx.Done():
						return
					}
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
