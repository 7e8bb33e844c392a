package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"hop3/internal/state"
	"hop3/nixtmpl/nix"
)

// ownStore opens a nix whose store is the test's own: the machine's has other
// people's paths.
func ownStore(t *testing.T) *nix.Nix {
	t.Helper()
	bin, store := t.TempDir(), t.TempDir()
	for _, name := range []string{"nix", "nix-store"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("%v; install it: make setup", err)
		}
		script := fmt.Sprintf("#!/bin/sh\nNIX_REMOTE=%s exec %s \"$@\"\n", store, real)
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	n, err := nix.Open(t.Context(), nix.Options{StateDir: t.TempDir(), Offline: true, Bin: bin})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCollect(t *testing.T) {
	store, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Create("blog", "ann", time.Now()); err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	n := ownStore(t)
	p := New(Options{Store: store, Nix: n, Log: log, KeepReleases: 5, Builds: 2})
	var paths []string
	for _, name := range []string{"kept", "garbage"} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, bytes.Repeat([]byte(name), 1<<18), 0o644); err != nil {
			t.Fatal(err)
		}
		added, err := n.AddFixed(t.Context(), "sha256", false, file)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, added...)
	}
	root := p.releaseDir("blog", 1)
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := n.AddRoot(t.Context(), filepath.Join(root, "result"), paths[0]); err != nil {
		t.Fatal(err)
	}
	rel := state.Release{Number: 1, Roots: 1, Status: state.Live, StorePath: paths[0]}
	app, err := store.Update("blog", func(a *state.App) error { a.Releases, a.Current = []state.Release{rel}, 1; return nil })
	if err != nil {
		t.Fatal(err)
	}

	dry, err := p.Collect(t.Context(), true)
	if err != nil || dry.Paths != 1 || dry.Bytes < 1<<20 {
		t.Errorf("dry: %+v, %v", dry, err)
	}
	p.builds <- struct{}{} // a build is under way: it is waited for
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := p.Collect(ctx, false); !errors.Is(err, cause) {
		t.Errorf("beside a build: %v", err)
	}
	<-p.builds
	freed, err := p.Collect(t.Context(), false)
	if err != nil || freed.Paths != 1 || freed.Bytes < 1<<20 {
		t.Errorf("freed: %+v, %v", freed, err)
	}
	valid, err := n.Valid(t.Context(), paths...)
	if err != nil || !valid[paths[0]] || valid[paths[1]] {
		t.Errorf("%v, %v: want the first kept and the second gone", valid, err)
	}
	if s, err := p.Storage(t.Context(), app); err != nil || s.Releases < 1<<20 {
		t.Errorf("%+v, %v", s, err)
	}
	p.gc.Lock()
	defer p.gc.Unlock()
	var conflict *state.Conflict
	if _, err := p.Collect(t.Context(), false); !errors.As(err, &conflict) {
		t.Errorf("two at once: %v", err)
	}
}

// What is kept is what was named last, however many they are.
func TestKeepOnly(t *testing.T) {
	n := ownStore(t)
	dir, files := t.TempDir(), []string{}
	for i := range 510 { // more than one command line is given
		name := filepath.Join(dir, fmt.Sprintf("file-%d", i))
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, name)
	}
	paths, err := n.AddFixed(t.Context(), "sha256", false, files...)
	if err != nil {
		t.Fatal(err)
	}
	roots := filepath.Join(t.TempDir(), "roots")
	for _, keep := range []int{505, 505, 0} {
		if err := n.KeepOnly(t.Context(), roots, paths[:keep]); err != nil {
			t.Fatal(err)
		}
		if _, err := n.GC(t.Context(), 0, false); err != nil {
			t.Fatal(err)
		}
		valid, err := n.Valid(t.Context(), paths...)
		if err != nil {
			t.Fatal(err)
		}
		for i, path := range paths {
			if valid[path] != (i < keep) {
				t.Fatalf("keeping %d, number %d is valid: %v", keep, i, valid[path])
			}
		}
	}
}
