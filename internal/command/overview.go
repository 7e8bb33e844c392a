package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"hop3/internal/overview"
	"hop3/internal/state"
	"hop3/procman"
	"hop3/procman/sandbox"
)

func overviewCommands() []*Command {
	return []*Command{
		{Name: "overview", Group: "apps", Short: "show what runs, live, in the terminal; so does ssh without a command", Anyone: true, Keys: true, Run: showOverview},
	}
}

// bare is the command line of a caller who gave none.
func bare(s *Session) []string {
	if s.Pty != nil && s.Pty.Term != dumb {
		return []string{"overview"}
	}
	return []string{"help"}
}

// dumb is the type of a terminal without a cursor that could be moved.
const dumb = "dumb"

func showOverview(ctx context.Context, c *Call) error {
	if c.Pty == nil || c.Pty.Term == dumb {
		return &Usage{What: "the overview needs a terminal", Mend: "ssh -t …; without one: apps, ps, stats, logs"}
	}
	ctx, stop := c.whileServing(ctx)
	defer stop()
	sizes := make(chan overview.Size)
	go func() { // ends with ctx, or with the client
		defer close(sizes)
		for {
			select {
			case w, ok := <-c.Pty.Resize:
				if !ok {
					return
				}
				select {
				case sizes <- size(w):
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	err := overview.Run(ctx, overview.Source{Look: c.look, Follow: c.followLines, Do: c.do}, overview.Terminal{
		In: c.In, Out: c.Out, Term: c.Pty.Term, Size: size(c.Pty.Window), Resize: sizes,
	})
	if ctx.Err() != nil { // the client has gone, or the server stops
		return nil
	}
	return err
}

func size(w sandbox.Window) overview.Size {
	return overview.Size{Cols: int(w.Cols), Rows: int(w.Rows)}
}

// now is the caller's key as it is now: it may have changed since the call began.
func (c *Call) now() (state.Key, error) {
	if c.Renew == nil {
		return c.Key, nil
	}
	key, err := c.Renew()
	if err != nil {
		return key, &KeyGone{Who: c.Who, Err: err}
	}
	return key, nil
}

// look takes a snapshot of what the key may see.
func (c *Call) look(context.Context) (overview.Snapshot, error) {
	key, err := c.now()
	if err != nil {
		return overview.Snapshot{}, err
	}
	snap := overview.Snapshot{At: time.Now(), Server: "hop3 " + c.Set.Version, Who: fmt.Sprintf("%s (%s)", c.Who, key.Role)}
	for _, a := range c.visible(key) {
		snap.Apps = append(snap.Apps, c.lookAt(key, a))
	}
	return snap, nil
}

// shownReleases is more than a screen has room for.
const shownReleases = 20

func (c *Call) lookAt(key state.Key, a *state.App) overview.App {
	out := overview.App{
		Name: a.Name, State: c.appState(a), URL: c.Pipeline.URL(a.Name), Release: releaseName(a.Current), MayOperate: key.May(state.Operate, a.Name),
	}
	if run, err := c.Pipeline.Current(a.Name); err == nil {
		out.Formation = run.Formation
	}
	used := map[int]sandbox.Usage{}
	for _, u := range c.Procs.Usage(a.Name) {
		used[u.Pid] = u.Usage
	}
	for _, i := range c.Procs.Instances(a.Name) {
		u := used[i.Pid]
		out.Processes = append(out.Processes, overview.Process{
			Name: i.Name, State: string(i.State), Release: releaseName(i.Release), Pid: i.Pid, Restarts: i.Restarts, Since: i.Since,
			CPU: time.Duration(u.CPUNanos), Memory: u.MemoryBytes,
		})
	}
	for n := len(a.Releases) - 1; n >= max(0, len(a.Releases)-shownReleases); n-- {
		r := a.Releases[n]
		out.Releases = append(out.Releases, overview.Release{Name: releaseName(r.Number), Status: string(r.Status), Change: r.Change, By: r.By, At: r.At})
	}
	if s, ok := c.Pipeline.Router.Stats(a.Name); ok {
		out.Requests, out.Errors, out.InFlight = s.Requests, s.Errors, s.InFlight
	}
	return out
}

// followedLines is how much of a log is there at once: a screen of it, if most
// of it tells of requests.
const followedLines = 400

func (c *Call) followLines(ctx context.Context, app string, line func(overview.Line)) error {
	key, err := c.now()
	if err != nil {
		return err
	}
	if !key.May(state.View, app) {
		return c.unknownApp(key, app)
	}
	return c.Procs.Logs(ctx, c.Pipeline.LogDir(app), procman.LogQuery{JSON: true, Lines: followedLines, Follow: true}, &lineReader{line: line})
}

// A lineReader turns log records, as JSON lines, into lines.
type lineReader struct {
	line func(overview.Line)
	rest []byte
}

func (r *lineReader) Write(b []byte) (int, error) {
	r.rest = append(r.rest, b...)
	for {
		i := bytes.IndexByte(r.rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		var l procman.LogLine
		if err := json.Unmarshal(r.rest[:i], &l); err != nil {
			return 0, fmt.Errorf("read log line: %w", err)
		}
		r.rest = r.rest[i+1:]
		at, _ := time.Parse(time.RFC3339Nano, l.Time) // zero, if ever it has another form
		r.line(overview.Line{At: at, Process: l.Process, Text: l.Text, Access: l.Process == "router"})
	}
}

// do passes a command line of the overview through the gate, as if its owner
// had called it by itself, and returns the last thing that it said.
func (c *Call) do(ctx context.Context, args ...string) (string, error) {
	key, err := c.now()
	if err != nil {
		return "", err
	}
	said := &heard{}
	code := c.Run(ctx, &Session{Who: c.Who, Key: key, Remote: c.Remote, In: strings.NewReader(""), Out: said, Err: said, RawOut: said, Stopping: c.Stopping}, args)
	text := said.last(code != ExitDone)
	if code != ExitDone {
		return "", errors.New(text)
	}
	return text, nil
}

// heard keeps what a command says. Its commands talk from more than one goroutine.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

// last is the last line, or the last that tells what is wrong.
func (h *heard) last(wrong bool) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := ""
	for line := range strings.Lines(h.text.String()) {
		complaint, isOne := strings.CutPrefix(line, " !     ")
		switch {
		case strings.TrimSpace(line) == "":
		case wrong && isOne:
			text = complaint
		case !wrong:
			text = strings.TrimLeft(line, "-=> ")
		}
	}
	return strings.TrimSpace(text)
}
