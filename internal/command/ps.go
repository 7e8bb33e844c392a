package command

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"hop3/internal/deploy"
	"hop3/internal/state"
	"hop3/procman"
)

func psCommands() []*Command {
	return []*Command{
		{Name: "ps", Group: "processes", Usage: "[APP]", Short: "list the processes", Role: state.View, App: OneApp, Answers: []any{psAnswer{}}, Run: ps},
		{Name: "ps:scale", Group: "processes", Usage: "[APP] [TYPE=N | TYPE+N | TYPE-N]…", Short: "show or set how many processes of each type run", Example: "ps:scale blog web=2 worker+1", Role: state.Operate, App: OneApp, Max: -1, Answers: []any{formationAnswer{}}, Exits: []int{ExitConflict, ExitDeploy}, Run: psScale},
		{Name: "ps:restart", Group: "processes", Usage: "[APP] [TYPE[.N]]…", Short: "replace processes without losing a request", Example: "ps:restart blog web.1", Role: state.Operate, App: OneApp, Max: -1, Exits: []int{ExitConflict, ExitDeploy}, Run: psRestart},
		{Name: "ps:stop", Group: "processes", Usage: "[APP] [run.N]…", Short: "stop all processes, or end what run:detached or cron started", Role: state.Operate, App: OneApp, Max: -1, Exits: []int{ExitConflict}, Run: psStop},
		{Name: "ps:start", Group: "processes", Usage: "[APP]", Short: "start what ps:stop stopped", Role: state.Operate, App: OneApp, Exits: []int{ExitConflict, ExitDeploy}, Run: psStart},
		{Name: "ps:rebuild", Group: "processes", Usage: "[APP] [--no-cache]", Short: "build the deployed commit again and deploy it", Role: state.Deploy, App: OneApp, Exits: []int{ExitConflict, ExitDeploy}, Run: psRebuild,
			Flags: func(f *pflag.FlagSet) { f.Bool("no-cache", false, "rebuild the dependencies too") }},
	}
}

type processJSON struct {
	Name     string        `json:"name"`
	Type     string        `json:"type"`
	Pid      int           `json:"pid"`
	State    procman.State `json:"state"`
	Release  string        `json:"release"`
	Port     int           `json:"port"`
	Since    string        `json:"since"`
	Restarts int           `json:"restarts"`
	Exit     string        `json:"exit"`
}

type psAnswer struct {
	Version   int           `json:"version"`
	App       string        `json:"app"`
	Processes []processJSON `json:"processes"`
}

