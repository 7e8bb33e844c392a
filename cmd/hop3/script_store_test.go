package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// store [COMMAND…] gives the script's server an empty nix store of its own, and runs a command that sees it too.
func storeCmd(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	if w.store == "" {
		w.store = filepath.Join(w.root, ".nix")
		ts.Check(os.Mkdir(w.store, 0o755))
	}
	if len(args) == 0 {
		return
	}
	w.there(ts, neg, w.store, args)
}

// elsewhere COMMAND… runs a command as on another machine: its nix store is another one, empty at first, and it has no network.
func elsewhereCmd(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	dir := filepath.Join(w.root, ".elsewhere")
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		ts.Fatalf("%v", err)
	}
	w.there(ts, neg, dir, append([]string{"unshare", "--net"}, args...))
}

// there runs a command that has the folder store as /nix.
func (w *world) there(ts *testscript.TestScript, neg bool, store string, args []string) {
	cmd := inStore(store, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), ts.Stdout(), ts.Stderr()
	if err := cmd.Run(); (err != nil) != neg {
		ts.Fatalf("%v: %v", args, err)
	}
}

// inStore is a command with a folder as /nix, in a mount namespace of its own; "" is the machine's.
func inStore(store, exe string, args ...string) *exec.Cmd {
	if store == "" {
		return exec.Command(exe, args...)
	}
	// All stores share the locks of the build users: nix kills what else runs as the user that it has chosen.
	const bind = `mkdir -p "$0/var/nix/userpool" && mount --bind /nix/var/nix/userpool "$0/var/nix/userpool" && mount --rbind "$0" /nix && exec "$@"`
	return exec.Command("unshare", append([]string{"--mount", "sh", "-c", bind, store, exe}, args...)...)
}
