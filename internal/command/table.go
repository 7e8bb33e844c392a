package command

import (
	"cmp"
	"slices"

	"hop3/internal/manual"
)

// Table returns every command.
func Table() []*Command {
	table := slices.Concat(
		overviewCommands(), appCommands(), lockCommands(), configCommands(), psCommands(), statsCommands(), runCommands(), jobCommands(), enterCommands(), logCommands(),
		releaseCommands(), closureCommands(), buildCommands(), domainCommands(), certCommands(), diskCommands(), backupCommands(), serviceCommands(), keyCommands(), eventCommands(),
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

// find is the command that a command line calls, or nil.
func find(args []string) *Command {
	if len(args) == 0 {
		return nil
	}
	table := Table()
	if i := slices.IndexFunc(table, func(c *Command) bool { return c.Name == args[0] }); i >= 0 {
		return table[i]
	}
	return nil
}

// Entry is what the help, the manual and docs/commands.md tell of the command.
func (c *Command) Entry() manual.Entry {
	e := manual.Entry{Name: c.Name, Group: c.Group, Usage: c.Usage, Short: c.Short, Example: c.Example, Role: c.Role.String(), JSON: len(c.Answers) > 0, Flags: manual.Flags(c.FlagSet()), Exits: c.exits()}
	if c.Anyone {
		e.Role = "any"
	}
	if e.Example == "" && c.App == OneApp {
		e.Example = c.Name + " blog"
	}
	e.Example = cmp.Or(e.Example, c.Name)
	return e
}

// exits are the exit codes that a call may end with.
func (c *Command) exits() []manual.Exit {
	codes := append([]int{ExitDone, ExitUsage, ExitUnknownKey, ExitServer, ExitCancelled}, c.Exits...)
	if !c.Anyone {
		codes = append(codes, ExitDenied)
	}
	if c.App == OneApp || c.Max != 0 {
		codes = append(codes, ExitNotFound)
	}
	slices.Sort(codes)
	var list []manual.Exit
	for _, e := range Exits() {
		if slices.Contains(codes, e.Code) {
			list = append(list, e)
		}
	}
	return list
}
