package nix

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const someDrv = "/nix/store/wahynad7884jmn3y32mgp77iigd8y625-blog-deps-1.0.drv"

// said is what nix writes for an error.
func said(text string) string {
	line, err := json.Marshal(map[string]any{"action": "msg", "level": 0, "msg": "\x1b[31;1merror:\x1b[0m " + text, "raw_msg": text})
	if err != nil {
		panic(err) // a map of strings
	}
	return "@nix " + string(line) + "\n"
}

// wrote is a build of someDrv that wrote line.
func wrote(line string) string {
	return fmt.Sprintf("@nix {\"action\":\"start\",\"id\":7,\"type\":105,\"fields\":[%q,\"\",1,1]}\n@nix {\"action\":\"result\",\"id\":7,\"type\":101,\"fields\":[%q]}\n", someDrv, line)
}

func TestDiagnose_Reasons(t *testing.T) {
	failed := said("builder for '" + someDrv + "' failed with exit code 1")
	cases := map[string]struct {
		log        string
		evaluating bool
		reason     string
	}{
		"plain failure":     {wrote("tests: 1 failed") + failed, false, ReasonBuild},
		"killed":            {said("builder for '" + someDrv + "' failed due to signal 9 (Killed)"), false, ReasonMemory},
		"segfault":          {said("builder for '" + someDrv + "' failed due to signal 11 (Segmentation fault)"), false, ReasonBuild},
		"node's heap":       {wrote("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory") + failed, false, ReasonMemory},
		"disk, by the step": {wrote("write /build/x: no space left on device") + failed, false, ReasonDisk},
		"disk, by nix":      {said("writing to file: No space left on device"), false, ReasonDisk},
		"nix's database":    {said("executing SQLite statement: database or disk is full"), false, ReasonDisk},
		"npm's network":     {wrote("npm ERR! code EAI_AGAIN") + failed, false, ReasonNetwork},
		"go's network":      {wrote("dial tcp: lookup proxy: no such host") + failed, false, ReasonNetwork},
		"nix's network":     {said("unable to download 'https://example.com/x.tar.gz': Couldn't resolve host name (6)"), true, ReasonNetwork},
		"old nix":           {said("This version of Nixpkgs requires Nix >= 2.18, please upgrade"), true, ReasonOldNix},
		"feature":           {said("experimental Nix feature 'pipe-operators' is disabled; use '--extra-experimental-features pipe-operators' to override"), true, ReasonOldNix},
		"silence":           {said("building of '" + someDrv + "!*' timed out after 20 seconds of silence"), false, ReasonTimeout},
		"registry":          {said("cannot find flake 'flake:nixpkgs' in the flake registries"), true, ReasonInputLocked},
		"no sandbox":        {said("this system does not support the kernel namespaces that are required for sandboxing; use '--no-sandbox' to disable sandboxing"), false, ReasonSandbox},
		"evaluator":         {said("out of memory"), true, ReasonMemory},
		"recursion":         {said("infinite recursion encountered"), true, ReasonEval},
		"build in eval":     {said("builder for '"+someDrv+"' failed with exit code 2") + said("1 dependencies of derivation '"+someDrv+"' failed to build"), true, ReasonBuild},
		"lock, then error":  {`@nix {"action":"msg","level":0,"msg":"waiting for the big garbage collector lock..."}` + "\n" + failed, false, ReasonBuild},
		"plain text":        {"error: unable to download 'x': timeout\n", true, ReasonNetwork},
		"nothing said":      {"", false, ReasonBuild},
	}
	for name, c := range cases {
		m := newMonitor(nil, nil, false, time.Now)
		feed(m, c.log)
		e := buildError(&exitError{code: 1, state: "exit status 1"}, m, c.evaluating).(*BuildError)
		if e.Reason != c.reason || e.Message == "" {
			t.Errorf("%s: %+v, want %q", name, e, c.reason)
		}
		if plain := c.reason == ReasonBuild || c.reason == ReasonEval; !plain && e.Hint() == "" {
			t.Errorf("%s: no hint", name)
		}
	}
}

func TestDiagnose_LocatesOutsideOfTheFlake(t *testing.T) {
	m := newMonitor(nil, nil, false, time.Now)
	feed(m, `@nix {"action":"msg","level":0,"msg":"error: boom\n at «github:NixOS/nixpkgs/x»/pkgs/top.nix:5:3:","raw_msg":"boom","file":"«github:NixOS/nixpkgs/x»/pkgs/top.nix","line":5}`)
	e := buildError(&exitError{code: 1}, m, true).(*BuildError)
	if e.File != "" || e.Message != "boom" {
		t.Errorf("%+v", e)
	}
}

func TestMonitor_SaysThatItWaits(t *testing.T) {
	var out bytes.Buffer
	m := newMonitor(&out, nil, false, time.Now)
	feed(m, `@nix {"action":"msg","level":0,"msg":"waiting for the big garbage collector lock..."}`+"\n"+
		`@nix {"action":"msg","level":0,"msg":"trace: from the flake"}`+"\n")
	if got := out.String(); got != "waiting for the big garbage collector lock\n" {
		t.Errorf("progress %q", got)
	}
}

func TestMonitor_BoundsWhatItKeeps(t *testing.T) {
	m := newMonitor(nil, nil, false, time.Now)
	for i := range 2 * maxSteps {
		drv := fmt.Sprintf("/nix/store/wahynad7884jmn3y32mgp77iigd8y625-step%d.drv", i)
		feed(m, strings.ReplaceAll(wrote("x"), someDrv, drv)+`@nix {"action":"stop","id":7}`+"\n"+said("oh no"))
	}
	if len(m.steps) > maxSteps || len(m.order) != len(m.steps) || len(m.messages) > maxMessages || len(m.acts) > 0 {
		t.Errorf("kept %d steps, %d messages, %d activities", len(m.steps), len(m.messages), len(m.acts))
	}
}
