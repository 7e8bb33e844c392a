package nixtmpl

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCargoIndex(t *testing.T) {
	const mirror = "[source.crates-io]\nreplace-with = \"m\"\n[source.m]\nregistry = \"sparse+http://crates.invalid/index\"\n"
	for text, want := range map[string]string{
		mirror: "sparse+http://crates.invalid/index/", "": "", "[": "", "[source.crates-io]\nreplace-with = \"m\"\n[source.m]\ndirectory = \"x\"\n": "",
	} {
		home := t.TempDir()
		if err := os.MkdirAll(filepath.Join(home, ".cargo"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, ".cargo/config.toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := cargoIndex([]string{"HOME=" + home}); got != want {
			t.Errorf("%q gave %q", text, got)
		}
	}
	if got := cargoIndex(nil); got != "" {
		t.Errorf("no home gave %q", got)
	}
}