func ps(ctx context.Context, c *Call) error {
	c.Pipeline.TakenOver(ctx, c.App)
	list, rows := []processJSON{}, [][]string{{"NAME", "STATE", "PID", "PORT", "RELEASE", "SINCE", "RESTARTS", "EXIT"}}
	for _, i := range c.Procs.Instances(c.App) {
		j := processJSON{Name: i.Name, Type: i.Type, Pid: i.Pid, State: i.State, Release: releaseName(i.Release), Port: i.Port, Since: when(i.Since), Restarts: i.Restarts}
		if i.Exit != nil {
			j.Exit = i.Exit.String()
		}
		list = append(list, j)
		rows = append(rows, []string{j.Name, string(j.State), number(j.Pid), number(j.Port), j.Release, j.Since, strconv.Itoa(j.Restarts), orDash(j.Exit)})
	}
	for _, job := range c.Procs.Jobs(c.App) {
		j := processJSON{Name: job.Name, Type: job.Name[:strings.LastIndexByte(job.Name, '.')], Pid: job.Pid, State: procman.Ready, Release: releaseName(job.Release), Since: when(job.Started)}
		list = append(list, j)
		rows = append(rows, []string{j.Name, string(j.State), number(j.Pid), number(j.Port), j.Release, j.Since, "0", "-"})
	}
	return c.answer(psAnswer{1, c.App, list}, func(w io.Writer) { table(w, rows) })
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func psScale(ctx context.Context, c *Call) error {
	if len(c.Args) == 0 {
		run, err := c.Pipeline.Current(c.App)
		if err != nil {
			return err
		}
		return c.answerFormation(run.Formation)
	}
	changes, err := parseScale(c.Args)
	if err != nil {
		return err
	}
	wanted, err := c.Pipeline.Scale(ctx, c.request(), func(now map[string]int) (map[string]int, error) {
		for _, ch := range changes {
			n, ok := now[ch.process]
			if !ok {
				return nil, &state.NotFound{Kind: "process type", Name: ch.process, Near: state.Nearest(ch.process, slices.Collect(maps.Keys(now)))}
			}
			now[ch.process] = ch.apply(n)
			if now[ch.process] < 0 {
				return nil, &state.Invalid{What: fmt.Sprintf("%s would be below 0", ch.process), Rule: "a type runs 0 or more processes"}
			}
		}
		return now, nil
	})
	if err != nil {
		return err
	}
	return c.answerFormation(wanted)
}

type formationAnswer struct {
	Version   int            `json:"version"`
	App       string         `json:"app"`
	Formation map[string]int `json:"formation"`
}

func (c *Call) answerFormation(f map[string]int) error {
	return c.answer(formationAnswer{1, c.App, f}, func(w io.Writer) {
		var parts []string
		for _, t := range slices.Sorted(maps.Keys(f)) {
			parts = append(parts, fmt.Sprintf("%s=%d", t, f[t]))
		}
		_, _ = fmt.Fprintln(w, strings.Join(parts, " ")) // a caller that cannot be told has gone
	})
}

// A scaling is one operand of ps:scale.
type scaling struct {
	process string
	op      byte // '=', '+' or '-'
	n       int
}

func (s scaling) apply(now int) int {
	switch s.op {
	case '+':
		return now + s.n
	case '-':
		return now - s.n
	}
	return s.n
}

// maxScale is what procman allows of one type.
const maxScale = 100

func parseScale(args []string) ([]scaling, error) {
	var list []scaling
	for _, arg := range args {
		i := strings.LastIndexAny(arg, "=+-")
		bad := &Usage{What: fmt.Sprintf("%q is not a scaling", arg), Mend: "TYPE=N, TYPE+N or TYPE-N, as in web=2"}
		if i < 1 {
			return nil, bad
		}
		n, err := strconv.Atoi(arg[i+1:])
		if err != nil || n < 0 || n > maxScale {
			return nil, bad
		}
		list = append(list, scaling{arg[:i], arg[i], n})
	}
	return list, nil
}

func psRestart(ctx context.Context, c *Call) error {
	known := map[string]bool{}
	for _, i := range c.Procs.Instances(c.App) {
		known[i.Name], known[i.Type] = true, true
	}
	for _, name := range c.Args {
		if !known[name] {
			return &state.NotFound{Kind: "process", Name: name, Near: state.Nearest(name, slices.Collect(maps.Keys(known)))}
		}
	}
	if err := c.Pipeline.Restart(ctx, c.request(), c.Args); err != nil {
		return err
	}
	c.say("=====> %s has restarted", c.App)
	return nil
}

func psStop(ctx context.Context, c *Call) error {
	for _, name := range c.Args {
		if err := c.Procs.StopJob(ctx, c.App, name); err != nil {
			return err
		}
		c.say("-----> %s is stopped", name)
	}
	if len(c.Args) > 0 {
		return nil
	}
	if err := c.Pipeline.SetStopped(ctx, c.request(), true); err != nil {
		return err
	}
	c.say("-----> %s is stopped; start it with: ps:start %s", c.App, c.App)
	return nil
}

func psStart(ctx context.Context, c *Call) error {
	if err := c.Pipeline.SetStopped(ctx, c.request(), false); err != nil {
		return err
	}
	c.say("=====> %s is live", c.App)
	return nil
}

func psRebuild(ctx context.Context, c *Call) error {
	noCache, err := c.Flags.GetBool("no-cache")
	if err != nil {
		return err
	}
	return c.Pipeline.Deploy(ctx, c.request(), deploy.DeployOptions{NoCache: noCache, Rebuild: true})
}
