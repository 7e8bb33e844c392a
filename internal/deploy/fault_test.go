package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hop3/procman"
	"hop3/receive"
)

// victimEnv makes the test binary a server that dies at a step of its second push.
const victimEnv = "HOP3_TEST_VICTIM"

// faults are all steps at which the server is killed. Those that can fail are also made to.
var faults = []struct {
	step procman.Step
	fail bool
	live int // the release that is live after the server's death there
	// again is the step at which the server that finds that dies too: of a start, of an end, or before any of these.
	again procman.Step
}{
	{stepPending, true, 1, stepSettled},
	{stepReleased, true, 1, stepSettled},
	{procman.StepPlanned, true, 1, stepSettled},
	{procman.StepRecorded, true, 1, stepSettled},
	{procman.StepStarted, false, 1, procman.StepStopped},
	{procman.StepAttached, true, 1, procman.StepStopped},
	{procman.StepReady, true, 1, procman.StepStopped},
	{procman.StepPaused, true, 1, procman.StepRecorded},
	{procman.StepExchanged, true, 1, procman.StepStarted},
	{procman.StepClaimed, true, 1, procman.StepAttached},
	{procman.StepCommitted, false, 2, procman.StepStopped},
	{procman.StepInstalled, false, 2, procman.StepStopped},
	{procman.StepDrained, false, 2, procman.StepStopped},
	{procman.StepStopped, false, 2, stepSettled},
	{stepMove, false, 2, stepSettled},
}

// A victimOrder is what the victim is told by its environment.
type victimOrder struct {
	Dir, App, Init, Worker string
	Ports                  procman.PortRange
	Commits                []string
	Step                   procman.Step
	Again                  bool // there are apps: it dies at its own start
}

