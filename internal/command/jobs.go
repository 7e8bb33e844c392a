package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"hop3/internal/state"
	"hop3/procman"
)

func jobCommands() []*Command {
	return []*Command{
		{Name: "run:detached", Group: "running things", Usage: "[APP] [-e KEY=VALUE]… [--type TYPE] [--timeout TIME] -- COMMAND…", Short: "start a command in the current release and go; it outlives the connection, and its output is in the logs", Example: "run:detached blog -- python3 manage.py reindex", Role: state.Operate, App: OneApp, Min: 1, Max: -1, Answers: []any{runDetachedAnswer{}}, Exits: []int{ExitConflict}, Run: runDetached,
			Flags: func(f *pflag.FlagSet) {
				f.StringArrayP("env", "e", nil, "a variable for this command only")
				f.String("type", "", "use the limits of this process type")
				f.Duration("timeout", procman.JobTimeout, "end it after this time")
			}},
		{Name: "cron", Group: "running things", Usage: "[APP]", Short: "list what runs by the clock, when next, and how it went", Role: state.View, App: OneApp, Answers: []any{cronListAnswer{}}, Run: cronList},
		{Name: "cron:run", Group: "running things", Usage: "[APP] NAME", Short: "run a cron entry now and show its output", Example: "cron:run blog backup", Role: state.Operate, App: OneApp, Min: 1, Max: 1, Exits: []int{ExitConflict}, Run: cronRun},
	}
}

type runDetachedAnswer struct {
	Version int    `json:"version"`
	App     string `json:"app"`
	Name    string `json:"name"`
	Pid     int    `json:"pid"`
}

func runDetached(ctx context.Context, c *Call) error {
	kind, timeout, err := c.jobFlags()
	if err != nil {
		return err
	}
	spec, err := c.runSpec(ctx, c.Args)
	if err != nil {
		return err
	}
	spec.Type, spec.Pty = kind, nil
	job, err := c.Pipeline.StartJob(ctx, c.App, spec, procman.Job{By: c.Who, Timeout: timeout})
	if err != nil {
		return err
	}
	err = c.answer(runDetachedAnswer{1, c.App, job.Name, job.Pid}, func(w io.Writer) { _, _ = fmt.Fprintln(w, job.Name) }) // a caller that cannot be told has gone
	if !c.JSON {
		c.say("       see its output: logs %s -p run -i %s; end it: ps:stop %s %s", c.App, job.Name[strings.LastIndexByte(job.Name, '.')+1:], c.App, job.Name)
	}
	return err
}

func (c *Call) jobFlags() (kind string, timeout time.Duration, err error) {
	if kind, err = c.Flags.GetString("type"); err != nil {
		return "", 0, err
	}
	if timeout, err = c.Flags.GetDuration("timeout"); err != nil {
		return "", 0, err
	}
	if timeout <= 0 {
		return "", 0, &Usage{What: "--timeout is a time like 90s or 2h", Mend: "usage: " + c.Command.usage()}
	}
	return kind, timeout, c.checkType(kind)
}

// checkType refuses a process type that the current release does not have; "" is none.
func (c *Call) checkType(kind string) error {
	release, err := c.Pipeline.Current(c.App)
	if err != nil {
		return err
	}
	var types []string
	for _, p := range release.Processes {
		if p.Type == kind {
			return nil
		}
		types = append(types, p.Type)
	}
	if kind == "" {
		return nil
	}
	return &state.NotFound{Kind: "process type", Name: kind, Near: state.Nearest(kind, types)}
}

type cronJSON struct {
	Name     string `json:"name"`
	Schedule string `json:"schedule"`
	Command  string `json:"command"`
	Next     string `json:"next"` // "" while the app is stopped
}

type jobJSON struct {
	Name    string `json:"name"`
	Cron    string `json:"cron"`
	By      string `json:"by"`
	Release string `json:"release"`
	Started string `json:"started"`
	Ended   string `json:"ended"` // "" while it runs
	Exit    string `json:"exit"`
	Problem string `json:"problem"`
}

func asJobJSON(j procman.Job) jobJSON {
	out := jobJSON{Name: j.Name, Cron: j.Cron, By: j.By, Release: releaseName(j.Release), Started: when(j.Started), Problem: j.Problem}
	if !j.Ended.IsZero() {
		out.Ended = when(j.Ended)
	}
	if j.Exit != nil {
		out.Exit = j.Exit.String()
	}
	return out
}

