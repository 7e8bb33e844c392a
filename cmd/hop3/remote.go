package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"

	"hop3/internal/command"
	"hop3/receive"
)

// remote sends a command by the user's own ssh to the server of the git
// remote hop3 (or $HOP3_REMOTE) of the current repository, with that remote's
// app filled in where the command takes one.
func remote(ctx context.Context, args []string, io stdio) int {
	table := command.Table()
	i := slices.IndexFunc(table, func(c *command.Command) bool { return c.Name == args[0] })
	if i < 0 {
		return tell(io.err, &usageError{"no such command: " + args[0], "see them all: hop3 help"})
	}
	name := cmp.Or(os.Getenv("HOP3_REMOTE"), "hop3")
	out, err := exec.CommandContext(ctx, "git", "remote", "get-url", "--", name).Output()
	if err != nil {
		return tell(io.err, &usageError{fmt.Sprintf("this folder has no git remote %q", name), "add it: git remote add hop3 ssh://hop3@HOST:2222/APP"})
	}
	ssh, app, err := sshTarget(strings.TrimSpace(string(out)))
	if err != nil {
		return tell(io.err, err)
	}
	words := []string{args[0]}
	if table[i].App == command.OneApp && !namesApp(args) {
		words = append(words, "-a", app)
	}
	words = append(words, args[1:]...)
	if f, ok := io.in.(*os.File); ok && isTerminal(f) && command.ReadsTerminal(args) {
		ssh = append([]string{"-t"}, ssh...)
	}
	cmd := exec.CommandContext(ctx, "ssh", append(ssh, "--", quoteWords(words))...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = io.in, io.out, io.err
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return command.ExitCancelled
	case errors.As(err, &exit) && exit.ExitCode() == sshFailed:
		return command.ExitServer // ssh has said why
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	}
	return tell(io.err, err)
}

// sshFailed is ssh's own exit status when it could not reach the server; no
// command of the server ends with it.
const sshFailed = 255

// namesApp reports whether the caller named an app by -a. Of a command that
// runs another, only flags before that one count.
func namesApp(args []string) bool {
	for _, a := range args[1:] {
		if a == "--" || args[0] == "run" && !strings.HasPrefix(a, "-") {
			return false
		}
		if a == "-a" || a == "--app" || strings.HasPrefix(a, "--app=") {
			return true
		}
	}
	return false
}

// sshTarget reads a git remote, ssh://USER@HOST:PORT/APP or USER@HOST:APP,
// into arguments of ssh and the app's name.
func sshTarget(remote string) (args []string, app string, err error) {
	bad := &usageError{fmt.Sprintf("the git remote %q is not of a hop3 server", remote), "it looks like ssh://hop3@HOST:2222/APP or hop3@HOST:APP"}
	host, path := "", ""
	if strings.Contains(remote, "://") {
		u, err := url.Parse(remote)
		if err != nil || u.Scheme != "ssh" || u.Hostname() == "" {
			return nil, "", bad
		}
		if u.Port() != "" {
			args = append(args, "-p", u.Port())
		}
		host, path = u.Hostname(), u.Path
		if u.User != nil {
			host = u.User.Username() + "@" + host
		}
	} else {
		var ok bool
		if host, path, ok = strings.Cut(remote, ":"); !ok {
			return nil, "", bad
		}
	}
	// A host that begins with - would be an option to ssh.
	if host == "" || strings.HasPrefix(host, "-") {
		return nil, "", bad
	}
	app, err = receive.ParsePath(path)
	return append(args, host), app, err
}

// quoteWords joins words so that a POSIX shell, or the server, splits them
// into the same ones.
func quoteWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}
