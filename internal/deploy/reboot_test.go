package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hop3/internal/service"
	"hop3/internal/state"
	"hop3/procman/sandbox"
)

// TestBoot_AfterAReboot makes all that a restart of the machine does to an app: its processes and shims are gone with their
// cgroups, and the kernel says another boot id, under which the old pids mean nothing. The site has neither nix nor a network:
// the app starts from its store paths, and whoever asks meanwhile is answered. The service that it uses is there before it.
func TestBoot_AfterAReboot(t *testing.T) {
	if os.Getuid() != 0 && sandbox.Support().Isolation == "none" {
		t.Skip(noIsolation)
	}
	pl := newPlot(t, 2*len(faults))
	pl.ports.To += 80 // those of connections that ended rest for a minute: -count repeats all this
	pl.worker = "worker " + service.SocketDir + "/" + pl.app + "/redis.sock"
	s, booted, err := pl.open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	booted()
	if err := errors.Join(s.create(), s.serve(t.Context(), pl.app), s.push(t.Context(), 1)); err != nil {
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
	reboot(t, s.p.runDir(state.ServiceApp(s.app)))
	s.until(t, func() string {
		return strings.Join(append(processes(t, s.app), processes(t, state.ServiceApp(s.app))...), ", ")
	})

	s, booted, err = pl.open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.closed(t)
	s.answers(t, 1)
	booted()
	s.whole(t, 1)
	for _, i := range s.p.Supervisor.Instances(s.app) {
		if i.Restarts > 0 {
			t.Errorf("%s was started before the service that it uses", i.Name)
		}
	}
	if err := s.push(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	s.whole(t, 2)
}

// TestBoot_AsAUser is the same where the server is not root: apps and services have its user id on the machine, and find each
// other all the same.
func TestBoot_AsAUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this is no root: TestBoot_AfterAReboot is this test")
	}
	dir, err := os.MkdirTemp("", "hu")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"test": self, "app": testApp, "program": testInit} {
		b, err := os.ReadFile(from)
		if err := errors.Join(err, os.WriteFile(filepath.Join(dir, name), b, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	home := filepath.Join(dir, "home")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(home, 0o700), os.Chown(home, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "test"), "-test.run=^TestBoot_AfterAReboot$", "-test.v")
	cmd.Dir, cmd.Env = home, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, programsEnv + "=" + dir, "GORACE=atexit_sleep_ms=0"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS")) && !bytes.Contains(out, []byte(noIsolation)) {
		t.Errorf("%v\n%s", err, out)
	}
}

// noIsolation is why a machine cannot run the test as a user.
const noIsolation = "users may not make namespaces here"

// serve makes a service of the test's own program and attaches it to the app.
func (s *site) serve(ctx context.Context, name string) error {
	svc, err := s.p.Store.CreateService(name, "ann", state.Service{Kind: "redis"}, time.Now())
	if err != nil {
		return err
	}
	talk := NewTalk(io.Discard)
	leave, err := s.p.enter(ctx, talk, svc.Name, &ticket{who: "ann", what: "services:create"})
	if err != nil {
		return err
	}
	defer leave()
	if svc, err = s.p.givePort(svc); err != nil {
		return err
	}
	kind, err := kindOf(svc)
	if err != nil {
		return err
	}
	store := filepath.Join(s.dir, "store")
	rel := state.Release{
		By: "ann", Change: "service", StorePath: store, Closure: []string{store}, Formation: map[string]int{"redis": 1},
		Processes: []state.Process{{Type: "redis", Command: "app redis", StopTimeout: time.Minute, Exclusive: true}},
		Health:    state.Health{Interval: 20 * time.Millisecond}, Watch: -1, StartTimeout: time.Minute,
	}
	if _, err := s.p.activate(ctx, talk, activation{app: svc.Name, release: rel, config: kind.Settings(name, "secret", svc.Service.Port), trusted: true}); err != nil {
		return err
	}
	_, err = s.p.Store.Update(s.app, func(a *state.App) error {
		a.Attached = []state.Attachment{{Service: name, Variable: kind.Variable, User: "u"}}
		return nil
	})
	return err
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
