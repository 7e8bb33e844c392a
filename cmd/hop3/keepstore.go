package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"

	"hop3/nixtmpl/nix"
)

// keepStoreCommand is what a program of the store is run by: `hop3 keep-store COMMAND…`.
const keepStoreCommand = "keep-store"

// keepStore makes the command line by which root runs a program of the store. On a machine where nix is a package of the
// system /nix/store is writable for root, and a program that caches beside its own files, as python does, would change
// paths that are never to change.
func keepStore(argv ...string) ([]string, error) {
	if os.Geteuid() != 0 {
		return argv, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find hop3 itself: %w", err)
	}
	return append([]string{self, keepStoreCommand}, argv...), nil
}

// keepStoreMain becomes the command, with the store read-only for it and all that it starts.
func keepStoreMain(argv []string, warn io.Writer) error {
	if len(argv) == 0 {
		return &usageError{"keep-store names no command", "hop3 local and hop3 shell use it"}
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the namespace is the thread's, and the thread becomes the program
	if err := shutStore(); err != nil {
		_, _ = fmt.Fprintf(warn, " !     %v: the program can change the store; do not run it as root\n", err) // a user that cannot be told has gone
	}
	return fmt.Errorf("run %s: %w", argv[0], unix.Exec(program, argv, os.Environ()))
}

func shutStore() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("leave the machine's mounts: %w", err)
	}
	return errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""),
		unix.Mount(nix.StoreDir, nix.StoreDir, "", unix.MS_BIND, ""),
		unix.Mount("", nix.StoreDir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""),
	)
}
