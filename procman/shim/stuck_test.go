package shim_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hop3/procman/shim"
)

func TestAdopt_StuckShimIsEnded(t *testing.T) {
	t.Parallel()
	s := spec(t, "trap")
	ids := killedServer(t, s)
	await(t, s.LogPath, "ready")
	if err := syscall.Kill(ids[0].ID.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	awaitStopped(t, ids[0].ID.Pid)
	if _, err := shim.Adopt(s.Dir, ids[0].ID); !errors.Is(err, shim.ErrGone) {
		t.Errorf("adopt: %v", err)
	}
	if alive(ids[0].Pid) {
		t.Error("the app goes on with nobody to look after it")
	}
}

// awaitStopped returns once a signal that was sent has stopped each thread of a process.
func awaitStopped(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(2 * time.Millisecond); ; <-tick.C {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil || len(tasks) == 0 {
			t.Fatalf("threads of %d: %v", pid, err)
		}
		if !slices.ContainsFunc(tasks, func(path string) bool {
			b, err := os.ReadFile(path) // PID (NAME) STATE …
			_, state, _ := strings.Cut(string(b), ") ")
			return err == nil && !strings.HasPrefix(state, "T")
		}) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not stop", pid)
		}
	}
}
