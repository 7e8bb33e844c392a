package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// program is where the script's server is installed.
func (w *world) program() string { return filepath.Join(w.root, ".program", "hop3") }

// install FILE puts another program where the server's is, as an upgrade does; install hop3 puts the right one there.
func installCmd(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] != "hop3" {
		args[0] = ts.MkAbs(args[0])
	}
	worldOf(ts).install(ts, args[0])
}

func (w *world) install(ts *testscript.TestScript, file string) {
	ts.Check(os.MkdirAll(filepath.Dir(w.program()), 0o755))
	temp := w.program() + ".new"
	if file == "hop3" { // testscript has put this test there
		found, err := exec.LookPath(file)
		ts.Check(err)
		found, err = filepath.EvalSymlinks(found)
		ts.Check(err)
		if os.Link(found, temp) != nil { // on another file system
			b, err := os.ReadFile(found)
			ts.Check(err)
			ts.Check(os.WriteFile(temp, b, 0o755))
		}
	} else {
		b, err := os.ReadFile(file)
		ts.Check(err)
		ts.Check(os.WriteFile(temp, b, 0o755))
	}
	ts.Check(os.Rename(temp, w.program()))
}

// await waits until done, at most maxAwait.
func (w *world) await(ts *testscript.TestScript, done func() bool) {
	limit := time.NewTimer(maxAwait)
	defer limit.Stop()
	for tick := time.NewTicker(20 * time.Millisecond); !done(); {
		select {
		case <-tick.C:
		case <-limit.C:
			ts.Fatalf("waited in vain:\n%s", w.log())
		}
	}
}