type cronListAnswer struct {
	Version int        `json:"version"`
	App     string     `json:"app"`
	Cron    []cronJSON `json:"cron"`
	Runs    []jobJSON  `json:"runs"` // oldest first, run:detached among them
}

func cronList(_ context.Context, c *Call) error {
	app, err := c.Store.App(c.App)
	if err != nil {
		return err
	}
	list, err := procman.ReadJobs(c.Pipeline.JobDir(c.App))
	if err != nil {
		return err
	}
	last, runs := map[string]jobJSON{}, []jobJSON{}
	for _, j := range list {
		runs = append(runs, asJobJSON(j))
		last[j.Cron] = runs[len(runs)-1]
	}
	entries, rows := []cronJSON{}, [][]string{{"NAME", "SCHEDULE", "NEXT", "LAST", "RESULT", "COMMAND"}}
	for _, e := range c.Pipeline.Entries(app) {
		j := cronJSON{Name: e.Name, Schedule: e.Schedule, Command: e.Command}
		if !e.Next.IsZero() {
			j.Next = when(e.Next)
		}
		entries = append(entries, j)
		l := last[e.Name]
		rows = append(rows, []string{j.Name, j.Schedule, orDash(j.Next), orDash(l.Started), orDash(l.result()), j.Command})
	}
	return c.answer(cronListAnswer{1, c.App, entries, runs}, func(w io.Writer) { table(w, rows) })
}

// result tells how a run went, for a table.
func (j jobJSON) result() string {
	switch {
	case j.Name == "":
		return ""
	case j.Ended == "":
		return "runs"
	case j.Problem != "":
		return j.Problem
	case j.Exit == "exit 0":
		return "ok"
	}
	return j.Exit
}

func cronRun(ctx context.Context, c *Call) error {
	job, err := c.Pipeline.StartCron(ctx, c.App, c.Args[0], c.Who)
	if err != nil {
		return err
	}
	return c.follow(ctx, job)
}

// follow shows what a job prints until it ends, and ends as it did. The job does not mind that its listener goes away.
func (c *Call) follow(ctx context.Context, job procman.Job) error {
	dot := strings.LastIndexByte(job.Name, '.')
	index, err := strconv.Atoi(job.Name[dot+1:])
	if err != nil {
		return fmt.Errorf("follow job %s: %w", job.Name, err)
	}
	q := procman.LogQuery{Lines: -1, Type: job.Name[:dot], Index: index, Release: job.Release, Since: job.Started, Follow: true}
	listening, quiet := context.WithCancel(ctx)
	defer quiet()
	seen := &lineCounter{next: c.Out}
	told := make(chan error, 1)
	go func() { told <- c.Procs.Logs(listening, c.Pipeline.LogDir(c.App), q, seen) }()
	ended, err := c.Procs.AwaitJob(ctx, c.App, c.Pipeline.JobDir(c.App), job)
	quiet()
	if lerr := <-told; err == nil {
		err = lerr
	}
	if err != nil {
		return err
	}
	q.Follow = false // now that all of it is there: what the listener had not come to yet
	if err := c.Procs.Logs(ctx, c.Pipeline.LogDir(c.App), q, &lineSkipper{next: c.Out, skip: seen.lines}); err != nil {
		return err
	}
	if ended.Exit == nil || ended.Problem != "" {
		return fmt.Errorf("%s: %s", job.Name, ended.Problem)
	}
	return exited(ended.Exit.Code, nil)
}

// A lineCounter counts the lines that it passes on.
type lineCounter struct {
	next  io.Writer
	lines int
}

func (w *lineCounter) Write(b []byte) (int, error) {
	n, err := w.next.Write(b)
	w.lines += bytes.Count(b[:n], []byte("\n"))
	return n, err
}

// A lineSkipper drops the first lines.
type lineSkipper struct {
	next io.Writer
	skip int
}

func (w *lineSkipper) Write(b []byte) (int, error) {
	rest := b
	for w.skip > 0 {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		rest, w.skip = rest[i+1:], w.skip-1
	}
	if _, err := w.next.Write(rest); err != nil {
		return 0, err
	}
	return len(b), nil
}
