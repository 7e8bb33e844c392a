package command

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"
)

func serverCommands() []*Command {
	return []*Command{
		{Name: "status", Group: "server", Short: "show the server", Anyone: true, Answers: []any{statusAnswer{}}, Run: status},
		{Name: "version", Group: "server", Short: "print hop3's version", Anyone: true, Answers: []any{versionAnswer{}}, Run: version},
		helpCommand(),
	}
}

type statusAnswer struct {
	Version   int    `json:"version"`
	Hop3      string `json:"hop3"`
	Since     string `json:"since"`
	Uptime    int64  `json:"uptime_seconds"`
	Packages  string `json:"packages"`
	Signs     string `json:"signing_key"` // public half; other machines that trust it take what this one has built
	Apps      int    `json:"apps"`
	Running   int    `json:"running"`
	Processes int    `json:"processes"`
}

func status(_ context.Context, c *Call) error {
	visible := c.visible(c.Key)
	running, processes := 0, 0
	for _, a := range visible {
		if c.appState(a) == "running" {
			running++
		}
		processes += len(c.Procs.Instances(a.Name))
	}
	doc := statusAnswer{1, c.Set.Version, when(c.Started), int64(time.Since(c.Started).Seconds()), c.Packages, c.Pipeline.Nix.PublicKey(), len(visible), running, processes}
	return c.answer(doc, func(w io.Writer) {
		table(w, [][]string{
			{"hop3:", doc.Hop3}, {"since:", doc.Since}, {"packages:", doc.Packages}, {"signs as:", orDash(doc.Signs)},
			{"apps:", fmt.Sprintf("%d, %d running", doc.Apps, doc.Running)}, {"processes:", fmt.Sprint(doc.Processes)},
		})
	})
}

type versionAnswer struct {
	Version int    `json:"version"`
	Hop3    string `json:"hop3"`
	Go      string `json:"go"`
}

func version(_ context.Context, c *Call) error {
	return c.answer(versionAnswer{1, c.Set.Version, runtime.Version()}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "hop3 %s %s\n", c.Set.Version, runtime.Version()) // a caller that cannot be told has gone
	})
}
