package receive_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hop3/receive"
)

// The disk becomes full at each step of a push: the quarantine, the pack, the index, the ref. The push is rejected and says
// why, and neither a ref nor a quarantine is there; with enough room it succeeds.
func TestPush_FullDisk(t *testing.T) {
	const page = 4096
	h := newHost(t)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); errors.Is(err, syscall.EPERM) {
		t.Skip("a small disk takes root")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	var err error
	if h.repo, err = receive.Init(filepath.Join(disk, "app.git")); err != nil {
		t.Fatal(err)
	}
	deployed := false
	h.deploy = func(_ context.Context, p *receive.Push) error {
		deployed = true
		return p.Move()
	}
	c, objs := app(treeEntry{"100644", "f", obj{kind: 3, data: randomText(4 * page)}})
	send := commands(wireCaps, create(c.id())) + string(pack(objs...))
	ballast := filepath.Join(disk, "ballast")
	for pages := 0; h.refs()[mainRef] == ""; pages++ {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(disk, &fs); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(ballast, make([]byte, (int(fs.Bfree)-pages)*page), 0o600); err != nil {
			t.Fatal(err)
		}
		deployed = false
		a := raw(t, h, send, true)
		told, moved := a.progress+strings.Join(a.report, "; "), h.refs()[mainRef] != ""
		if strings.Contains(told, "ok "+mainRef) != moved || pages < 4 && (moved || deployed) {
			t.Errorf("%d pages free: moved %t, deployed %t, told %s", pages, moved, deployed, told)
		}
		if !moved && !deployed && !strings.Contains(told, "push rejected: the server's disk is full\n       an operator must free space") {
			t.Errorf("%d pages free: told %s", pages, told)
		}
		if strings.Contains(told, disk) {
			t.Errorf("%d pages free: a folder of the server's is told: %s", pages, told)
		}
		if left, err := filepath.Glob(filepath.Join(h.repo.Dir(), "incoming-*")); err != nil || left != nil {
			t.Errorf("%d pages free: left %v (%v)", pages, left, err)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		if pages > 100 {
			t.Fatal("the push never has enough")
		}
	}
	h.wantRef(mainRef, c.id())
	h.fsck()
}