// victim pushes v1, tells what runs, pushes v2 and dies at the step; a second one dies while it takes over.
func victim() {
	var o victimOrder
	must := func(err error) {
		if err != nil {
			fmt.Println("victim:", err)
			os.Exit(1)
		}
	}
	must(json.Unmarshal([]byte(os.Getenv(victimEnv)), &o))
	var armed atomic.Bool
	armed.Store(o.Again)
	s, booted, err := plot{dir: o.Dir, app: o.App, init: o.Init, worker: o.Worker, ports: o.Ports, commits: o.Commits}.open(context.Background(), func(at procman.Step) error {
		if at == o.Step && armed.Load() {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	})
	must(err)
	booted()
	if o.Again { // steps that follow the boot come now
		select {}
	}
	must(s.create())
	must(s.push(context.Background(), 1))
	b, err := json.Marshal(s.p.Supervisor.Instances(s.app))
	must(err)
	fmt.Println(string(b))
	armed.Store(true)
	must(s.push(context.Background(), 2))
	select {} // steps that follow the swap come now
}

// TestFaults_CrashAtEachStep kills the server at each step of a deploy, and the next one while it puts that right. The third
// must show the old release or the new one, whole, with the branch at it, nothing twice, nothing left over, and take the next
// push.
func TestFaults_CrashAtEachStep(t *testing.T) {
	for n, f := range faults {
		t.Run(string(f.step), func(t *testing.T) {
			t.Parallel()
			pl := newPlot(t, n)
			before := pl.killed(t, f.step)
			pl.kill(t, f.again, true)
			s, booted, err := pl.open(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.closed(t)
			s.answers(t, f.live) // while it starts: requests are held, not refused
			booted()
			s.whole(t, f.live)
			after := s.pids()
			if after["worker.1"] != before["worker.1"] {
				t.Error("the worker, which did not change, was started again")
			}
			if f.live == 1 && after["web.1"] != before["web.1"] {
				t.Errorf("web was %v and is %v: the cut-off deploy touched it", before, after)
			}
			if err := s.push(t.Context(), 3); err != nil {
				t.Fatal("the next push: ", err)
			}
			s.answers(t, 3)
			s.whole(t, 3)
		})
	}
}

// TestFaults_FailureOfEachStep fails each step of a deploy that can fail, under load: no visitor ever sees the new release.
func TestFaults_FailureOfEachStep(t *testing.T) {
	for n, f := range faults {
		if !f.fail {
			continue
		}
		t.Run(string(f.step), func(t *testing.T) {
			t.Parallel()
			var armed atomic.Bool
			boom := errors.New("boom")
			s, booted, err := newPlot(t, len(faults)+n).open(t.Context(), func(at procman.Step) error {
				if at == f.step && armed.CompareAndSwap(true, false) {
					return boom
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.closed(t)
			booted()
			if err := errors.Join(s.create(), s.push(t.Context(), 1)); err != nil {
				t.Fatal(err)
			}
			before := s.pids()
			stop := s.watch(t)
			armed.Store(true)
			if err := s.push(t.Context(), 2); !errors.Is(err, boom) && (err == nil || !strings.Contains(err.Error(), "boom")) {
				t.Errorf("the push said %v", err)
			}
			s.whole(t, 1)
			after := s.pids()
			for _, name := range []string{"web.1", "worker.1"} {
				if before[name] != after[name] {
					t.Errorf("%s was %d and is %d", name, before[name], after[name])
				}
			}
			if seen := stop(); !slices.Equal(seen, []string{"v1"}) {
				t.Errorf("visitors saw %v", seen)
			}
			stop = s.watch(t)
			if err := s.push(t.Context(), 3); err != nil {
				t.Fatal("the next push: ", err)
			}
			s.answers(t, 3)
			if seen := strings.Join(stop(), " "); seen != "v1 v3" && !slices.Contains([]string{"v1", "v3"}, seen) { // it may have been slow
				t.Errorf("visitors saw %v", seen)
			}
			s.whole(t, 3)
		})
	}
}

// killed has a victim die at a step of its push, and returns the pids of what it ran before.
func (pl plot) killed(t *testing.T, step procman.Step) map[string]int {
	t.Helper()
	out := pl.kill(t, step, false)
	var all []procman.Instance
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return pidsOf(all)
}

// kill runs a victim until it dies at the step, and returns what it printed.
func (pl plot) kill(t *testing.T, step procman.Step, again bool) []byte {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	order, err := json.Marshal(victimOrder{pl.dir, pl.app, pl.init, pl.worker, pl.ports, pl.commits, step, again})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), victimEnv+"="+string(order))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL || ctx.Err() != nil {
		t.Fatalf("the victim did not die at %s: %v\n%s%s", step, err, out, &said)
	}
	return out
}

func pidsOf(all []procman.Instance) map[string]int {
	pids := map[string]int{}
	for _, i := range all {
		pids[i.Name] = i.Pid
	}
	return pids
}

func (s *site) pids() map[string]int { return pidsOf(s.p.Supervisor.Instances(s.app)) }

func (s *site) closed(t *testing.T) {
	if err := s.close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if left := processes(t, s.app); len(left) != 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// get asks the app for its release.
func (s *site) get(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return "", err
	}
	req.Host, req.Close = s.app+".test", true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", res.StatusCode)
	}
	release, _, _ := strings.Cut(string(b), " ")
	return release, err
}

// answers checks that v<live> answers, and no other.
func (s *site) answers(t *testing.T, live int) {
	t.Helper()
	for range 6 {
		if got, err := s.get(t.Context()); err != nil || got != fmt.Sprintf("v%d", live) {
			t.Errorf("%q answers (%v), want v%d", got, err, live)
		}
	}
}

// watch asks without pause until stop, which returns the releases that answered, in their order.
func (s *site) watch(t *testing.T) (stop func() []string) {
	ctx, cancel := context.WithCancel(t.Context())
	var seen []string
	var asking sync.WaitGroup
	asking.Go(func() {
		for ctx.Err() == nil {
			got, err := s.get(t.Context())
			if err != nil {
				got = err.Error()
			}
			if len(seen) == 0 || seen[len(seen)-1] != got {
				seen = append(seen, got)
			}
		}
	})
	return func() []string { cancel(); asking.Wait(); return seen }
}

// whole checks that v<live> is what there is, and nothing else.
func (s *site) whole(t *testing.T, live int) {
	t.Helper()
	app, err := s.p.Store.App(s.app)
	if err != nil {
		t.Fatal(err)
	}
	if app.Current != live || app.Pushed != s.commits[live-1] {
		t.Errorf("v%d (%s) is current, want v%d", app.Current, app.Pushed, live)
	}
	repo, err := receive.Open(s.p.repoDir(s.app))
	if err != nil {
		t.Fatal(err)
	}
	if refs, err := repo.Refs(); err != nil || refs["refs/heads/main"] != s.commits[live-1] {
		t.Errorf("the branch is at %v (%v), want %s", refs, err, s.commits[live-1])
	}
	want := []string{fmt.Sprintf("alone %d", live), fmt.Sprintf("web %d", live), s.worker}
	s.until(t, func() string {
		for _, i := range s.p.Supervisor.Instances(s.app) {
			if i.State != procman.Ready {
				return i.Name + " is " + string(i.State)
			}
		}
		if got := processes(t, s.app); !slices.Equal(got, want) {
			return fmt.Sprintf("%v run, want %v", got, want)
		}
		if n := len(s.folders(t)); n != len(want) {
			return fmt.Sprintf("%d folders of instances, want %d", n, len(want))
		}
		return ""
	})
	if notes, err := os.ReadFile(filepath.Join(s.p.Store.AppDir(s.app), "data/notes")); err == nil {
		lines := strings.Fields(string(notes))
		if len(slices.Compact(slices.Sorted(slices.Values(lines)))) != len(lines) {
			t.Errorf("the release command ran for %v", lines)
		}
	}
	logs, err := filepath.Glob(filepath.Join(s.p.LogDir(s.app), "clock.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range logs {
		if b, err := os.ReadFile(name); err == nil && bytes.Contains(b, []byte("lock:")) {
			t.Errorf("two clocks ran at once: %s", b)
		}
	}
}

// folders lists the instances in the app's RunDir.
func (s *site) folders(t *testing.T) []string {
	entries, err := os.ReadDir(s.p.runDir(s.app))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// until waits until wrong has nothing to say any more.
func (s *site) until(t *testing.T, wrong func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond) // a look goes over all processes of the machine
	defer tick.Stop()
	for {
		said := wrong()
		if said == "" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(said)
		}
	}
}

// processes lists the arguments of all processes of an app that the machine has, wherever they hang.
func processes(t *testing.T, app string) []string {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil || !bytes.Contains(env, []byte("\x00HOP3_APP="+app+"\x00")) && !bytes.HasPrefix(env, []byte("HOP3_APP="+app+"\x00")) {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && len(line) > 0 {
			args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
			out = append(out, strings.Join(args[1:], " "))
		}
	}
	slices.Sort(out)
	return out
}
