package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"hop3/internal/state"
)

func releaseCommands() []*Command {
	return []*Command{
		{Name: "releases", Group: "releases", Usage: "[APP]", Short: "list the releases, newest first", Role: state.View, App: OneApp, Answers: []any{releasesAnswer{}}, Run: releases},
		{Name: "releases:info", Group: "releases", Usage: "[APP] vN", Short: "show a release", Example: "releases:info blog v3", Role: state.View, App: OneApp, Min: 1, Max: 1, Answers: []any{releaseInfoAnswer{}}, Run: releasesInfo},
		{Name: "rollback", Group: "releases", Usage: "[APP] [vN]", Short: "make an earlier release live again, with its settings", Example: "rollback blog v3", Role: state.Operate, App: OneApp, Max: 1, Exits: []int{ExitConflict, ExitDeploy}, Run: rollback},
	}
}

type releaseJSON struct {
	Release   string       `json:"release"`
	Status    state.Status `json:"status"`
	Commit    string       `json:"commit"`
	By        string       `json:"by"`
	At        string       `json:"at"`
	Change    string       `json:"change"`
	StorePath string       `json:"store_path"`
}

func asReleaseJSON(r state.Release) releaseJSON {
	return releaseJSON{releaseName(r.Number), r.Status, r.Commit, r.By, when(r.At), r.Change, r.StorePath}
}

type releasesAnswer struct {
	Version  int           `json:"version"`
	App      string        `json:"app"`
	Releases []releaseJSON `json:"releases"`
}

func releases(_ context.Context, c *Call) error {
	a, err := c.Store.App(c.App)
	if err != nil {
		return err
	}
	list, rows := []releaseJSON{}, [][]string{{"RELEASE", "STATUS", "AT", "BY", "CHANGE"}}
	for _, r := range slices.Backward(a.Releases) {
		j := asReleaseJSON(r)
		list = append(list, j)
		rows = append(rows, []string{j.Release, string(j.Status), j.At, j.By, j.Change})
	}
	return c.answer(releasesAnswer{1, c.App, list}, func(w io.Writer) { table(w, rows) })
}

// release finds the release that an operand names.
func (c *Call) release(operand string) (state.Release, error) {
	a, err := c.Store.App(c.App)
	if err != nil {
		return state.Release{}, err
	}
	n, err := parseRelease(operand)
	if err != nil {
		return state.Release{}, err
	}
	r, ok := a.Release(n)
	if !ok {
		return r, &state.NotFound{Kind: "release", Name: fmt.Sprintf("v%d of %s", n, c.App)}
	}
	return r, nil
}

func parseRelease(operand string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(operand, "v"))
	if err != nil || n < 1 {
		return 0, &Usage{What: fmt.Sprintf("%q is not a release", operand), Mend: "a release is v and a number, like v3"}
	}
	return n, nil
}

type releaseInfoAnswer struct {
	Version int    `json:"version"`
	App     string `json:"app"`
	releaseJSON
	Subject   string            `json:"subject"`
	Stack     string            `json:"stack"`
	Size      int64             `json:"size"`
	Closure   []string          `json:"closure"`
	Processes map[string]string `json:"processes"`
	Static    string            `json:"static"`
	Error     string            `json:"error"`
}

func releasesInfo(_ context.Context, c *Call) error {
	r, err := c.release(c.Args[0])
	if err != nil {
		return err
	}
	processes := map[string]string{}
	for _, p := range r.Processes {
		processes[p.Type] = p.Command
	}
	doc := releaseInfoAnswer{1, c.App, asReleaseJSON(r), r.Subject, r.Stack, r.Size, append([]string{}, r.Closure...), processes, r.Static, r.Error}
	return c.answer(doc, func(w io.Writer) {
		rows := [][]string{
			{"release:", doc.Release}, {"status:", string(doc.Status)}, {"change:", doc.Change}, {"commit:", doc.Commit}, {"subject:", doc.Subject},
			{"by:", doc.By}, {"at:", doc.At}, {"stack:", doc.Stack}, {"store path:", doc.StorePath}, {"closure:", fmt.Sprintf("%d paths, %d bytes", len(doc.Closure), doc.Size)},
		}
		for _, p := range r.Processes {
			rows = append(rows, []string{p.Type + ":", p.Command})
		}
		if doc.Error != "" {
			rows = append(rows, []string{"error:", doc.Error})
		}
		table(w, rows)
	})
}

func rollback(ctx context.Context, c *Call) error {
	n := 0
	if len(c.Args) > 0 {
		var err error
		if n, err = parseRelease(c.Args[0]); err != nil {
			return err
		}
	}
	r, err := c.Pipeline.Rollback(ctx, c.request(), n)
	if err != nil {
		return err
	}
	c.say("=====> %s v%d is live: %s", c.App, r.Number, r.Change)
	return nil
}

func logsBuild(_ context.Context, c *Call) error {
	path := c.Pipeline.BuildLog(c.App, 0)
	if len(c.Args) > 0 {
		r, err := c.release(c.Args[0])
		if err != nil {
			return err
		}
		path = c.Pipeline.BuildLog(c.App, r.Roots)
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return &state.NotFound{Kind: "build log", Name: c.App}
	}
	if err != nil {
		return fmt.Errorf("open the build log: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	_, err = io.Copy(c.Out, f)
	return err
}
