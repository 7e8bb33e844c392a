// The hop3 command is the git-push deployment server, and the client of one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"hop3/nixtmpl/nix"
	"hop3/procman/shim"
)

// version is hop3's own; commit is set by the build (see the Makefile).
const version = "1.0.0"

var commit = "unknown"

// Exit codes of PRODUCT.md section 8 that local commands use.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	// The same program is the first process of each app: this line must stay
	// first, and what this package imports must do no work on its own.
	if code, ok := shim.Reexec(); ok {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends what does not end by itself
	code := run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// stdio are the ends of the line of a local command.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// A localCommand is one that this machine carries out itself.
type localCommand struct {
	usage, short string
	run          func(ctx context.Context, args []string, io stdio) error
}

func localCommands() map[string]localCommand {
	return map[string]localCommand{
		"serve":    {"[--data DIR] [--ssh ADDR] [--http ADDR] …", "run the server", serve},
		"detect":   {"[DIR] [--json] [--explain]", "say what stack a folder is, and why", detectDir},
		"flake":    {"[DIR]", "print the flake.nix that a push would build", flakeDir},
		"build":    {"[DIR]", "build a folder as a push would, print the store path", buildDir},
		"shell":    {"[DIR] [-- COMMAND…]", "the app's development shell: the toolchain of its build", devShell},
		"local":    {"[DIR] [TYPE…] [--port N]", "build a folder and run its processes here", runLocal},
		"doctor":   {"[--json]", "check this machine", doctor},
		"admin":    {"add NAME [--role ROLE] < KEY.pub | list | remove NAME", "manage keys on the server's own machine", admin},
		"packages": {"list | update | prefetch STACK…", "the offline package set", packageSet},
		"version":  {"", "print the version", printVersion},
	}
}

// order is how the help lists the local commands.
var order = []string{"serve", "detect", "flake", "build", "shell", "local", "doctor", "admin", "packages", "version"}

func run(ctx context.Context, args []string, io stdio) int {
	if len(args) == 0 || args[0] == "help" && len(args) == 1 || args[0] == "--help" || args[0] == "-h" {
		help(io.out)
		return exitDone
	}
	if args[0] == probeCommand {
		return tell(io.err, nix.ProbeMain())
	}
	cmd, ok := localCommands()[args[0]]
	if !ok {
		return remote(ctx, args, io)
	}
	err := cmd.run(ctx, args[1:], io)
	var wanted *helpError
	if errors.As(err, &wanted) {
		_, _ = fmt.Fprintf(io.out, "hop3 %s: %s\n\nUsage: hop3 %s %s\n\nFlags:\n%s", args[0], cmd.short, args[0], cmd.usage, wanted.flags) // help that cannot be written helps nobody
		return exitDone
	}
	return tell(io.err, err)
}

func help(w io.Writer) {
	_, _ = fmt.Fprintf(w, "hop3 %s: git push deploys, Nix isolates\n\nOn this machine:\n", version) // help that cannot be written helps nobody
	for _, name := range order {
		_, _ = fmt.Fprintf(w, "  hop3 %-9s %s\n", name, localCommands()[name].short)
	}
	_, _ = fmt.Fprint(w, "\nAnything else is sent by ssh to the server of the git remote hop3:\n  hop3 ps, hop3 logs -t, hop3 config:set KEY=VALUE, hop3 rollback; hop3 help COMMAND explains one\n")
}

// A usageError says that a command line is not as the command takes it.
type usageError struct{ what, mend string }

func (e *usageError) Error() string { return e.what }
func (e *usageError) Hint() string  { return e.mend }

// told is an error that the user has been told of; only its code is left.
type told struct{ code int }

func (t *told) Error() string { return fmt.Sprintf("exit status %d", t.code) }

// tell writes err in hop3's form and returns the exit code.
func tell(w io.Writer, err error) int {
	var done *told
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &done):
		return done.code
	}
	_, _ = fmt.Fprintf(w, " !     %v\n", err) // a user that cannot be told has gone
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		_, _ = fmt.Fprintf(w, "       %s\n", h.Hint())
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}
