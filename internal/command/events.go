package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"hop3/internal/state"
)

func eventCommands() []*Command {
	return []*Command{
		{Name: "events", Group: "access", Usage: "[-t] [-n 50]", Short: "list who did what, when and with which result", Example: "events -t", Role: state.View, Answers: []any{eventsAnswer{}, eventAnswer{}}, Run: events,
			Flags: func(f *pflag.FlagSet) {
				f.BoolP("tail", "t", false, "go on with new events until Ctrl-C; with --json one document a line")
				f.IntP("num", "n", 50, "the last so many")
			}},
	}
}

type eventJSON struct {
	At     string `json:"at"`
	Who    string `json:"who"`
	From   string `json:"from"`
	App    string `json:"app"`
	What   string `json:"what"`
	Detail string `json:"detail"`
	Result string `json:"result"`
}

// seesEvent reports whether the caller may see an event: an admin all, others
// those of the apps that they see.
func (c *Call) seesEvent(e state.Event) bool {
	if c.Key.Role == state.Admin && len(c.Key.Apps) == 0 {
		return true
	}
	return e.App != "" && c.Key.May(state.View, e.App)
}

type eventsAnswer struct {
	Version int         `json:"version"`
	Events  []eventJSON `json:"events"`
}

func events(ctx context.Context, c *Call) error {
	n, err := c.Flags.GetInt("num")
	if err != nil {
		return err
	}
	if n < 0 {
		return &Usage{What: "-n is not negative", Mend: "usage: " + c.Command.usage()}
	}
	if follow, _ := c.Flags.GetBool("tail"); follow {
		ctx, stop := c.whileServing(ctx)
		defer stop()
		return c.Store.FollowEvents(ctx, n, c.seesEvent, c.writeEvent)
	}
	found, err := c.Store.Events(n, c.seesEvent)
	if err != nil {
		return err
	}
	list := []eventJSON{}
	for _, e := range found {
		list = append(list, asEventJSON(e))
	}
	return c.answer(eventsAnswer{1, list}, func(w io.Writer) {
		for _, e := range list {
			_, _ = fmt.Fprintln(w, e.line()) // a caller that cannot be told has gone
		}
	})
}

func asEventJSON(e state.Event) eventJSON {
	return eventJSON{when(e.At), e.Who, e.From, e.App, e.What, e.Detail, e.Result}
}

// line is fit to be read while it scrolls by: its columns do not depend on other lines.
func (e eventJSON) line() string {
	what := e.What
	if e.Detail != "" {
		what += " " + oneLine(e.Detail)
	}
	return fmt.Sprintf("%s %-12s %-16s %-16s %s", e.At, e.Who, orDash(e.App), what, oneLine(e.Result))
}

type eventAnswer struct {
	Version int `json:"version"`
	eventJSON
}

func (c *Call) writeEvent(e state.Event) error {
	j := asEventJSON(e)
	if !c.JSON {
		_, err := fmt.Fprintln(c.Out, j.line())
		return err
	}
	return json.NewEncoder(c.Out).Encode(eventAnswer{1, j})
}

// oneLine keeps a text of several lines from breaking a table.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
