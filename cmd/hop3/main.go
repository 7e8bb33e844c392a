// The hop3 command is the git-push deployment server, and the client of one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
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

func run(ctx context.Context, args []string, io stdio) int {
	if len(args) == 0 || args[0] == "help" && len(args) == 1 || args[0] == "--help" || args[0] == "-h" {
		help(io.out)
		return exitDone
	}
	if args[0] == probeCommand {
		return tell(io.err, nix.ProbeMain())
	}
	if args[0] == keepStoreCommand {
		return tell(io.err, keepStoreMain(args[1:], io.err))
	}
	if args[0] == completeCommand {
		complete(ctx, args[1:], io.out)
		return exitDone
	}
	if args[0] == "help" && len(args) == 2 && !strings.HasPrefix(args[1], "-") {
		return tell(io.err, helpOne(ctx, args[1], io.out))
	}
	table := localCommands()
	i := slices.IndexFunc(table, func(c localCommand) bool { return c.name == args[0] })
	if i < 0 {
		return remote(ctx, args, io)
	}
	cmd := table[i]
	err := cmd.run(ctx, args[1:], io)
	var wanted *helpError
	if errors.As(err, &wanted) {
		_, _ = fmt.Fprintf(io.out, "hop3 %s: %s\n\nUsage: hop3 %s\nExample: hop3 %s\n\nFlags:\n%s\n", cmd.name, cmd.short, strings.TrimSpace(cmd.name+" "+cmd.usage), cmd.example, strings.Join(wanted.flags, "\n")) // help that cannot be written helps nobody
		return exitDone
	}
	return tell(io.err, err)
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
