package shim_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hop3/procman/sandbox"
	"hop3/procman/shim"
)

func cgroupName(t *testing.T) string {
	return fmt.Sprintf("hop3/test-%d/%s", os.Getpid(), t.Name())
}

func noCgroup(t *testing.T, name string) {
	t.Helper()
	out, err := exec.Command("find", "/sys/fs/cgroup", "-path", "*/"+name).Output()
	if err != nil || len(out) > 0 {
		t.Errorf("left behind: %s%v", out, err)
	}
}

func TestStop_Polite(t *testing.T) {
	s := spec(t, "trap")
	i := start(t, s)
	await(t, s.LogPath, "ready")
	if err := i.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	await(t, s.LogPath, "got user defined signal 1")
	if err := i.Stop(t.Context(), syscall.SIGTERM, time.Minute); err != nil {
		t.Fatal(err)
	}
	if st := i.Exit(); st.Code != 7 || st.Signal != "" {
		t.Errorf("exit = %+v", st)
	}
	if got := text(records(t, s.LogPath), shim.Stdout); got != "ready\ngot user defined signal 1\ngot terminated\n" {
		t.Errorf("log = %q", got)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "ctl")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

func TestStop_DeafIsKilled(t *testing.T) {
	s := spec(t, "deaf")
	i := start(t, s)
	await(t, s.LogPath, "deaf")
	if err := i.Stop(t.Context(), syscall.SIGTERM, 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if st := i.Exit(); st.Code != 137 || st.Signal != "SIGKILL" || st.OOM {
		t.Errorf("exit = %+v", st)
	}
}

func TestStop_ContextCutsGrace(t *testing.T) {
	s := spec(t, "deaf")
	i := start(t, s)
	await(t, s.LogPath, "deaf")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.Stop(ctx, syscall.SIGTERM, time.Hour); err != nil {
		t.Fatal(err)
	}
	if st := i.Exit(); st.Signal != "SIGKILL" {
		t.Errorf("exit = %+v", st)
	}
}

func TestStop_NoOrphans(t *testing.T) {
	mark := fmt.Sprintf("orphan-of-shim-test-%d", os.Getpid())
	for _, how := range []string{"stay", "leave"} {
		s := spec(t, "orphan", how, mark)
		i := start(t, s)
		if how == "stay" {
			await(t, s.LogPath, "orphaned")
			if out, err := exec.Command("pgrep", "-fc", "sleep "+mark).Output(); strings.TrimSpace(string(out)) != "3" {
				t.Errorf("%s sessions escaped before the stop, want 3 (%v)", out, err)
			}
			if err := i.Stop(t.Context(), syscall.SIGTERM, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		<-i.Done()
		if out, err := exec.Command("pgrep", "-f", "sleep "+mark).Output(); err == nil {
			t.Errorf("%s: still alive: %s", how, out)
		}
	}
}

// A shim that is stuck is ended from outside.
func TestStop_StuckShim(t *testing.T) {
	s := spec(t, "sleep")
	i := start(t, s)
	if err := syscall.Kill(i.Identity().Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := i.Kill(); err != nil { // whether or not it still got the order
		t.Fatal(err)
	}
	<-i.Done()
	if st := i.Exit(); st.Signal != "SIGKILL" || alive(i.Pid()) {
		t.Errorf("exit = %+v", st)
	}
}

func TestStart_Errors(t *testing.T) {
	s := spec(t)
	for want, argv := range map[string][]string{
		"exec /app/server: no such file or directory": {"/app/server"},
		"exec node: command not found in PATH":        {"node"},
	} {
		s.Sandbox.Argv, s.Sandbox.Cgroup, s.Sandbox.Limits = argv, cgroupName(t), sandbox.Limits{Pids: 50}
		_, err := shim.Start(t.Context(), sandbox.Executable(), s)
		if err == nil || err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: %v", argv, err)
		}
		noCgroup(t, s.Sandbox.Cgroup)
	}
	left, err := os.ReadDir(s.Dir)
	if err != nil || len(left) != 1 || left[0].Name() != "shim.log" {
		t.Errorf("left behind: %v %v", left, err)
	}
	if out, err := os.ReadFile(filepath.Join(s.Dir, "shim.log")); err != nil || strings.Contains(string(out), "hunter2") {
		t.Errorf("shim.log: %s %v", out, err)
	}
}

func TestStart_DirectoryInUse(t *testing.T) {
	s := spec(t, "sleep")
	i := start(t, s)
	if _, err := shim.Start(t.Context(), sandbox.Executable(), s); err == nil || !strings.Contains(err.Error(), "one is running") {
		t.Errorf("a second instance in the same directory: %v", err)
	}
	if !alive(i.Pid()) {
		t.Error("the first did not survive")
	}
	if err := i.Kill(); err != nil {
		t.Fatal(err)
	}
	<-i.Done()
	again := start(t, s)
	if again.Identity() == i.Identity() {
		t.Error("the same identity twice")
	}
}

func TestStart_LongPath(t *testing.T) {
	s := spec(t, "trap")
	s.Dir = filepath.Join(s.Dir, strings.Repeat("long-", 40), strings.Repeat("path-", 40))
	i := start(t, s)
	if err := i.Stop(t.Context(), syscall.SIGKILL, time.Minute); err != nil {
		t.Fatal(err)
	}
}

func TestStart_Cancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("superseded"))
	s := spec(t, "sleep")
	if _, err := shim.Start(ctx, sandbox.Executable(), s); err == nil || !strings.Contains(err.Error(), "superseded") {
		t.Errorf("start: %v", err)
	}
}

func TestStart_Many(t *testing.T) {
	var wg sync.WaitGroup
	for n := range 20 {
		s := spec(t, "count", "5", "1", fmt.Sprint(n))
		s.Sandbox.Cgroup, s.Sandbox.Limits = fmt.Sprintf("%s-%d", cgroupName(t), n), sandbox.Limits{MemoryBytes: 32 << 20, Pids: 40}
		wg.Go(func() {
			i, err := shim.Start(t.Context(), sandbox.Executable(), s)
			if err != nil {
				t.Error(err)
				return
			}
			<-i.Done()
			if st := i.Exit(); st.Code != n {
				t.Errorf("%d ended with %v", n, st)
			}
			if got := text(records(t, s.LogPath), shim.Stdout); got != "line 0\nline 1\nline 2\nline 3\nline 4\n" {
				t.Errorf("%d logged %q", n, got)
			}
		})
	}
	wg.Wait()
	noCgroup(t, "hop3/test-"+fmt.Sprint(os.Getpid()))
}

func TestExit_OutOfMemory(t *testing.T) {
	if os.Geteuid() != 0 || !sandbox.Support().Memory {
		t.Skip("needs root and a memory cgroup")
	}
	s := spec(t, "eat", "300")
	s.Sandbox.Cgroup, s.Sandbox.Limits = cgroupName(t), sandbox.Limits{MemoryBytes: 64 << 20}
	i := start(t, s)
	<-i.Done()
	if st := i.Exit(); !st.OOM || st.Code != 137 {
		t.Errorf("exit = %+v", st)
	}
	noCgroup(t, s.Sandbox.Cgroup)
}

// The limit of processes is the app's: its shim lives on to tell.
func TestExit_ForkBomb(t *testing.T) {
	if os.Geteuid() != 0 || !sandbox.Support().Pids {
		t.Skip("needs root and a pids cgroup")
	}
	s := spec(t, "bomb")
	s.Sandbox.Cgroup, s.Sandbox.Limits = cgroupName(t), sandbox.Limits{Pids: 60}
	i := start(t, s)
	await(t, s.LogPath, "bombing")
	if err := i.Stop(t.Context(), syscall.SIGTERM, 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if st := i.Exit(); st.At.IsZero() {
		t.Errorf("exit = %+v", st)
	}
	noCgroup(t, s.Sandbox.Cgroup)
}

func TestClose_LetsItLive(t *testing.T) {
	s := spec(t, "sleep")
	i, err := shim.Start(t.Context(), sandbox.Executable(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	b := adopt(t, s.Dir, i.Identity())
	if !alive(b.Pid()) {
		t.Error("it did not survive")
	}
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	<-b.Done()
	var ws syscall.WaitStatus
	_, _ = syscall.Wait4(i.Identity().Pid, &ws, 0, nil) // our child, whom Close stopped watching
}
