package main

import (
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
	cmd := w.inStore(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), ts.Stdout(), ts.Stderr()
	if err := cmd.Run(); (err != nil) != neg {
		ts.Fatalf("%v: %v", args, err)
	}
}

// inStore is a command with the script's store as /nix, in a mount namespace of its own.
func (w *world) inStore(exe string, args ...string) *exec.Cmd {
	if w.store == "" {
		return exec.Command(exe, args...)
	}
	// Both stores share the locks of the build users: nix kills what else runs as the user that it has chosen.
	const bind = `mkdir -p "$0/var/nix/userpool" && mount --bind /nix/var/nix/userpool "$0/var/nix/userpool" && mount --rbind "$0" /nix && exec "$@"`
	return exec.Command("unshare", append([]string{"--mount", "sh", "-c", bind, w.store, exe}, args...)...)
}
