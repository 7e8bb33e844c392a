package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"hop3/internal/command"
	"hop3/internal/config"
	"hop3/internal/manual"
)

// A localCommand is one that this machine carries out itself.
type localCommand struct {
	name, usage, short, example string
	run                         func(ctx context.Context, args []string, io stdio) error
}

// localCommands are the rows of the local half of the command table, in the
// order of the help; the other half is command.Table.
func localCommands() []localCommand {
	return []localCommand{
		{"serve", "[--data DIR] [--ssh ADDR] [--http ADDR] …", "run the server", "serve --data /var/lib/hop3 --domain apps.example.com", serve},
		{"detect", "[DIR] [--json] [--explain]", "say what stack a folder is, and why", "detect --explain", detectDir},
		{"flake", "[DIR]", "print the flake.nix that a push would build", "flake > flake.nix", flakeDir},
		{"build", "[DIR]", "build a folder as a push would, print the store path", "build .", buildDir},
		{"shell", "[DIR] [-- COMMAND…]", "the app's development shell: the toolchain of its build", "shell . -- npm test", devShell},
		{"local", "[DIR] [TYPE…] [--port N]", "build a folder and run its processes here", "local . web worker", runLocal},
		{"init", "[APP] [HOST]", "add the git remote of an app on a server, and say what comes next", "init blog deploy.example.com", initRemote},
		{"doctor", "[--json]", "check this machine", "doctor", doctor},
		{"admin", "add NAME [--role ROLE] < KEY.pub | list [--json] | remove NAME", "manage keys on the server's own machine", "admin add ann < ann.pub", admin},
		{"packages", "list | update | prefetch STACK… | size STACK… | export [STACK…] | import", "the offline package set", "packages prefetch python", packageSet},
		{"completion", "bash | fish | zsh", "print what a shell sources to complete commands, flags and apps", "completion bash", printCompletion},
		{"version", "[--json]", "print the version", "version", printVersion},
	}
}

func help(w io.Writer) {
	_, _ = fmt.Fprintf(w, "hop3 %s: git push deploys, Nix isolates\n\nOn this machine:\n", version) // help that cannot be written helps nobody
	for _, c := range localCommands() {
		_, _ = fmt.Fprintf(w, "  hop3 %-10s %s\n", c.name, c.short)
	}
	_, _ = fmt.Fprint(w, "\nAnything else is sent by ssh to the server of the git remote hop3:\n  hop3 ps, hop3 logs -t, hop3 config:set KEY=VALUE, hop3 rollback; hop3 help COMMAND explains one\n")
}

// helpOne explains one command, of either half, without asking a server.
func helpOne(ctx context.Context, name string, w io.Writer) error {
	b := book(ctx)
	for _, e := range append(b.Local, b.Remote...) {
		if e.Name == name {
			_, err := io.WriteString(w, e.Text())
			return err
		}
	}
	return noSuchCommand(name, command.Table())
}

// book is the whole command table, as the manual tells it.
func book(ctx context.Context) manual.Book {
	var b manual.Book
	for _, c := range localCommands() {
		e := manual.Entry{Name: c.name, Usage: c.usage, Short: c.short, Example: c.example}
		var wanted *helpError
		if errors.As(c.run(ctx, []string{"--help"}, stdio{strings.NewReader(""), io.Discard, io.Discard}), &wanted) {
			for _, line := range wanted.flags { // the default of --data depends on who asks
				e.Flags = append(e.Flags, strings.ReplaceAll(line, userData(), config.Default().Data))
			}
		}
		b.Local = append(b.Local, e)
	}
	for _, c := range command.Table() {
		b.Remote = append(b.Remote, c.Entry())
	}
	return b
}
