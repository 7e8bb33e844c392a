package command

import (
	"context"
	"fmt"
	"slices"
	"syscall"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"hop3/internal/state"
	"hop3/procman"
)

func runCommands() []*Command {
	return []*Command{
		{Name: "run", Group: "running things", Usage: "[APP] [-e KEY=VALUE]… [--type TYPE] -- COMMAND…", Short: "run a command in the current release; ssh -t gives it a terminal", Example: "run blog -- python3 manage.py migrate", Role: state.Operate, App: OneApp, Min: 1, Max: -1, Exits: []int{ExitConflict}, Keys: true, Run: run,
			Flags: func(f *pflag.FlagSet) {
				f.StringArrayP("env", "e", nil, "a variable for this command only")
				f.String("type", "", "use the limits of this process type")
				f.Duration("timeout", 0, "end it after this time (no limit)")
			}},
	}
}

// ReadsTerminal reports whether a command line is of a command that reads what
// is typed at its terminal, Ctrl-C included.
func ReadsTerminal(args []string) bool {
	c := find(args)
	return len(args) == 0 || c != nil && c.Keys // without a command it is the overview
}

// WantsTerminal reports whether a command line is of a command for which a
// client at a terminal should ask for one.
func WantsTerminal(args []string) bool {
	c := find(args)
	return c != nil && (c.Keys || c.Live)
}

func run(ctx context.Context, c *Call) error {
	release, err := c.Pipeline.Current(c.App)
	if err != nil {
		return err
	}
	kind, err := c.Flags.GetString("type")
	if err != nil {
		return err
	}
	if kind != "" && !slices.ContainsFunc(release.Processes, func(p procman.Process) bool { return p.Type == kind }) {
		return &state.NotFound{Kind: "process type", Name: kind}
	}
	spec, err := c.runSpec(ctx, c.Args)
	if err != nil {
		return err
	}
	spec.Type = kind
	limit, err := c.Flags.GetDuration("timeout")
	if err != nil {
		return err
	}
	if limit != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("its time limit of %v was over", limit))
		defer cancel()
	}
	code, err := c.Procs.Run(ctx, release, spec)
	return exited(code, err)
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
