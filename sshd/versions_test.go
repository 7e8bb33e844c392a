package sshd

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/mod/semver"
)

// Below these versions are known holes, one of them a crash of the server
// before authentication (CVE-2026-46597).
func TestVersions_HaveNoKnownHoles(t *testing.T) {
	for path, floor := range map[string]string{
		"golang.org/x/crypto":       "v0.55.0",
		"github.com/gliderlabs/ssh": "v0.3.8",
	} {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", path).Output()
		if err != nil {
			t.Fatalf("go list -m %s: %v", path, err)
		}
		if got := strings.TrimSpace(string(out)); semver.Compare(got, floor) < 0 {
			t.Errorf("%s is %s, %s is the least", path, got, floor)
		}
	}
}
