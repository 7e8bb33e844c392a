package packages

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// execStore is the real store of this machine, by nix-store.
type execStore struct{}

func (execStore) AddFixed(ctx context.Context, algo string, recursive bool, files ...string) ([]string, error) {
	args := []string{"--add-fixed"}
	if recursive {
		args = append(args, "--recursive")
	}
	out, err := run(ctx, "nix-store", append(append(args, algo), files...)...)
	return strings.Fields(out), err
}

func (execStore) Valid(ctx context.Context, paths ...string) (map[string]bool, error) {
	out, err := run(ctx, "nix-store", append([]string{"--check-validity", "--print-invalid"}, paths...)...)
	valid := map[string]bool{}
	for _, p := range paths {
		valid[p] = true
	}
	for _, p := range strings.Fields(out) {
		valid[p] = false
	}
	return valid, err
}

func (execStore) KeepOnly(context.Context, string, []string) error { return nil } // tests of package nix and deploy hold it

func run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = nixEnv()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", name, err, errs.String())
	}
	return out.String(), nil
}

// nixEnv is nix with the settings of a server: sandbox, build users, nothing
// from elsewhere.
func nixEnv() []string {
	conf := "experimental-features = nix-command flakes\nsandbox = true\nsandbox-fallback = false\nsubstituters =\naccept-flake-config = false\n"
	if os.Getuid() == 0 {
		conf += "build-users-group = nixbld\n"
	}
	return append(os.Environ(), "NIX_CONF_DIR=/nonexistent", "NIX_CONFIG="+conf, "NIX_PATH=")
}

// needNix skips where nix is truly missing; make test installs it.
func needNix(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("nix"); err != nil {
		t.Fatal("nix is not installed on this machine: make setup installs it")
	}
}

// openReal opens the embedded set in a fresh folder over the real store.
func openReal(t *testing.T) *Set {
	t.Helper()
	needNix(t)
	s, err := Open(t.TempDir(), execStore{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func prefetch(t *testing.T, s *Set, needs ...Need) {
	t.Helper()
	if err := s.Prefetch(t.Context(), testWriter{t}, needs...); err != nil {
		t.Fatal(err) // without a network too, where the store lacks something: nothing would be shown
	}
}

// build builds an expression that sees the set as pkgs, and returns its path.
func build(t *testing.T, s *Set, expr string) string {
	t.Helper()
	dir := t.TempDir()
	flake := fmt.Sprintf("{ inputs.nixpkgs.url = %q; outputs = { self, nixpkgs }: let pkgs = nixpkgs.legacyPackages.x86_64-linux; inherit (nixpkgs) lib; in { packages.x86_64-linux.default = %s; }; }", s.FlakeRef(), expr)
	if err := os.WriteFile(filepath.Join(dir, "flake.nix"), []byte(flake), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := run(t.Context(), "nix", "build", "--no-link", "--no-write-lock-file", "--offline",
		"--option", "sandbox-paths", "/bin/sh="+s.Shell(), "path:"+dir)
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	out, err := run(t.Context(), "nix", "eval", "--raw", "--no-write-lock-file", "--offline", "path:"+dir+"#default.outPath")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func mapsKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }
