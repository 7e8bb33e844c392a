package command

import (
	"context"
	"fmt"
	"io"
	"strings"

	"hop3/internal/state"
)

func explainCommands() []*Command {
	return []*Command{
		{Name: "explain", Group: "server", Usage: "[TOPIC]", Short: "say in plain words what hop3 and Nix do here", Example: "explain closure", Anyone: true, Max: 1, Answers: []any{explainAnswer{}, explainOneAnswer{}}, Run: explain},
	}
}

// A topic is one thing that people ask about.
type topic struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

var topics = []topic{
	{"build", `A build runs in Nix's sandbox under a user of its own: it sees the inputs that the flake names
and nothing else of the machine. Only steps whose result is fixed by a hash, such as fetching
dependencies, reach the network. The same inputs give the same store path, so what has been
built already is not built again. See: logs:build, releases:verify.`},
	{"closure", `The closure of a release is its store path and everything that needs at run time: the
interpreter, libraries, the app's dependencies, down to the C library. A process of the
release sees exactly these paths and no other part of the server. See: releases:diff.`},
	{"flake", `A flake is a file, flake.nix, that says how something is built and from which inputs. hop3
writes one for each push from what it finds in the code; an app that brings its own is built
from that. plan shows it, eject hands it over: with it the app can be built without hop3.`},
	{"formation", `The formation is how many processes of each type run: web=2 worker=1. ps:scale changes it,
and starts and stops only the difference. Without it one web process runs, and nothing else.`},
	{"gc", `Store paths are kept as long as a release needs them: each release holds a root. gc removes all
that nothing holds, such as what only a build needed; the next build fetches that again. What
a kept release needs is never removed.`},
	{"lock", `apps:lock keeps an app as it is: pushes, deploys, settings, scale, domains and its name. Restarts
and maintenance still work. A flake.lock is something else: it pins the inputs of a flake.`},
	{"push", `git push sends the code, hop3 finds out what it is, builds it, starts the new processes beside
the old ones, and when all are ready moves the traffic over. Only then does the branch move:
a push that git reports as done is serving, a rejected one has changed nothing.`},
	{"release", `A release is one immutable version of an app: what was built, from which commit, with which
settings. A push, a change of settings and a rollback each make one. The last ones are kept
whole, so that rollback needs neither a build nor the network. See: releases.`},
	{"rollback", `A rollback makes an earlier release's code and settings live again, as a new release, by the same
swap as a push. The branch stays where it is; deploy makes its commit live again.`},
	{"sandbox", `A process runs in namespaces of its own, as a user of its app's own, without any privilege: it
sees the closure of its release, /app, /data (kept), a /tmp of its own and little else. Memory,
cpu and the number of processes are limited. enter looks inside, doctor says what the
machine can give.`},
	{"store", `The store, /nix/store, holds everything that was ever built or fetched, each under a name that is
a hash of how it was made. Nothing in it is ever changed, so that two versions of anything lie
side by side and an old release is still there byte for byte. See: storage, gc.`},
	{"swap", `A swap is the only way in which processes change: start the new ones, wait until they are ready,
move the traffic in one step, let the old ones finish their requests, stop them. If a new one
does not get ready, the old ones never notice. What did not change keeps running.`},
}

type explainAnswer struct {
	Version int     `json:"version"`
	Topics  []topic `json:"topics"`
}

type explainOneAnswer struct {
	Version int `json:"version"`
	topic
}

func explain(_ context.Context, c *Call) error {
	var names []string
	for _, t := range topics {
		names = append(names, t.Name)
	}
	if len(c.Args) == 0 {
		return c.answer(explainAnswer{1, topics}, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "Topics: %s\n", strings.Join(names, " ")) // a caller that cannot be told has gone
		})
	}
	for _, t := range topics {
		if t.Name == c.Args[0] {
			return c.answer(explainOneAnswer{1, t}, func(w io.Writer) {
				_, _ = fmt.Fprintln(w, t.Text) // a caller that cannot be told has gone
			})
		}
	}
	return &state.NotFound{Kind: "topic", Name: c.Args[0], Near: state.Nearest(c.Args[0], names)}
}
