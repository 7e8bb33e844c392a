package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"hop3/internal/command"
)

//go:embed completion
var completions embed.FS

// shells are those that hop3 can be completed in.
var shells = []string{"bash", "fish", "zsh"}

// printCompletion is `hop3 completion`: what a shell sources.
func printCompletion(_ context.Context, args []string, io stdio) error {
	set := newFlags("completion")
	if err := set.Parse(args); err != nil {
		return asUsage(set, err)
	}
	if set.NArg() != 1 || !slices.Contains(shells, set.Arg(0)) {
		return &usageError{"hop3 completion takes a shell: " + strings.Join(shells, ", "), "source <(hop3 completion bash)"}
	}
	text, err := completions.ReadFile("completion/hop3." + set.Arg(0))
	if err != nil {
		return fmt.Errorf("read completion: %w", err)
	}
	_, err = io.out.Write(text)
	return err
}

// completeCommand is how the shells' functions ask what may stand next.
const completeCommand = "__complete"

// complete writes what the last word may become, a line each: the word, a tab
// and what it means. Nothing: the shell offers files.
func complete(ctx context.Context, words []string, out io.Writer) {
	if len(words) == 0 {
		return
	}
	found := candidates(ctx, words)
	for _, word := range slices.Sorted(maps.Keys(found)) {
		if strings.HasPrefix(word, words[len(words)-1]) {
			_, _ = fmt.Fprintf(out, "%s\t%s\n", word, found[word]) // a shell that cannot be told has gone
		}
	}
}

// candidates are what may stand in the place of the last word.
func candidates(ctx context.Context, words []string) map[string]string {
	name, current, before := words[0], words[len(words)-1], ""
	if len(words) > 1 {
		before = words[len(words)-2]
	}
	table := command.Table()
	i := slices.IndexFunc(table, func(c *command.Command) bool { return c.Name == name })
	switch {
	case len(words) == 1:
		return commandNames(table)
	case name == "help" && len(words) == 2:
		return commandNames(table)
	case name == "completion" && len(words) == 2:
		return asSet(shells)
	case slices.Contains(words[1:len(words)-1], "--"):
		return nil // another program's words
	case i >= 0 && strings.HasPrefix(current, "-"):
		return flagNames(table[i].FlagSet())
	case i >= 0 && table[i].App == command.OneApp && (before == "-a" || before == "--app" || len(words) == 2):
		return remoteApps(ctx)
	}
	return nil
}

func asSet(words []string) map[string]string {
	set := map[string]string{}
	for _, w := range words {
		set[w] = ""
	}
	return set
}

func commandNames(table []*command.Command) map[string]string {
	names := map[string]string{}
	for _, c := range table {
		names[c.Name] = c.Short
	}
	for _, c := range localCommands() {
		names[c.name] = c.short
	}
	return names
}

func flagNames(set *pflag.FlagSet) map[string]string {
	names := map[string]string{}
	set.VisitAll(func(f *pflag.Flag) { names["--"+f.Name] = f.Usage })
	return names
}

// maxCompletion is how long somebody who pressed Tab waits for the server.
const maxCompletion = 3 * time.Second

// remoteApps asks the server of the git remote for the apps that the key may see.
func remoteApps(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, maxCompletion)
	defer cancel()
	t, err := findTarget(ctx)
	if err != nil {
		return nil
	}
	out, err := sshCommand(ctx, []string{"-o", "BatchMode=yes"}, t, []string{"apps", "--json"}).Output()
	var doc struct {
		Apps []struct{ Name, URL string }
	}
	if err != nil || json.Unmarshal(out, &doc) != nil {
		return nil
	}
	apps := map[string]string{}
	for _, a := range doc.Apps {
		apps[a.Name] = a.URL
	}
	return apps
}
