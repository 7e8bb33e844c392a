package nix_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"hop3/nixtmpl/nix"
)

// signing gives a world a key of its own.
func signing(t *testing.T) func(*nix.Options) {
	file := filepath.Join(t.TempDir(), "signing.key")
	return func(o *nix.Options) { o.SigningKey = file }
}

// copyTo copies a closure to another store, which takes what keys vouch for only.
func copyTo(t *testing.T, store, path, key string) error {
	t.Helper()
	cmd := exec.Command("nix", "--extra-experimental-features", "nix-command", "copy", "--to", store, "--option", "require-sigs", "true", "--option", "trusted-public-keys", key, path)
	cmd.Env = append(os.Environ(), "NIX_CONF_DIR=/nonexistent", "NIX_REMOTE=local")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("copy: %s", out)
	}
	return err
}

const twoLayers = `
    deps = run "signed-deps" [ "write" "dependencies" ];
    default = more { inherit deps; } "signed" [ "append" "deps" ];`

// What is built here is taken by another machine that trusts this one's key, and
// by no other.
func TestSign_OtherMachinesTrustTheKey(t *testing.T) {
	w, stranger := newWorld(t, signing(t)), newWorld(t, signing(t))
	if w.PublicKey() == "" || w.PublicKey() == stranger.PublicKey() {
		t.Fatalf("keys %q and %q", w.PublicKey(), stranger.PublicKey())
	}
	out := w.mustBuild(nix.BuildRequest{Flake: w.flake(twoLayers)}).Out
	if got, err := w.Check(t.Context(), out); err != nil || got.Paths != 2 || len(got.Damaged)+len(got.Unsigned) > 0 {
		t.Errorf("its own check: %+v, %v", got, err)
	}
	if got, err := stranger.Check(t.Context(), out); err != nil || len(got.Unsigned) != 2 {
		t.Errorf("another's check: %+v, %v", got, err)
	}
	if err := copyTo(t, t.TempDir(), out, stranger.PublicKey()); err == nil {
		t.Error("a machine that trusts another key took it")
	}
	if err := copyTo(t, t.TempDir(), out, w.PublicKey()); err != nil {
		t.Errorf("a machine that trusts the key did not take it: %v", err)
	}
	if err := stranger.Sign(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	if got, err := stranger.Check(t.Context(), out); err != nil || len(got.Unsigned) > 0 {
		t.Errorf("after signing what was there already: %+v, %v", got, err)
	}
}

// A store that somebody wrote into is found out.
func TestCheck_NamesWhatIsDamaged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can damage the store")
	}
	w := newWorld(t)
	r := w.mustBuild(nix.BuildRequest{Flake: w.flake(twoLayers), Layers: []string{"deps"}})
	deps := r.Layers["deps"]
	if got, err := w.Check(t.Context(), r.Out); err != nil || len(got.Damaged) > 0 {
		t.Fatalf("before: %+v, %v", got, err)
	}
	text := read(t, deps)
	overwrite := func(text string) {
		if err := os.Remove(deps); err != nil { // the file may be linked with others of the store
			t.Fatal(err)
		}
		if err := os.WriteFile(deps, []byte(text), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	overwrite("other " + text)
	defer overwrite(text)
	got, err := w.Check(t.Context(), r.Out)
	if err != nil || !slices.Equal(got.Damaged, []string{deps}) || got.Paths != 2 {
		t.Errorf("got %+v, %v; %s is damaged", got, err, deps)
	}
}

func TestOpen_KeepsItsSigningKey(t *testing.T) {
	with := signing(t)
	one := newWorld(t, with)
	if two := newWorld(t, with); two.PublicKey() != one.PublicKey() {
		t.Errorf("the key changed from %s to %s", one.PublicKey(), two.PublicKey())
	}
	var o nix.Options
	with(&o)
	if info, err := os.Stat(o.SigningKey); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v, %v", info, err)
	}
	if err := os.WriteFile(o.SigningKey, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.StateDir, o.Offline = t.TempDir(), true
	if _, err := nix.Open(t.Context(), o); err == nil || hint(err) == "" {
		t.Errorf("a file that is no key: %v", err)
	}
}
