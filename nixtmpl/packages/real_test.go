package packages

import (
	"os"
	"strings"
	"testing"
)

func TestReal_Base(t *testing.T) {
	s := openReal(t)
	prefetch(t, s, Need{Stack: "static"})
	out := build(t, s, `pkgs.runCommand "hello" { } "echo hello > $out"`)
	if b, err := os.ReadFile(out); err != nil || strings.TrimSpace(string(b)) != "hello" {
		t.Fatalf("got %q, %v", b, err)
	}
}
