package foreman

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func shell(name, script string) Process {
	return Process{Name: name, Argv: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin", "WHO=" + name}}
}

// buffer may be read while it is written.
type buffer struct {
	mu    sync.Mutex
	text  strings.Builder
	wrote chan struct{}
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.wrote <- struct{}{}:
	default:
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestRun_PrefixesLinesAndEndsAllWithTheFirst(t *testing.T) {
	dir := t.TempDir()
	out := &buffer{}
	err := Run(t.Context(), []Process{
		shell("web.1", `trap 'echo stopping; exit 0' TERM; echo "hello from $WHO"; echo oops >&2; touch `+dir+`/up; while :; do sleep 0.01; done`),
		shell("clock.1", `while [ ! -e `+dir+`/up ]; do sleep 0.01; done; printf 'no newline'; exit 3`),
	}, out, false)
	exit, ok := errors.AsType[*ExitError](err)
	if !ok || exit.Name != "clock.1" || exit.Code != 3 {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"web.1   | hello from web.1\n", "web.1   | oops\n", "clock.1 | no newline\n", "clock.1 | ended with exit status 3\n", "web.1   | stopping\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestRun_EndsWithTheContext stops a program and what it has started.
func TestRun_EndsWithTheContext(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	out := &buffer{wrote: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, []Process{shell("web.1", `(sleep 1000 & echo $! > `+file+`); echo up; sleep 1000`)}, out, true)
	}()
	<-out.wrote
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(out.String(), "\x1b[36mweb.1 | \x1b[0mup\n") {
		t.Errorf("%q", out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil && !zombie(pid); {
		if time.Now().After(late) {
			t.Fatalf("process %d is left", pid)
		}
	}
}

func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

func TestRun_TellsWhatCannotBeStarted(t *testing.T) {
	err := Run(t.Context(), []Process{shell("web.1", "sleep 1000"), {Name: "worker.1", Argv: []string{"/nothing/there"}}}, &buffer{}, false)
	if err == nil || !strings.HasPrefix(err.Error(), "start worker.1: ") {
		t.Error(err)
	}
}
