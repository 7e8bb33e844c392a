package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"hop3/internal/deploy"
	"hop3/internal/state"
	"hop3/procman"
)

func statsCommands() []*Command {
	return []*Command{
		{Name: "stats", Group: "processes", Usage: "[APP]", Short: "show what the processes use, and the app's requests; in a terminal until Ctrl-C", Role: state.View, App: OneApp, Answers: []any{statsAnswer{}}, Live: true, Run: stats},
	}
}

type usageJSON struct {
	Name       string  `json:"name"`
	Pid        int     `json:"pid"`
	Release    string  `json:"release"`
	CPUPercent float64 `json:"cpu_percent"` // of one core, over the last moment
	CPUSeconds float64 `json:"cpu_seconds"` // since it started
	Memory     int64   `json:"memory_bytes"`
	Pids       int64   `json:"pids"`
	Throttled  float64 `json:"throttled_seconds"` // held back by its cpu limit, since it started
	OOMKills   int64   `json:"oom_kills"`         // of its processes, for lack of memory
}

type requestsJSON struct {
	Requests    uint64  `json:"requests"` // answered since the server started
	Errors      uint64  `json:"errors"`   // of those, with 5xx
	InFlight    int64   `json:"in_flight"`
	MeanSeconds float64 `json:"mean_seconds"`
}

// throttledWorth is from how many seconds on people are told: a burst at the start is usual.
const throttledWorth = 1

// statsWindow is over how long the use of cpu is measured.
const statsWindow = 250 * time.Millisecond

type statsAnswer struct {
	Version   int          `json:"version"`
	App       string       `json:"app"`
	Processes []usageJSON  `json:"processes"`
	Requests  requestsJSON `json:"requests"`
}

func stats(ctx context.Context, c *Call) error {
	if c.Pty == nil || c.Pty.Term == dumb || c.JSON {
		doc, err := c.sample(ctx, statsWindow)
		if err != nil {
			return err
		}
		return c.answer(doc, doc.tell)
	}
	ctx, stop := c.whileServing(ctx)
	defer stop()
	for window := statsWindow; ; window = time.Second {
		doc, err := c.sample(ctx, window)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		var screen bytes.Buffer
		screen.WriteString("\x1b[H\x1b[J") // to the top, erase below (ECMA-48)
		doc.tell(&screen)
		_, _ = fmt.Fprintln(&screen, "Ctrl-C ends") // a buffer takes everything
		if _, err := c.Out.Write(screen.Bytes()); err != nil {
			return nil // the caller has gone
		}
	}
}

// sample measures what the app's processes use over a window of time.
func (c *Call) sample(ctx context.Context, window time.Duration) (statsAnswer, error) {
	before, began := map[int]int64{}, time.Now()
	for _, u := range c.Procs.Usage(c.App) {
		before[u.Pid] = u.CPUNanos
	}
	if len(before) > 0 || window > statsWindow {
		select { // cpu is a rate: it takes two looks
		case <-time.After(window):
		case <-ctx.Done():
			return statsAnswer{}, context.Cause(ctx)
		}
	}
	now, took := c.Procs.Usage(c.App), time.Since(began)
	doc := statsAnswer{Version: 1, App: c.App, Processes: []usageJSON{}}
	for _, u := range now {
		j := asUsageJSON(u)
		if old, ok := before[u.Pid]; ok {
			j.CPUPercent = 100 * float64(u.CPUNanos-old) / float64(took)
		}
		doc.Processes = append(doc.Processes, j)
	}
	if s, ok := c.Pipeline.Router.Stats(c.App); ok {
		doc.Requests = requestsJSON{Requests: s.Requests, Errors: s.Errors, InFlight: s.InFlight}
		if s.Requests > 0 {
			doc.Requests.MeanSeconds = s.Total.Seconds() / float64(s.Requests)
		}
	}
	return doc, nil
}

// tell writes the answer for people.
func (a statsAnswer) tell(w io.Writer) {
	rows := [][]string{{"NAME", "PID", "RELEASE", "CPU", "CPU TIME", "MEMORY", "PIDS"}}
	for _, j := range a.Processes {
		rows = append(rows, []string{j.Name, number(j.Pid), j.Release, fmt.Sprintf("%.1f %%", j.CPUPercent), fmt.Sprintf("%.1f s", j.CPUSeconds), deploy.BytesText(j.Memory), fmt.Sprint(j.Pids)})
	}
	table(w, rows)
	for _, j := range a.Processes {
		if j.Throttled >= throttledWorth {
			_, _ = fmt.Fprintf(w, "%s was held back for %.1f s by its cpu limit\n", j.Name, j.Throttled) // a caller that cannot be told has gone
		}
		if j.OOMKills > 0 {
			_, _ = fmt.Fprintf(w, "%s: the kernel ended %d of its processes for lack of memory\n", j.Name, j.OOMKills) // as above
		}
	}
	r := a.Requests
	_, _ = fmt.Fprintf(w, "requests: %d, %d failed, %d in flight, %.0f ms on average\n", r.Requests, r.Errors, r.InFlight, 1000*r.MeanSeconds) // a caller that cannot be told has gone
}

func asUsageJSON(u procman.Usage) usageJSON {
	return usageJSON{Name: u.Name, Pid: u.Pid, Release: releaseName(u.Release), CPUSeconds: float64(u.CPUNanos) / 1e9, Memory: u.MemoryBytes, Pids: u.Pids, Throttled: float64(u.ThrottledNanos) / 1e9, OOMKills: u.OOMKills}
}
