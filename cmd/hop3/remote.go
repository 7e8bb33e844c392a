package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"hop3/internal/command"
	"hop3/internal/state"
	"hop3/receive"
)

// A target is the server and app of a git remote.
type target struct {
	ssh []string // arguments of ssh: -p PORT, and where
	app string
}

// remote sends a command by the user's own ssh to the server of the git
// remote hop3 (or $HOP3_REMOTE) of the current repository, with that remote's
// app filled in where the command takes one.
func remote(ctx context.Context, args []string, io stdio) int {
	table := command.Table()
	i := slices.IndexFunc(table, func(c *command.Command) bool { return c.Name == args[0] })
	if i < 0 {
		return tell(io.err, noSuchCommand(args[0], table))
	}
	t, err := findTarget(ctx)
	if err != nil {
		return tell(io.err, err)
	}
	words := []string{args[0]}
	if table[i].App == command.OneApp && !namesApp(args) {
		words = append(words, "-a", t.app)
	}
	words = append(words, args[1:]...)
	var options []string
	if terminals(io.in, io.out) && command.WantsTerminal(args) {
		options = []string{"-t"}
	}
	cmd := sshCommand(ctx, options, t, words)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = io.in, io.out, io.err
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return command.ExitCancelled
	case errors.As(err, &exit):
		return exitOf(exit.ProcessState)
	}
	return tell(io.err, err)
}

// noSuchCommand suggests the nearest of both halves of the command table.
func noSuchCommand(name string, table []*command.Command) error {
	var names []string
	for _, c := range localCommands() {
		names = append(names, c.name)
	}
	for _, c := range table {
		names = append(names, c.Name)
	}
	mend := "see them all: hop3 help"
	if near := state.Nearest(name, names); near != "" {
		mend = "did you mean hop3 " + near + "? See them all: hop3 help"
	}
	return &usageError{"no such command: " + name, mend}
}

// sshFailed is ssh's own exit status when it could not reach the server; no
// command of the server ends with it.
const sshFailed = 255

// exitOf is the exit code for how ssh ended.
func exitOf(p *os.ProcessState) int {
	status, ok := p.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled():
		return 128 + int(status.Signal())
	case p.ExitCode() == sshFailed: // ssh has said why
		return command.ExitServer
	}
	return p.ExitCode()
}

// terminals reports whether both ends are a terminal: with one of them
// elsewhere, a terminal in between would change what passes.
func terminals(in io.Reader, out io.Writer) bool {
	i, ok := in.(*os.File)
	o, also := out.(*os.File)
	return ok && also && isTerminal(i) && isTerminal(o)
}

// sshCommand calls the user's ssh, as git would: $GIT_SSH_COMMAND, which is a
// shell's command line, the setting core.sshCommand, $GIT_SSH, or ssh.
func sshCommand(ctx context.Context, options []string, t target, words []string) *exec.Cmd {
	args := slices.Concat(options, t.ssh)
	if len(words) > 0 {
		args = append(args, "--", quoteWords(words))
	}
	line := os.Getenv("GIT_SSH_COMMAND")
	if line == "" {
		line = gitSays(ctx, "config", "--get", "core.sshCommand")
	}
	cmd := exec.CommandContext(ctx, cmp.Or(os.Getenv("GIT_SSH"), "ssh"), args...)
	if line != "" {
		cmd = exec.CommandContext(ctx, "sh", append([]string{"-c", line + ` "$@"`, line}, args...)...)
	}
	// Ctrl-C reaches ssh too, as it is of the same process group.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd
}

// gitSays is what git prints; "" where it fails.
func gitSays(ctx context.Context, args ...string) string {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// remoteName is the git remote whose server is called.
func remoteName() string { return cmp.Or(os.Getenv("HOP3_REMOTE"), "hop3") }

// findTarget reads the git remote of the current repository.
func findTarget(ctx context.Context) (target, error) {
	name := remoteName()
	at := gitSays(ctx, "remote", "get-url", "--", name)
	if at == "" {
		return target{}, &usageError{fmt.Sprintf("this folder has no git remote %q", name), "add it: hop3 init APP HOST"}
	}
	args, app, err := sshTarget(at)
	return target{args, app}, err
}

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
		if host, path, ok = cutScp(remote); !ok {
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

// cutScp cuts USER@HOST:PATH; an IPv6 address stands in brackets.
func cutScp(remote string) (host, path string, ok bool) {
	if before, after, found := strings.Cut(remote, "]:"); found && strings.Contains(before, "[") {
		return strings.Replace(before, "[", "", 1), after, true
	}
	return strings.Cut(remote, ":")
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
