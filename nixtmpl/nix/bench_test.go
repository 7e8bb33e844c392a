package nix_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"hop3/nixtmpl/nix"
)

// reportCPU adds the processor time of nix, which tells more than the time of
// day does on a busy machine.
func reportCPU(b *testing.B) {
	var before syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &before); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		var after syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &after); err != nil {
			b.Fatal(err)
		}
		spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
		b.ReportMetric(float64(spent)/float64(b.N)/1e6, "cpu-ms/op")
	})
}

// A push that changes nothing: all of it is in the store.
func BenchmarkBuild_NoOp(b *testing.B) {
	w := newWorld(b)
	dir := w.flake(`
    deps = run "deps" [ "write" "deps" ];
    default = more { inherit deps; } "app" [ "append" "deps" ];`)
	request := nix.BuildRequest{Flake: dir, Layers: []string{"deps"}, RootDir: b.TempDir()}
	w.mustBuild(request)
	reportCPU(b)
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
	reportCPU(b)
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
	reportCPU(b)
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
	reportCPU(b)
	for b.Loop() {
		if _, err := w.Probe(b.Context(), exe, "look", "around"); err != nil {
			b.Fatal(err)
		}
	}
}
