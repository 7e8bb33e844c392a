package nix_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hop3/nixtmpl/nix"
)

// processesWith lists the processes whose command line holds word.
func processesWith(t *testing.T, word string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		data, _ := os.ReadFile(f) // empty for a process that has just gone
		if line := strings.ReplaceAll(string(data), "\x00", " "); strings.Contains(line, word) {
			found = append(found, filepath.Dir(f)+" "+line)
		}
	}
	return found
}

// groupsOf lists the processes in the state directory's environment: those that
// the driver started.
func processesOf(t *testing.T, stateDir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		data, _ := os.ReadFile(f) // as above
		if strings.Contains(string(data), "NIX_CONF_DIR="+stateDir) {
			found = append(found, filepath.Dir(f))
		}
	}
	return found
}

func TestBuild_CancelLeavesNoProcess(t *testing.T) {
	var state string
	w := newWorld(t, func(o *nix.Options) { o.Grace, state = 3*time.Second, o.StateDir })
	gone := errors.New("client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	lines := make(lineChan, 100)
	failed := make(chan error, 1)
	dir := w.flake(`default = run "hanging" [ "hang" "` + w.token + `" "write" "x" ];`)
	root := t.TempDir()
	go func() {
		_, err := w.Build(ctx, nix.BuildRequest{Flake: dir, Verbose: true, Progress: lines, RootDir: root})
		failed <- err
	}()
	waitFor(t, lines, "hanging> hanging")
	if len(processesWith(t, w.token)) == 0 {
		t.Fatal("the builder does not run")
	}
	cancel(gone)
	select {
	case err := <-failed:
		if !errors.Is(err, gone) {
			t.Errorf("error %v, want the cause", err)
		}
	case <-time.After(patience):
		t.Fatal("the cancelled build does not end")
	}
	if left := processesWith(t, w.token); len(left) > 0 {
		t.Errorf("builders are left: %q", left)
	}
	if left := processesOf(t, state); len(left) > 0 {
		t.Errorf("processes of nix are left: %q", left)
	}
	if _, err := os.Lstat(filepath.Join(root, "result")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a cancelled build left a root: %v", err)
	}
	// Its locks are free: the same derivation can be tried again at once.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	again := make(lineChan, 100)
	go func() {
		_, err := w.Build(ctx, nix.BuildRequest{Flake: dir, Verbose: true, Progress: again})
		failed <- err
	}()
	waitFor(t, again, "hanging> hanging")
	stop()
	<-failed
}

func TestBuild_CancelKillsANixThatWillNotStop(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\ncase \"$*\" in *--version*) echo 'nix (Nix) 2.8.0'; exit;; esac\n" +
		"trap '' INT TERM\necho '@nix {\"action\":\"start\",\"id\":1,\"type\":105,\"fields\":[\"/nix/store/x-stubborn.drv\"]}' >&2\n" +
		"sleep 1000 & wait; sleep 1000\n"
	for _, name := range []string{"nix", "nix-store"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	state := t.TempDir()
	n, err := nix.Open(t.Context(), nix.Options{StateDir: state, Bin: bin, Grace: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	lines := make(lineChan, 100)
	failed := make(chan error, 1)
	go func() {
		_, err := n.Build(ctx, nix.BuildRequest{Flake: t.TempDir(), Progress: lines})
		failed <- err
	}()
	waitFor(t, lines, "stubborn")
	cancel()
	select {
	case err := <-failed:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the build does not end")
	}
	if left := processesOf(t, state); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
}

func TestBuild_TimesOut(t *testing.T) {
	w := newWorld(t, func(o *nix.Options) { o.Timeout = time.Second })
	_, _, _, err := w.build(t.Context(), nix.BuildRequest{
		Flake: w.flake(`default = run "slow" [ "hang" "` + w.token + `" ];`)})
	e, ok := errors.AsType[*nix.BuildError](err)
	if !ok || e.Reason != nix.ReasonTimeout || e.Hint() == "" || e.Step != "slow" {
		t.Errorf("error %+v", err)
	}
	if len(e.Tail) != 1 || e.Tail[0] != "hanging" {
		t.Errorf("tail %q", e.Tail)
	}
}

func TestBuild_SilenceTimesOut(t *testing.T) {
	w := newWorld(t, func(o *nix.Options) { o.MaxSilent = time.Second })
	_, _, _, err := w.build(t.Context(), nix.BuildRequest{
		Flake: w.flake(`default = run "silent" [ "hang" "` + w.token + `" ];`)})
	if e, ok := errors.AsType[*nix.BuildError](err); !ok || e.Reason != nix.ReasonTimeout {
		t.Errorf("error %+v", err)
	}
}

func TestBuild_LimitsTheLog(t *testing.T) {
	w := newWorld(t, func(o *nix.Options) { o.MaxLogBytes = 10_000 })
	_, _, _, err := w.build(t.Context(), nix.BuildRequest{
		Flake: w.flake(`default = run "loud" [ "lines" "100000" "write" "x" ];`)})
	e, ok := errors.AsType[*nix.BuildError](err)
	if !ok || e.Reason != nix.ReasonLog || e.Step != "loud" {
		t.Errorf("error %+v", err)
	}
}

func TestBuild_LimitsTheEvaluator(t *testing.T) {
	w := newWorld(t, func(o *nix.Options) { o.EvalMemory = 200 << 20 })
	_, _, _, err := w.build(t.Context(), nix.BuildRequest{Flake: w.flake(
		`default = let grow = l: if builtins.length l > 100000000 then l else grow (l ++ l); in throw (toString (builtins.length (grow [ 1 2 3 ])));`)})
	e, ok := errors.AsType[*nix.BuildError](err)
	if !ok || e.Reason != nix.ReasonMemory || e.Step != "evaluation" {
		t.Errorf("error %+v", err)
	}
}

func TestBuild_LimitsTheEvaluatorsTime(t *testing.T) {
	w := newWorld(t, func(o *nix.Options) { o.EvalTimeout = time.Second })
	_, _, _, err := w.build(t.Context(), nix.BuildRequest{Flake: w.flake(
		`default = throw (toString (builtins.foldl' (a: i: builtins.foldl' (b: j: b + j) a (builtins.genList (x: x) 10000000)) 0 (builtins.genList (x: x) 100000)));`)})
	e, ok := errors.AsType[*nix.BuildError](err)
	if !ok || e.Reason != nix.ReasonTimeout || e.Step != "evaluation" {
		t.Errorf("error %+v", err)
	}
}

func waitFor(t *testing.T, lines lineChan, text string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line := <-lines:
			if strings.Contains(line, text) {
				return
			}
		case <-timeout:
			t.Fatalf("no progress line with %q", text)
		}
	}
}
