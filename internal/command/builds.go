package command

import (
	"context"
	"io"
	"slices"

	"github.com/spf13/pflag"

	"hop3/internal/deploy"
	"hop3/internal/state"
)

func buildCommands() []*Command {
	ref := func(f *pflag.FlagSet) { f.String("ref", "", "a branch, tag or commit of the app's repository") }
	return []*Command{
		{Name: "deploy", Group: "releases", Usage: "[APP] [--ref REF] [--no-cache]", Short: "build a commit of the app's repository and make it live; without --ref: what was pushed last", Example: "deploy blog --ref 3f2c1aa", Role: state.Deploy, App: OneApp, Exits: []int{ExitConflict, ExitDeploy}, Run: deployRef,
			Flags: func(f *pflag.FlagSet) { ref(f); f.Bool("no-cache", false, "rebuild the dependencies too") }},
		{Name: "plan", Group: "releases", Usage: "[APP] [--ref REF]", Short: "build the deployed commit and show what deploying it would do, as git push -o plan", Example: "plan blog --ref main~1", Role: state.Deploy, App: OneApp, Answers: []any{planAnswer{}}, Exits: []int{ExitConflict, ExitDeploy}, Run: plan, Flags: ref},
		{Name: "builds", Group: "builds", Usage: "[APP]", Short: "list what builds or waits now, and how the last ones ended", Role: state.View, App: OneApp, Answers: []any{buildsAnswer{}}, Run: builds},
		{Name: "builds:attach", Group: "builds", Usage: "[APP]", Short: "show the build that is under way, from its beginning, and end as it does", Role: state.Deploy, App: OneApp, Exits: []int{ExitConflict, ExitDeploy}, Run: buildsAttach},
		{Name: "builds:cancel", Group: "builds", Usage: "[APP]", Short: "cancel the build that is under way", Role: state.Deploy, App: OneApp, Exits: []int{ExitConflict}, Run: buildsCancel},
	}
}

func deployRef(ctx context.Context, c *Call) error {
	// Each flag is declared above.
	ref, _ := c.Flags.GetString("ref")
	noCache, _ := c.Flags.GetBool("no-cache")
	return c.Pipeline.Deploy(ctx, c.request(), deploy.DeployOptions{Ref: ref, NoCache: noCache})
}

type planAnswer struct {
	Version int `json:"version"`
	deploy.Preview
}

func plan(ctx context.Context, c *Call) error {
	ref, err := c.Flags.GetString("ref")
	if err != nil {
		return err
	}
	p, err := c.Pipeline.Plan(ctx, c.request(), ref)
	if err != nil {
		return err
	}
	return c.answer(planAnswer{1, p}, p.Tell)
}

type buildJSON struct {
	State  string `json:"state"` // waiting, building, starting or running; done or failed once it has ended
	What   string `json:"what"`
	By     string `json:"by"`
	At     string `json:"at"` // since when, or when it ended
	Result string `json:"result"`
}

// lastBuilds is how many that have ended are shown.
const lastBuilds = 10

// builders are the events of calls that build.
var builders = []string{"git push", "deploy", "ps:rebuild"}

type buildsAnswer struct {
	Version int         `json:"version"`
	App     string      `json:"app"`
	Builds  []buildJSON `json:"builds"`
}

func builds(_ context.Context, c *Call) error {
	list, rows := []buildJSON{}, [][]string{{"STATE", "WHAT", "BY", "AT", "RESULT"}}
	for _, t := range c.Pipeline.Tasks(c.App) {
		list = append(list, buildJSON{State: t.State, What: t.What, By: t.By, At: when(t.Since)})
	}
	ended, err := c.Store.Events(lastBuilds, func(e state.Event) bool { return e.App == c.App && slices.Contains(builders, e.What) })
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(ended) {
		b := buildJSON{State: "done", What: e.What, By: e.Who, At: when(e.At), Result: e.Result}
		if e.Result != "ok" {
			b.State = "failed"
		}
		list = append(list, b)
	}
	for _, b := range list {
		rows = append(rows, []string{b.State, b.What, b.By, b.At, orDash(oneLine(b.Result))})
	}
	return c.answer(buildsAnswer{1, c.App, list}, func(w io.Writer) { table(w, rows) })
}

// buildsAttach listens; going away cancels nothing.
func buildsAttach(ctx context.Context, c *Call) error { return c.Pipeline.Attach(ctx, c.App, c.Out) }

func buildsCancel(_ context.Context, c *Call) error {
	t, err := c.Pipeline.Cancel(c.App, c.Who)
	if err != nil {
		return err
	}
	c.say("-----> Cancelled %s by %s", t.What, t.By)
	return nil
}
