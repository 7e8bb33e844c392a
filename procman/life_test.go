package procman

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCrash_IsRestartedAndRoutedAgain(t *testing.T) {
	w := newWorld(t)
	w.swap(w.release("web: web"), SwapOptions{})
	before := w.pids()["web.1"]
	fetch(t.Context(), w.url+"/crash") //nolint:errcheck // the process dies over it
	w.until("the restart", func(all []Instance) bool {
		return len(all) == 1 && all[0].State == Ready && all[0].Pid != before
	})
	i := w.sup.Instances("blog")[0]
	if i.Restarts != 1 {
		t.Errorf("%+v", i)
	}
	if code, _ := w.get("/"); code != 200 {
		t.Errorf("status %d", code)
	}
}

func TestCrash_TakesTheInstanceOutOfTheRoute(t *testing.T) {
	w := newWorld(t)
	r := w.release("web: web")
	r.Formation["web"] = 2
	r.Processes[0].RestartLimit = 1
	w.swap(r, SwapOptions{})
	one := w.pids()["web.1"]
	if err := syscall.Kill(one, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.until("the crash", func(all []Instance) bool { return all[0].State == Crashed })
	for range 20 {
		if code, body := w.get("/"); code != 200 || body != "v1 web.2" {
			t.Fatalf("%d %q", code, body)
		}
	}
	if i := w.sup.Instances("blog")[0]; i.Exit == nil || i.Exit.Signal != "SIGKILL" || i.Pid != 0 {
		t.Errorf("%+v", i)
	}
	r.Number = 2 // a new release tries again
	w.swap(r, SwapOptions{Wait: true})
	if i := w.sup.Instances("blog")[0]; i.State != Ready || i.Name != "web.1" {
		t.Errorf("%+v", i)
	}
}

func TestCrash_LoopIsShownAsCrashed(t *testing.T) {
	w := newWorld(t)
	r := w.release("web: web", "worker: worker")
	r.Processes[1].RestartLimit = 3
	w.swap(r, SwapOptions{})
	kill := func() {
		for _, i := range w.sup.Instances("blog") {
			if i.Type == "worker" && i.Pid != 0 && i.State == Ready {
				syscall.Kill(i.Pid, syscall.SIGKILL) //nolint:errcheck // it may just have ended
			}
		}
	}
	w.until("three crashes", func(all []Instance) bool {
		kill()
		return len(all) == 2 && all[1].State == Crashed
	})
	if i := w.sup.Instances("blog")[1]; i.Restarts != 2 {
		t.Errorf("%+v", i)
	}
	if got := w.sup.Instances("blog")[0]; got.State != Ready || got.Restarts != 0 {
		t.Errorf("web: %+v", got)
	}
}

func TestExclusive_NeverRunsTwiceAtOnce(t *testing.T) {
	w := newWorld(t)
	exclusive := func(processes ...string) Release {
		r := w.release(processes...)
		for n := range r.Processes {
			r.Processes[n].Exclusive = strings.Contains(r.Processes[n].Command, "alone")
		}
		return r
	}
	w.swap(exclusive("web: web", "clock: alone"), SwapOptions{})
	before := w.pids()
	var out output
	w.swap(exclusive("web: web", "clock: alone"), SwapOptions{Progress: &out}) // its lock shows that the old one is gone
	if after := w.pids(); after["clock.1"] == before["clock.1"] || alive(before["clock.1"]) {
		t.Errorf("pids %v, then %v", before, after)
	}
	if !strings.Contains(out.String(), "clock.1 stopped\n") {
		t.Errorf("progress %q", out.String())
	}
	before = w.pids()
	bad := exclusive("web: web", "clock: alone")
	bad.AppEnv["FAIL"] = "1"
	_, err := w.sup.Swap(t.Context(), bad, SwapOptions{})
	if e, ok := errors.AsType[*StartError](err); !ok || e.Process != "clock.1" {
		t.Fatalf("%v", err)
	}
	w.until("the old one to be back", func(all []Instance) bool {
		return len(all) == 2 && all[1].Type == "clock" && all[1].State == Ready && all[1].Release == 2
	})
	if after := w.pids(); after["web.1"] != before["web.1"] {
		t.Errorf("web was touched: %v, then %v", before, after)
	}
}

func TestExclusive_WebHoldsItsRequests(t *testing.T) {
	w := newWorld(t)
	release := func() Release {
		r := w.release("web: aloneweb")
		r.Processes[0].Exclusive = true
		return r
	}
	w.swap(release(), SwapOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan int, 1)
	bad := make(chan string, 1)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			if code, body, err := fetch(t.Context(), w.url+"/"); err != nil || code != 200 {
				select {
				case bad <- body:
				default:
				}
			}
		}
		asked <- n
	}()
	for range 5 {
		w.swap(release(), SwapOptions{})
	}
	cancel()
	if n := <-asked; n == 0 {
		t.Error("nothing was asked")
	}
	select {
	case text := <-bad:
		t.Errorf("a request failed: %s", text)
	default:
	}
}

