package sandbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hop3/procman/sandbox"
)

func TestMounts(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	for _, d := range []string{"volume", "shared"} {
		if err := os.Mkdir(filepath.Join(w.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	volume, shared := filepath.Join(w.dir, "volume"), filepath.Join(w.dir, "shared")
	if err := os.Chown(volume, testUID, testUID); err != nil {
		t.Fatal(err)
	}
	w.spec.Mounts = []sandbox.Mount{
		{From: volume, To: "/app/public/uploads"}, {From: shared, To: "/run/services/db", ReadOnly: true}, {From: w.secret, To: "/run/one-file"},
	}
	if out := w.run(t, "write", "/app/public/uploads/new", "/run/services/db/new"); !strings.Contains(out, "uploads/new: <nil>") || !strings.Contains(out, "read-only") {
		t.Error(out)
	}
	if out := w.run(t, "read", "/app/public/uploads/new", "/run/one-file"); out != "/app/public/uploads/new: written\n/run/one-file: host secret\n" {
		t.Error(out)
	}
	if b, err := os.ReadFile(filepath.Join(volume, "new")); string(b) != "written" {
		t.Errorf("on the host: %q %v", b, err)
	}
}

// A pushed tree may have a link where a mount is to go.
func TestEscape_MountThroughLink(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	for _, to := range []string{w.otherData, "/etc", "../../../../proc/sys"} {
		link := filepath.Join(w.spec.AppDir, "uploads")
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{"/app/uploads", "/app/uploads/deeper"} {
			w.spec.Mounts = []sandbox.Mount{{From: filepath.Join(w.dir, "data"), To: at}}
			if _, err := sandbox.Run(t.Context(), sandbox.Executable(), w.spec, sandbox.Stdio{}); err == nil {
				t.Errorf("mounted at %s over a link to %s", at, to)
			}
		}
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(w.otherData, "deeper")); err == nil {
		t.Error("a directory was made on the host")
	}
	for _, to := range []string{"/etc/ssl", "/proc/1", "/nix/store/x", "/", "app", "/app/../etc", "/bin"} {
		w.spec.Mounts = []sandbox.Mount{{From: w.dir, To: to}}
		if w.spec.Validate(true) == nil {
			t.Errorf("a mount at %s is accepted", to)
		}
	}
}
