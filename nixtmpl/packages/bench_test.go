package packages

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

// chrootStore is a store of its own below a folder, empty at first.
type chrootStore struct{ root string }

func (c chrootStore) args(args ...string) []string {
	return append([]string{"--store", c.root}, args...)
}

func (c chrootStore) AddFixed(ctx context.Context, algo string, recursive bool, files ...string) ([]string, error) {
	args := []string{"--add-fixed"}
	if recursive {
		args = append(args, "--recursive")
	}
	out, err := run(ctx, "nix-store", c.args(append(append(args, algo), files...)...)...)
	return strings.Fields(out), err
}

func (c chrootStore) KeepOnly(context.Context, string, []string) error { return nil }

func (c chrootStore) Valid(ctx context.Context, paths ...string) (map[string]bool, error) {
	out, err := run(ctx, "nix-store", c.args(append([]string{"--check-validity", "--print-invalid"}, paths...)...)...)
	valid := map[string]bool{}
	for _, p := range paths {
		valid[p] = true
	}
	for _, p := range strings.Fields(out) {
		valid[p] = false
	}
	return valid, err
}

var toolchains = []struct {
	name string
	need Need
	expr string
}{
	{"static", Need{Stack: "static"}, `[ stdenvNoCC.initialPath busybox ]`},
	{"go", Need{Stack: "go", Go: "1.26"}, `[ stdenvNoCC.initialPath cacert gitMinimal go_1_26 ]`},
	{"node", Need{Stack: "node", Node: "22"}, `[ stdenvNoCC.initialPath cacert nodejs_22 ]`},
	{"python", Need{Stack: "python"}, `[ stdenvNoCC.initialPath cacert (python3.withPackages (ps: [ ps.flask ps.gunicorn ])) ]`},
	{"node-native", Need{Stack: "node", Node: "22", Native: true}, `[ stdenv.initialPath stdenv.cc cacert nodejs_22 nodejs_22.dev python3 ]`},
}

// BenchmarkToolchain measures what a first push of a stack waits for, from an
// empty store (cold), and what every later one does (warm).
func BenchmarkToolchain(b *testing.B) {
	for _, c := range toolchains {
		b.Run(c.name+"/cold", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				root, err := os.MkdirTemp("", "hop3-cold-*")
				if err != nil {
					b.Fatal(err)
				}
				s, err := Open(b.TempDir(), chrootStore{root}, Options{})
				if err != nil {
					b.Fatal(err)
				}
				size, err := s.Size(c.need)
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if err := s.Prefetch(b.Context(), nil, c.need); err != nil {
					b.Fatal(err)
				}
				fetched := b.Elapsed()
				expr := fmt.Sprintf(`with (builtins.getFlake %q).legacyPackages.x86_64-linux; builtins.concatLists (map (x: if builtins.isList x then x else [ x ]) %s)`, s.FlakeRef(), c.expr)
				if _, err := run(b.Context(), "nix-build", "--store", root, "--no-out-link", "--option", "sandbox-paths", "", "-E", expr); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				b.ReportMetric(float64(size)/1e6, "MB-fetched")
				b.ReportMetric(fetched.Seconds(), "s-fetch")
				if _, err := run(b.Context(), "chmod", "-R", "u+w", root); err != nil {
					b.Fatal(err)
				}
				if err := os.RemoveAll(root); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
		b.Run(c.name+"/warm", func(b *testing.B) {
			s, err := Open(b.TempDir(), execStore{}, Options{})
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Prefetch(b.Context(), nil, c.need); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := s.Prefetch(b.Context(), nil, c.need); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