func TestRun_PassesTheExitCodeAndTheOutput(t *testing.T) {
	w := newWorld(t)
	r := w.release("web: web")
	if err := os.MkdirAll(r.DataDir, 0o777); err != nil {
		t.Fatal(err)
	}
	r.AppEnv["SECRET"] = "hunter2"
	var out, errs bytes.Buffer
	code, err := w.sup.Run(t.Context(), r, RunSpec{Type: "release", Shell: "app exit 3", Out: &out, Err: &errs})
	if err != nil || code != 3 || out.String() != "about to exit\n" || errs.String() != "with an error\n" {
		t.Errorf("%d %v %q %q", code, err, out.String(), errs.String())
	}
	out.Reset()
	if err := w.sup.Logs(t.Context(), r.LogDir, LogQuery{Type: "release", Release: r.Number}, &out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "app[release]: about to exit\n") || !strings.Contains(text, "app[release]: with an error\n") {
		t.Errorf("the release's log holds %q", text)
	}
	out.Reset()
	code, err = w.sup.Run(t.Context(), r, RunSpec{Argv: []string{"app", "args", "$HOME", "a b", "*"}, Out: &out})
	if err != nil || code != 0 || out.String() != `["$HOME" "a b" "*"]`+"\n" {
		t.Errorf("%d %v %q", code, err, out.String())
	}
	out.Reset()
	code, err = w.sup.Run(t.Context(), r, RunSpec{Argv: []string{"app", "env"}, Env: []string{"MORE=1"}, Out: &out})
	if err != nil || code != 0 {
		t.Fatalf("%d %v", code, err)
	}
	for _, want := range []string{"MORE=1", "SECRET=hunter2", "HOP3_APP=blog", "PS=run.", "DATA_DIR="} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\nPORT=") {
		t.Error("a one-off process has a port")
	}
	for _, argv := range [][]string{nil, {"nothing-here"}} {
		_, err := w.sup.Run(t.Context(), r, RunSpec{Argv: argv})
		if c, ok := errors.AsType[*CommandError](err); !ok || c.Hint() == "" {
			t.Errorf("%q: %v", argv, err)
		}
	}
}

func TestFlood_DoesNotKeepAnAppFromGoingLive(t *testing.T) {
	w := newWorld(t)
	w.swap(w.release("web: flood 100000"), SwapOptions{})
	if code, _ := w.get("/"); code != 200 {
		t.Errorf("status %d", code)
	}
	var out bytes.Buffer
	if err := w.sup.Logs(t.Context(), filepath.Join(w.dir, "logs"), LogQuery{Lines: 5, Type: "web"}, &out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 5 {
		t.Errorf("%d lines: %s", n, out.String())
	}
}

func TestLogs_OfRealProcessesAreFollowed(t *testing.T) {
	w := newWorld(t)
	r := w.release("web: web", "worker: worker")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out output
	done := make(chan error, 1)
	go func() { done <- w.sup.Logs(ctx, r.LogDir, LogQuery{Follow: true, Type: "worker"}, &out) }()
	w.swap(r, SwapOptions{})
	r.Number = 2
	w.swap(r, SwapOptions{Restart: []string{"worker.1"}, Wait: true})
	w.until("its lines", func([]Instance) bool {
		return strings.Contains(out.String(), "app[worker.1]: working for release v1\n") &&
			strings.Contains(out.String(), "app[worker.1]: done\n") &&
			strings.Contains(out.String(), "app[worker.1]: working for release v2\n")
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStop_ForgetsTheApp(t *testing.T) {
	w := newWorld(t)
	w.swap(w.release("web: web", "worker: worker"), SwapOptions{})
	pids := w.pids()
	if err := w.sup.Stop(t.Context(), "blog"); err != nil {
		t.Fatal(err)
	}
	for name, pid := range pids {
		if alive(pid) {
			t.Errorf("%s is alive", name)
		}
	}
	if code, _ := w.get("/"); code != 404 || len(w.sup.Instances("blog")) != 0 {
		t.Errorf("status %d, %v", code, w.sup.Instances("blog"))
	}
	w.swap(w.release("web: web"), SwapOptions{})
	if code, _ := w.get("/"); code != 200 {
		t.Errorf("status %d", code)
	}
}

func TestSupervisor_ClosedRefuses(t *testing.T) {
	w := newWorld(t)
	if err := w.sup.Close(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := w.sup.Swap(t.Context(), w.release("web: web"), SwapOptions{}); !errors.Is(err, errClosed) {
		t.Errorf("%v", err)
	}
}
