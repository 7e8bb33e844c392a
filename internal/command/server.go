package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

func serverCommands() []*Command {
	return []*Command{
		{Name: "status", Group: "server", Short: "show the server", Anyone: true, JSON: true, Run: status},
		{Name: "version", Group: "server", Short: "print hop3's version", Anyone: true, JSON: true, Run: version},
		helpCommand(),
	}
}

func helpCommand() *Command {
	return &Command{Name: "help", Group: "server", Usage: "[COMMAND]", Short: "list the commands, or explain one", Anyone: true, Max: 1, JSON: true, Run: help}
}

// Table returns every command.
func Table() []*Command {
	table := slices.Concat(
		appCommands(), lockCommands(), configCommands(), psCommands(), statsCommands(), runCommands(), jobCommands(), enterCommands(), logCommands(),
		releaseCommands(), closureCommands(), buildCommands(), domainCommands(), certCommands(), diskCommands(), backupCommands(), keyCommands(), eventCommands(),
		explainCommands(), doctorCommands(), serverCommands(),
	)
	first := map[string]int{} // one heading per group in the help
	for i, c := range table {
		if _, seen := first[c.Group]; !seen {
			first[c.Group] = i
		}
	}
	slices.SortStableFunc(table, func(a, b *Command) int { return cmp.Compare(first[a.Group], first[b.Group]) })
	return table
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
	doc := struct {
		Version   int    `json:"version"`
		Hop3      string `json:"hop3"`
		Since     string `json:"since"`
		Uptime    int64  `json:"uptime_seconds"`
		Packages  string `json:"packages"`
		Apps      int    `json:"apps"`
		Running   int    `json:"running"`
		Processes int    `json:"processes"`
	}{1, c.Set.Version, when(c.Started), int64(time.Since(c.Started).Seconds()), c.Packages, len(visible), running, processes}
	return c.answer(doc, func(w io.Writer) {
		table(w, [][]string{
			{"hop3:", doc.Hop3}, {"since:", doc.Since}, {"packages:", doc.Packages},
			{"apps:", fmt.Sprintf("%d, %d running", doc.Apps, doc.Running)}, {"processes:", fmt.Sprint(doc.Processes)},
		})
	})
}

func version(_ context.Context, c *Call) error {
	return c.answer(struct {
		Version int    `json:"version"`
		Hop3    string `json:"hop3"`
		Go      string `json:"go"`
	}{1, c.Set.Version, runtime.Version()}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "hop3 %s %s\n", c.Set.Version, runtime.Version()) // a caller that cannot be told has gone
	})
}

type commandJSON struct {
	Name    string   `json:"name"`
	Group   string   `json:"group"`
	Usage   string   `json:"usage"`
	Short   string   `json:"short"`
	Example string   `json:"example"`
	Role    string   `json:"role"`
	JSON    bool     `json:"json"`
	Flags   []string `json:"flags"`
}

func help(_ context.Context, c *Call) error {
	if len(c.Args) == 1 {
		return c.helpOne(c.Args[0])
	}
	list := []commandJSON{}
	for _, cmd := range Table() {
		list = append(list, describe(cmd))
	}
	return c.answer(struct {
		Version  int           `json:"version"`
		Commands []commandJSON `json:"commands"`
	}{1, list}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "hop3 %s. You are %s (%s).\nssh -p PORT hop3@HOST COMMAND; COMMAND --help explains one; git push hop3 main deploys.\n", c.Set.Version, c.Who, c.Key.Role)
		group := ""
		rows := [][]string{}
		for _, cmd := range list {
			if cmd.Group != group {
				group = cmd.Group
				rows = append(rows, []string{"", ""}, []string{group, ""})
			}
			rows = append(rows, []string{"  " + strings.TrimSpace(cmd.Name+" "+cmd.Usage), cmd.Short})
		}
		table(w, rows)
	})
}

func describe(cmd *Command) commandJSON {
	role := cmd.Role.String()
	if cmd.Anyone {
		role = "any"
	}
	call := &Call{Command: cmd}
	_, err := call.parse(nil)
	flags := []string{}
	if err == nil {
		for line := range strings.Lines(call.Flags.FlagUsages()) {
			flags = append(flags, strings.TrimSpace(line))
		}
	}
	return commandJSON{Name: cmd.Name, Group: cmd.Group, Usage: cmd.Usage, Short: cmd.Short, Example: cmp.Or(cmd.Example, cmd.Name), Role: role, JSON: cmd.JSON, Flags: flags}
}

func (c *Call) helpOne(name string) error {
	cmd, err := c.lookup(c.Key, name)
	if err != nil {
		return err
	}
	d := describe(cmd)
	return c.answer(struct {
		Version int `json:"version"`
		commandJSON
	}{1, d}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "%s\n\nUsage: %s\nExample: %s\nRole: %s\n\nFlags:\n", d.Short, cmd.usage(), d.Example, d.Role) // a caller that cannot be told has gone
		for _, f := range d.Flags {
			_, _ = fmt.Fprintf(w, "  %s\n", f)
		}
		_, _ = fmt.Fprint(w, "\nExit codes: 0 done, 1 failed, 2 usage, 3 no such thing, 5 not allowed, 6 conflict, 7 server trouble, 8 deploy failed, 10 not confirmed, 130 cancelled\n")
	})
}
