package receive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// pushOptions are those that "git push -o" may carry.
var pushOptions = []string{"detach", "plan", "no-cache", "verbose"}

// judge gives every command that can be refused by name its verdict and returns the ref that deploys.
func (c *conversation) judge() string {
	deploy := deployRef(c.request.DeployBranch, c.refs, c.asked.commands)
	seen := map[string]int{}
	for _, cmd := range c.asked.commands {
		seen[cmd.ref]++
	}
	option := unknownOption(c.asked.options)
	for _, cmd := range c.asked.commands {
		switch {
		case seen[cmd.ref] > 1:
			cmd.status = "named more than once in this push"
		case option != "":
			cmd.status = option
		default:
			cmd.status = refuse(cmd, deploy, c.refs)
		}
	}
	c.keepAtomic()
	return deploy
}

// deployRef is the configured branch; without one main or master: the one that exists, else the
// one that is pushed, else main.
func deployRef(branch string, refs map[string]string, commands []*command) string {
	const main, master = "refs/heads/main", "refs/heads/master"
	if branch != "" {
		return "refs/heads/" + branch
	}
	for _, name := range []string{main, master} {
		if refs[name] != "" {
			return name
		}
	}
	for _, name := range []string{main, master} {
		if slices.ContainsFunc(commands, func(c *command) bool { return c.ref == name && !c.deletes() }) {
			return name
		}
	}
	return main
}

func unknownOption(options []string) string {
	for _, o := range options {
		if !slices.Contains(pushOptions, o) {
			return fmt.Sprintf("unknown push option %s; known: %s", o, strings.Join(pushOptions, ", "))
		}
	}
	return ""
}

// refuse says why a command cannot be done, or "".
func refuse(c *command, deploy string, refs map[string]string) string {
	switch {
	case !validRef(c.ref):
		return "not a valid ref name"
	case strings.HasPrefix(c.ref, ownRefs):
		return "refs/hop3/ belongs to the server"
	case c.old != idOrZero(refs[c.ref]):
		return "the ref is not where this push takes it to be; run git fetch"
	case c.deletes() && c.ref == deploy:
		return "the deploy branch cannot be deleted; apps:destroy removes the app"
	case !c.deletes() && c.ref != deploy:
		branch := strings.TrimPrefix(deploy, "refs/heads/")
		return fmt.Sprintf("only %s deploys; run git push hop3 %s:%s", branch, source(c.ref), branch)
	}
	return ""
}

// source is what stands left of the colon to push a ref's commit. An annotated tag is no commit, hence ^0.
func source(ref string) string {
	if tag, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		return tag + "^0"
	}
	return strings.TrimPrefix(ref, "refs/heads/")
}

// keepAtomic lets one refused command of an atomic push refuse them all.
func (c *conversation) keepAtomic() {
	if !c.asked.caps.has("atomic") || !slices.ContainsFunc(c.asked.commands, func(x *command) bool { return x.status != "" }) {
		return
	}
	for _, cmd := range c.asked.commands {
		if cmd.status == "" {
			cmd.status = "atomic push failed"
		}
	}
}

// accepted returns the command that deploys, if it is still good.
func (c *conversation) accepted(deploy string) *command {
	for _, cmd := range c.asked.commands {
		if cmd.ref == deploy && cmd.status == "" && !cmd.deletes() {
			return cmd
		}
	}
	return nil
}

// fail refuses every update, and in an atomic push everything, because the pack could not be taken.
func (c *conversation) fail(why string) {
	for _, cmd := range c.asked.commands {
		if cmd.status == "" && !cmd.deletes() {
			cmd.status = why
		}
	}
	c.keepAtomic()
}

func (c *conversation) reject(cmd *command, why string) {
	cmd.status = why
	c.keepAtomic()
}

// reason is what git prints in brackets for an error.
func reason(err error) string {
	var r interface{ Reason() string }
	if errors.As(err, &r) && r.Reason() != "" {
		return sanitise(r.Reason())
	}
	if errors.Is(err, context.Canceled) {
		return "cancelled"
	}
	return "deploy failed"
}

// tell writes why a push is rejected, and what to do.
func tell(w io.Writer, err error) { // a lost client is noticed by the sideband
	fmt.Fprintf(w, " !     push rejected: %s\n", sanitise(err.Error()))
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		fmt.Fprintf(w, "       %s\n", sanitise(h.Hint()))
	}
}
