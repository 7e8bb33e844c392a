package command

import (
	"context"
	"fmt"
	"io"

	"hop3/internal/manual"
)

func helpCommand() *Command {
	return &Command{Name: "help", Group: "server", Usage: "[COMMAND]", Short: "list the commands, or explain one", Example: "help ps:scale", Anyone: true, Max: 1, Answers: []any{helpAnswer{}, helpOneAnswer{}}, Run: help}
}

type helpAnswer struct {
	Version  int            `json:"version"`
	Commands []manual.Entry `json:"commands"`
}

type helpOneAnswer struct {
	Version int `json:"version"`
	manual.Entry
}

func help(_ context.Context, c *Call) error {
	if len(c.Args) == 1 {
		return c.helpOne(c.Args[0])
	}
	list := []manual.Entry{}
	for _, cmd := range Table() {
		list = append(list, cmd.Entry())
	}
	return c.answer(helpAnswer{1, list}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "hop3 %s. You are %s (%s).\nssh -p PORT hop3@HOST COMMAND; COMMAND --help explains one; git push hop3 main deploys.\n", c.Set.Version, c.Who, c.Key.Role) // a caller that cannot be told has gone
		group := ""
		rows := [][]string{}
		for _, e := range list {
			if e.Group != group {
				group = e.Group
				rows = append(rows, []string{"", ""}, []string{group, ""})
			}
			rows = append(rows, []string{"  " + e.Line(), e.Short})
		}
		table(w, rows)
	})
}

func (c *Call) helpOne(name string) error {
	cmd, err := c.lookup(c.Key, name)
	if err != nil {
		return err
	}
	e := cmd.Entry()
	return c.answer(helpOneAnswer{1, e}, func(w io.Writer) {
		_, _ = io.WriteString(w, e.Text()) // a caller that cannot be told has gone
	})
}
