package nix

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// In a store of its own: the machine's has other people's paths.
func TestGC_NamesWhatItRemoved(t *testing.T) {
	n, err := Open(t.Context(), Options{StateDir: t.TempDir(), Offline: true, Bin: os.Getenv("HOP3_TEST_NIX")})
	if err != nil {
		t.Fatal(err)
	}
	n.env = append(n.env, "NIX_REMOTE="+t.TempDir())
	file := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(file, make([]byte, 5<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	paths, err := n.AddFixed(t.Context(), "sha256", false, file)
	if err != nil {
		t.Fatal(err)
	}
	dry, err := n.GC(t.Context(), 0, true)
	if err != nil || !slices.Equal(dry.Paths, paths) {
		t.Errorf("dry: %+v, %v", dry, err)
	}
	freed, err := n.GC(t.Context(), 1<<30, false)
	if err != nil || !slices.Equal(freed.Paths, paths) || freed.Bytes < 4<<20 || freed.Bytes > 6<<20 {
		t.Errorf("freed: %+v, %v", freed, err)
	}
}

// What a release was built of survives (keep-outputs): its next build needs no network.
func TestGC_KeepsWhatWasNeededToBuild(t *testing.T) {
	n, err := Open(t.Context(), Options{StateDir: t.TempDir(), Offline: true, Bin: os.Getenv("HOP3_TEST_NIX")})
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	n.env = append(n.env, "NIX_REMOTE="+root)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	fetch := func(name, more string) string {
		return fmt.Sprintf(`derivation { name = %[1]q; url = "%[2]s/%[1]s"; builder = "builtin:fetchurl"; system = builtins.currentSystem; outputHashAlgo = "sha256"; outputHash = "%[3]x"; outputHashMode = "flat"; %[4]s }`,
			name, srv.URL, sha256.Sum256([]byte("/"+name)), more)
	}
	build := func(ctx context.Context, expr string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(n.nixStore), "nix-build"), append(args, "-E", expr)...)
		cmd.Env = n.env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
		return string(out)
	}
	app := fetch("app", "tool = "+fetch("tool", "")+";")
	build(t.Context(), app, "-o", filepath.Join(t.TempDir(), "result"))
	build(t.Context(), fetch("other", ""), "--no-out-link")
	srv.Close()
	freed, err := n.GC(t.Context(), 0, false)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(freed.Paths, func(p string) bool { return filepath.Ext(p) == "" && p[len(p)-6:] == "-other" }) {
		t.Errorf("what nobody needs is there still: %q", freed.Paths)
	}
	build(t.Context(), fetch("tool", ""), "--no-out-link")
}
