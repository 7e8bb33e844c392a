package main

import (
	"bytes"
	"fmt"
	"strings"

	"hop3/internal/command"
	"hop3/internal/state"
)

// matrices is docs/matrices.md: the rows of TestPushMatrix and of the command package's TestRights, for people.
func matrices() []byte {
	var w bytes.Buffer
	fmt.Fprint(&w, `# What is tested of pushes and rights

Made of the tests themselves: go test ./cmd/hop3 -run Reference -update. A row that did not hold would fail them.

## Pushes

TestPushMatrix pushes each row with a real git client to a real server, one after the other, and looks at exit status, output, the
server's refs, the release and the page that is served. Before each there is a commit that changes the page; the app is hello.

`)
	row(&w, "case", "git push", "exit", "then")
	row(&w, "---", "---", "---", "---")
	for _, c := range pushCases() {
		then := "nothing changes"
		if c.deploys != "" {
			then = c.deploys + " is live"
		}
		row(&w, c.name, "`"+strings.Join(c.push, " ")+"`", fmt.Sprint(c.exit), then)
	}
	fmt.Fprintf(&w, `
Then connections that break after %d random numbers of bytes up or down: status 0 means that the page is served, the branch is where
the page is, and the next push works.

## Rights

TestRights asks the gate for every command by every role, on an app of the key and on another one. An app that the key may not see does
not exist for it, so the other one is refused to all but an admin whose key names no apps. A command without a row fails the test.

`, lostConnections)
	roles := []state.Role{state.View, state.Deploy, state.Operate, state.Admin}
	row(&w, "command", "view", "deploy", "operate", "admin", "another's app")
	row(&w, "---", "---", "---", "---", "---", "---")
	for _, c := range command.Table() {
		cells := []string{c.Name}
		for _, r := range roles {
			cells = append(cells, map[bool]string{true: "yes", false: "no"}[c.Anyone || r >= c.Role])
		}
		row(&w, append(cells, map[bool]string{true: "", false: "no"}[c.App == command.NoApp])...)
	}
	return w.Bytes()
}

func row(w *bytes.Buffer, cells ...string) {
	fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
}
