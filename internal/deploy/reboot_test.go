package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBoot_AfterAReboot makes all that a restart of the machine does to an app: its processes and shims are gone with their
// cgroups, and the kernel says another boot id, under which the old pids mean nothing. The site has neither nix nor a network:
// the app starts from its store paths, and whoever asks meanwhile is answered.
func TestBoot_AfterAReboot(t *testing.T) {
	pl := newPlot(t, 2*len(faults))
	s, booted, err := pl.open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	booted()
	if err := errors.Join(s.create(), s.push(t.Context(), 1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s.p.Close()
	run := s.p.runDir(s.app)
	if err := errors.Join(s.p.Supervisor.Close(ctx, false), s.p.Router.Shutdown(ctx), <-s.served, s.p.Store.Close()); err != nil {
		t.Fatal(err)
	}
	reboot(t, run)
	s.until(t, func() string { return strings.Join(processes(t, s.app), ", ") })

	s, booted, err = pl.open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.closed(t)
	s.answers(t, 1)
	booted()
	s.whole(t, 1)
	if err := s.push(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	s.whole(t, 2)
}

// reboot ends every instance whose folder is in run, as a restart of the machine would.
func reboot(t *testing.T, run string) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(run, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if d.Name() == "instance.json" {
			var card struct {
				Identity struct{ Pid int }
			}
			if err := json.Unmarshal(b, &card); err != nil {
				return err
			}
			if err := syscall.Kill(card.Identity.Pid, syscall.SIGKILL); err != nil {
				return err
			}
		}
		was := bytes.TrimSpace(id)
		return os.WriteFile(path, bytes.ReplaceAll(b, was, bytes.Repeat([]byte("0"), len(was))), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}
