package main

import (
	"encoding/json"
	"os/exec"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"hop3/internal/command"
)

// asked is how each command with --json is called for its answer. The server
// of the script has no HTTPS and no vulnerability database.
var asked = map[string]string{
	"apps": "", "apps:info": "APP", "certs": "", "certs:add": "", "config": "APP", "config:get": "APP GREETING", "config:export": "APP",
	"builds": "APP", "cron": "APP", "doctor": "", "domains": "APP", "events": "", "explain": "", "help": "", "keys": "",
	"logs": "APP -n 1", "plan": "APP", "ps": "APP", "ps:scale": "APP", "releases": "APP", "releases:info": "APP v1", "releases:diff": "APP v1 v2",
	"releases:verify": "APP v1", "releases:audit": "APP v1", "restore": "", "run:detached": "APP -- true", "services": "", "services:info": "none", "services:logs": "none", "stats": "APP", "status": "", "storage": "APP",
	"version": "", "whoami": "",
}

// answers APP calls every command that has --json, over ssh, and holds its
// answer against its schema: keys that are not in it are mistakes too.
func answersCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	for _, c := range command.Table() {
		operands, known := asked[c.Name]
		if len(c.Answers) == 0 || c.Name == "gc" { // gc measures the whole store of the machine

			continue
		}
		if !known {
			ts.Fatalf("%s has no row in asked: how is it called?", c.Name)
		}
		line := append([]string{c.Name, "--json"}, strings.Fields(strings.ReplaceAll(operands, "APP", args[0]))...)
		ssh, _ := w.sshArgs(ts, line)
		out, err := exec.Command("ssh", ssh...).Output()
		if len(out) == 0 {
			ts.Fatalf("%q: no answer, %v", line, err)
		}
		checkAnswer(ts, c, out)
	}
}

func checkAnswer(ts *testscript.TestScript, c *command.Command, out []byte) {
	schema, err := answerSchema(c.Answers)
	ts.Check(err)
	var failed struct{ Error string }
	ts.Check(json.Unmarshal(out, &failed))
	if failed.Error != "" {
		schema, err = answerSchema([]any{command.ErrorAnswer{}})
		ts.Check(err)
	}
	resolved, err := schema.Resolve(nil)
	ts.Check(err)
	var doc any
	ts.Check(json.Unmarshal(out, &doc))
	if err := resolved.Validate(doc); err != nil {
		ts.Fatalf("%s --json answers %s, which is not of its schema: %v", c.Name, out, err)
	}
	ts.Logf("%s: %d bytes, error %q", c.Name, len(out), failed.Error)
}
