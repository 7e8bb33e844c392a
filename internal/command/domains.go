package command

import (
	"context"
	"fmt"
	"io"
	"slices"

	"hop3/internal/state"
)

func domainCommands() []*Command {
	return []*Command{
		{Name: "domains", Group: "routing", Usage: "[APP]", Short: "list the names at which an app answers", Role: state.View, App: OneApp, Answers: []any{domainsAnswer{}}, Run: domains},
		{Name: "domains:add", Group: "routing", Usage: "[APP] DOMAIN", Short: "answer at a name too", Example: "domains:add blog www.example.com", Role: state.Operate, App: OneApp, Min: 1, Max: 1, Exits: []int{ExitConflict}, Run: domainsAdd},
		{Name: "domains:remove", Group: "routing", Usage: "[APP] DOMAIN", Short: "answer at a name no longer", Example: "domains:remove blog www.example.com", Role: state.Operate, App: OneApp, Min: 1, Max: 1, Exits: []int{ExitConflict}, Run: domainsRemove},
	}
}

type domainsAnswer struct {
	Version int      `json:"version"`
	App     string   `json:"app"`
	Domains []string `json:"domains"`
}

func domains(_ context.Context, c *Call) error {
	a, err := c.Store.App(c.App)
	if err != nil {
		return err
	}
	list := c.Pipeline.Hosts(a)
	return c.answer(domainsAnswer{1, c.App, list}, func(w io.Writer) {
		for _, d := range list {
			_, _ = fmt.Fprintln(w, d) // a caller that cannot be told has gone
		}
	})
}

func domainsAdd(ctx context.Context, c *Call) error {
	d, err := state.CheckDomain(c.Args[0])
	if err != nil {
		return err
	}
	err = c.Pipeline.SetDomains(ctx, c.request(), func(now []string) ([]string, error) {
		if slices.Contains(now, d) {
			return nil, &state.Conflict{What: c.App + " answers at " + d + " already", Mend: "see its names: domains " + c.App}
		}
		return append(now, d), nil
	})
	if err == nil {
		c.say("-----> %s answers at %s", c.App, d)
	}
	return err
}

func domainsRemove(ctx context.Context, c *Call) error {
	d, err := state.CheckDomain(c.Args[0])
	if err != nil {
		return err
	}
	err = c.Pipeline.SetDomains(ctx, c.request(), func(now []string) ([]string, error) {
		i := slices.Index(now, d)
		if i < 0 {
			return nil, &state.NotFound{Kind: "domain", Name: d, Near: state.Nearest(d, now)}
		}
		return slices.Delete(now, i, i+1), nil
	})
	if err == nil {
		c.say("-----> %s does not answer at %s any more", c.App, d)
	}
	return err
}
