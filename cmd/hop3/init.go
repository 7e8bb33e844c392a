package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"

	"hop3/internal/command"
	"hop3/internal/state"
)

// defaultPort is where hop3 listens for ssh unless it is told otherwise.
const defaultPort = "2222"

// initRemote is `hop3 init`: it adds the git remote of an app to the current
// repository and says what comes next.
func initRemote(ctx context.Context, args []string, io stdio) error {
	set := newFlags("init")
	if err := set.Parse(args); err != nil {
		return asUsage(set, err)
	}
	if set.NArg() > 2 {
		return &usageError{"hop3 init takes an app and a host", "hop3 init blog deploy.example.com"}
	}
	root := gitSays(ctx, "rev-parse", "--show-toplevel")
	if root == "" {
		return &usageError{"this folder is no git repository", "git init -b main"}
	}
	app := cmp.Or(set.Arg(0), filepath.Base(root))
	if err := state.CheckAppName(app); err != nil {
		return &usageError{err.Error(), "name the app: hop3 init APP HOST"}
	}
	host := cmp.Or(set.Arg(1), gitSays(ctx, "config", "--get", "hop3.host"))
	if host == "" {
		return &usageError{"which server? No host is named", "hop3 init " + app + " deploy.example.com; for all repositories: git config --global hop3.host deploy.example.com"}
	}
	at, err := remoteURL(ctx, host, app)
	if err != nil {
		return err
	}
	name := remoteName()
	switch old := gitSays(ctx, "remote", "get-url", "--", name); old {
	case "":
		if out, err := exec.CommandContext(ctx, "git", "remote", "add", "--", name, at).CombinedOutput(); err != nil {
			return fmt.Errorf("add the git remote: %s", strings.TrimSpace(string(out)))
		}
		_, err = fmt.Fprintf(io.err, "-----> The git remote %s is %s\n", name, at)
	case at:
		_, err = fmt.Fprintf(io.err, "-----> The git remote %s is %s already\n", name, at)
	default:
		_, _ = fmt.Fprintf(io.err, " !     the git remote %s is %s\n       to change it: git remote set-url %s %s\n       for another name: HOP3_REMOTE=NAME hop3 init …\n", name, old, name, at) // a user that cannot be told has gone
		return &told{command.ExitConflict}
	}
	if err != nil {
		return err
	}
	return nextStep(ctx, root, name, io)
}

// remoteURL is the git remote of an app on a host, which is written as
// HOST, USER@HOST, HOST:PORT or ssh://USER@HOST:PORT.
func remoteURL(ctx context.Context, host, app string) (string, error) {
	bad := &usageError{fmt.Sprintf("%q is not a host", host), "it looks like deploy.example.com, hop3@deploy.example.com:2222, or a Host of your ssh config"}
	text := host
	if !strings.Contains(text, "://") {
		text = "ssh://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "ssh" || u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "-") || u.Path != "" && u.Path != "/" {
		return "", bad
	}
	user, port := "hop3", u.Port()
	if u.User != nil {
		user = u.User.Username()
	}
	if port == "" && !configured(ctx, u.Hostname()) {
		port = defaultPort
	}
	where := u.Hostname()
	if strings.Contains(where, ":") {
		where = "[" + where + "]"
	}
	if port != "" {
		where = net.JoinHostPort(u.Hostname(), port)
	}
	return "ssh://" + user + "@" + where + "/" + app, nil
}

// configured reports whether the user's ssh config names a port of the host.
func configured(ctx context.Context, host string) bool {
	out, err := sshCommand(ctx, []string{"-G"}, target{ssh: []string{host}}, nil).Output()
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(out)) {
		if port, ok := strings.CutPrefix(strings.TrimSpace(line), "port "); ok {
			return port != "22"
		}
	}
	return false
}

// nextStep says what to do with the remote: commit, and push the branch.
func nextStep(ctx context.Context, root, name string, io stdio) error {
	say := func(format string, a ...any) { _, _ = fmt.Fprintf(io.err, "       "+format+"\n", a...) } // a user that cannot be told has gone
	if plan, err := detectPlan(root); err != nil {
		say("no stack is found here yet: hop3 detect --explain says why")
	} else {
		say("%s; hop3 detect --explain says why", plan.Stack)
	}
	branch := gitSays(ctx, "symbolic-ref", "--short", "HEAD")
	push := "git push " + name + " " + branch
	if branch != "main" && branch != "master" {
		push = "git push " + name + " " + cmp.Or(branch, "HEAD") + ":main"
	}
	if gitSays(ctx, "rev-parse", "--verify", "-q", "HEAD") == "" {
		push = "git add -A && git commit, then " + push
	}
	say("deploy: %s", push)
	prefix := ""
	if name != "hop3" {
		prefix = "HOP3_REMOTE=" + name + " "
	}
	say("then: %shop3 ps, %shop3 logs -t, %shop3 help", prefix, prefix, prefix)
	return nil
}
