package nixtmpl

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReal_NixRun runs apps by nix alone: the flake needs nothing of hop3.
func TestReal_NixRun(t *testing.T) {
	for _, example := range []string{"python-flask", "static"} {
		t.Run(example, func(t *testing.T) {
			a := newRig(t).example(t, example)
			b, _ := a.build(t)
			src := a.source(t)
			if err := os.WriteFile(filepath.Join(src, "flake.nix"), b.Flake, 0o644); err != nil {
				t.Fatal(err)
			}
			port := freePort(t)
			cmd := exec.Command("nix", "run", "--offline", "--no-write-lock-file", "--override-input", "nixpkgs", a.rig.Set.FlakeRef(), "path:"+src)
			conf := "experimental-features = nix-command flakes\nsandbox = true\nsandbox-fallback = false\nsubstituters =\n"
			if os.Getuid() == 0 {
				conf += "build-users-group = nixbld\n"
			}
			cmd.Env = append(os.Environ(), "NIX_CONF_DIR=/nonexistent", "NIX_CONFIG="+conf, "HOST=127.0.0.1", "PORT="+port)
			if got := answer(t, cmd, port); !strings.Contains(got, "version 1") {
				t.Errorf("answers %q", got)
			}
		})
	}
}
