package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"hop3/internal/config"
	"hop3/nixtmpl/nix"
	"hop3/procman/sandbox"
)

// A check is one line of `hop3 doctor`.
type check struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, warn or fail
	Found  string `json:"found"`
	Fix    string `json:"fix"`
}

// doctor checks what hop3 needs of this machine. It fails if a check does.
func doctor(ctx context.Context, args []string, io stdio) error {
	set := pflag.NewFlagSet("doctor", pflag.ContinueOnError)
	set.Usage = func() {}
	asJSON := set.Bool("json", false, "answer as one JSON document")
	c := config.Default()
	c.Flags(set)
	if err := set.Parse(args); err != nil {
		return asUsage(set, err)
	}
	checks := []check{checkNix(ctx, c), checkGit()}
	checks = append(checks, checkIsolation()...)
	checks = append(checks, checkNetwork(c)...)
	checks = append(checks, checkAddress("ssh", c.SSH), checkAddress("http", c.HTTP), checkDisk(c), checkClock(time.Now()))
	failed := false
	for _, ch := range checks {
		failed = failed || ch.Status == "fail"
	}
	if *asJSON {
		doc := struct {
			Version int     `json:"version"`
			Checks  []check `json:"checks"`
		}{1, checks}
		if err := json.NewEncoder(io.out).Encode(doc); err != nil {
			return err
		}
	} else {
		for _, ch := range checks {
			_, _ = fmt.Fprintf(io.out, "%-4s  %-12s %s\n", ch.Status, ch.Name, ch.Found) // a reader that has gone needs no answer
			if ch.Fix != "" {
				_, _ = fmt.Fprintf(io.out, "      %-12s mend: %s\n", "", ch.Fix)
			}
		}
	}
	if failed {
		return &told{exitFailed}
	}
	return nil
}

func checkNix(ctx context.Context, c config.Config) check {
	n, err := nix.Open(ctx, nixOptions(c, nil))
	if err != nil {
		fix := ""
		if h, ok := err.(interface{ Hint() string }); ok {
			fix = h.Hint()
		}
		return check{"nix", "fail", err.Error(), fix}
	}
	found := fmt.Sprintf("nix %s, %s", n.Version(), n.Mode())
	if _, err := n.Probe(ctx, sandbox.Executable(), probeCommand); err != nil {
		fix := "see the log of nix above"
		if h, ok := err.(interface{ Hint() string }); ok && h.Hint() != "" {
			fix = h.Hint()
		}
		return check{"nix", "fail", found + ", but its sandbox does not work: " + err.Error(), fix}
	}
	return check{"nix", "ok", found + ", sandboxed by build users", ""}
}

// probeCommand is what doctor has nix's sandbox run: this program, looking
// around in it.
const probeCommand = "__probe"

func checkGit() check {
	path, err := exec.LookPath("git")
	if err != nil {
		return check{"git", "fail", "there is no git", "install it: apt-get install git"}
	}
	return check{"git", "ok", path, ""}
}

func checkIsolation() []check {
	f := sandbox.Support()
	status := "ok"
	if f.Isolation == "none" {
		status = "fail"
	}
	checks := []check{{"isolation", status, fmt.Sprintf("%s, cgroups %s, system call filter %v", f.Isolation, f.Cgroups, f.Seccomp), ""}}
	for _, p := range f.Problems {
		checks = append(checks, check{"isolation", "warn", p.What, p.Fix})
	}
	return checks
}

func checkAddress(name, addr string) check {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return check{name, "warn", fmt.Sprintf("%s cannot be listened at: %v", addr, err), "stop what has it (hop3 itself, perhaps), or choose another with --" + name}
	}
	if err := l.Close(); err != nil {
		return check{name, "warn", err.Error(), ""}
	}
	return check{name, "ok", addr + " is free", ""}
}

func checkDisk(c config.Config) check {
	var st unix.Statfs_t
	dir := c.Data
	for unix.Statfs(dir, &st) != nil { // of the nearest folder that exists
		parent := filepath.Dir(dir)
		if parent == dir {
			return check{"disk", "warn", "the disk of " + c.Data + " cannot be looked at", ""}
		}
		dir = parent
	}
	free := int64(st.Bavail) * st.Bsize
	found := fmt.Sprintf("%d MiB free at %s", free>>20, dir)
	if free < int64(c.MinFree) {
		return check{"disk", "fail", found, fmt.Sprintf("free at least %d MiB, or pushes are refused", int64(c.MinFree)>>20)}
	}
	return check{"disk", "ok", found, ""}
}

// newestClock is a time that has surely passed: a clock before it is wrong,
// and with it certificates and signatures of package indices.
var newestClock = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func checkClock(now time.Time) check {
	if now.Before(newestClock) {
		return check{"clock", "fail", "the clock says " + now.UTC().Format(time.RFC3339), "set it; certificates and package indices cannot be checked"}
	}
	return check{"clock", "ok", now.UTC().Format(time.RFC3339), ""}
}
