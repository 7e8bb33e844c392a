package nix

import (
	"os"
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
