package nix_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"hop3/nixtmpl/nix"
)

// A push that changes nothing: all of it is in the store.
func BenchmarkBuild_NoOp(b *testing.B) {
	w := newWorld(b)
	dir := w.flake(`
    deps = run "deps" [ "write" "deps" ];
    default = more { inherit deps; } "app" [ "append" "deps" ];`)
	request := nix.BuildRequest{Flake: dir, Layers: []string{"deps"}, RootDir: b.TempDir()}
	w.mustBuild(request)
	for b.Loop() {
		w.mustBuild(request)
	}
}

// A push that changes one line: one derivation is built.
func BenchmarkBuild_OneLineChange(b *testing.B) {
	w := newWorld(b)
	dir := w.flake(`
    deps = run "deps" [ "write" "deps" ];
    default = more { inherit deps; src = ./app; } "app" [ "append" "deps" ];`)
	request := nix.BuildRequest{Flake: dir, Layers: []string{"deps"}, RootDir: b.TempDir()}
	n := 0
	for b.Loop() {
		n++
		if err := os.WriteFile(filepath.Join(dir, "app"), fmt.Append(nil, w.token, n), 0o644); err != nil {
			b.Fatal(err)
		}
		w.mustBuild(request)
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		if _, err := nix.Open(b.Context(), nix.Options{StateDir: dir, Offline: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProbe(b *testing.B) {
	w := newWorld(b)
	exe, err := builderBinary()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := w.Probe(b.Context(), exe, "look", "around"); err != nil {
			b.Fatal(err)
		}
	}
}
