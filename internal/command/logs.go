package command

import (
	"context"
	"time"

	"github.com/spf13/pflag"

	"hop3/internal/state"
	"hop3/procman"
)

func logCommands() []*Command {
	return []*Command{
		{Name: "logs", Group: "logs", Usage: "[APP] [-t] [-n 100] [-p TYPE] [-i N] [--release vN] [--since 10m] [--grep RE]", Short: "print what the processes wrote", Example: "logs blog -t -p web", Role: state.View, App: OneApp, Answers: []any{procman.LogLine{}}, Run: logs,
			Flags: func(f *pflag.FlagSet) {
				logFlags(f)
				f.StringP("process", "p", "", "of this process type only")
				f.IntP("instance", "i", 0, "of this instance of the type only")
				f.String("release", "", "of this release only")
			}},
		{Name: "logs:build", Group: "logs", Usage: "[APP] [vN]", Short: "print a release's build log (the last build's)", Example: "logs:build blog v3", Role: state.Deploy, App: OneApp, Max: 1, Run: logsBuild},
	}
}

// logFlags choose among all that is logged.
func logFlags(f *pflag.FlagSet) {
	f.BoolP("tail", "t", false, "go on with new lines until Ctrl-C")
	f.IntP("num", "n", procman.DefaultLines, "the last so many lines")
	f.Duration("since", 0, "of the last so long only, like 10m")
	f.String("grep", "", "lines that this regular expression (RE2) fits")
}

func logs(ctx context.Context, c *Call) error {
	q, err := c.logQuery(time.Now())
	if err != nil {
		return err
	}
	if _, err := c.Store.App(c.App); err != nil {
		return err
	}
	if q.Follow {
		var stop context.CancelFunc
		ctx, stop = c.whileServing(ctx)
		defer stop()
	}
	return c.Procs.Logs(ctx, c.Pipeline.LogDir(c.App), q, c.Out)
}

// whileServing returns a context that also ends when the server begins to
// stop: what only follows something must not hold it up.
func (c *Call) whileServing(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with ctx, which ends with the call
		select {
		case <-c.Stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (c *Call) logQuery(now time.Time) (procman.LogQuery, error) {
	q := procman.LogQuery{JSON: c.JSON}
	// Each flag is declared above, those of one process for apps only.
	q.Follow, _ = c.Flags.GetBool("tail")
	q.Lines, _ = c.Flags.GetInt("num")
	q.Type, _ = c.Flags.GetString("process")
	q.Index, _ = c.Flags.GetInt("instance")
	q.Grep, _ = c.Flags.GetString("grep")
	since, _ := c.Flags.GetDuration("since")
	release, _ := c.Flags.GetString("release")
	if q.Lines < 1 || q.Index < 0 || since < 0 {
		return q, &Usage{What: "-n is at least 1, -i and --since are not negative", Mend: "usage: " + c.Command.usage()}
	}
	if since > 0 {
		q.Since = now.Add(-since)
	}
	if release != "" {
		n, err := parseRelease(release)
		if err != nil {
			return q, err
		}
		q.Release = n
	}
	return q, nil
}
