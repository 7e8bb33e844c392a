package procman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestSwap_FirstReleaseGoesLive(t *testing.T) {
	w := newWorld(t)
	var out output
	committed := false
	res := w.swap(w.release("web: web", "worker: worker"), SwapOptions{Progress: &out, Commit: func() error {
		committed = true
		return nil
	}})
	if !committed || !slices.Equal(res.Started, []string{"web.1", "worker.1"}) {
		t.Errorf("committed %v, %+v", committed, res)
	}
	if code, body := w.get("/"); code != 200 || body != "v1 web.1" {
		t.Errorf("%d %q", code, body)
	}
	all := w.sup.Instances("blog")
	if len(all) != 2 || all[0].Name != "web.1" || all[0].State != Ready || all[0].Pid == 0 || all[0].Port == 0 || all[0].Release != 1 {
		t.Errorf("%+v", all)
	}
	if !strings.Contains(out.String(), fmt.Sprintf(" s on port %d\n", all[0].Port)) || !strings.Contains(out.String(), "worker.1 ready in ") {
		t.Errorf("progress %q", out.String())
	}
}

func TestSwap_UnchangedProcessesKeepTheirPids(t *testing.T) {
	w := newWorld(t)
	first := w.release("web: web", "worker: worker")
	w.swap(first, SwapOptions{})
	before := w.pids()
	next := w.release("web: web", "worker: worker")
	next.AppEnv, next.Commit = first.AppEnv, "another"
	var out output
	w.swap(next, SwapOptions{Progress: &out})
	if after := w.pids(); after["web.1"] != before["web.1"] || after["worker.1"] != before["worker.1"] {
		t.Errorf("pids %v, then %v", before, after)
	}
	if out.String() != "web.1 unchanged\nworker.1 unchanged\n" {
		t.Errorf("progress %q", out.String())
	}
	next.Processes = slices.Clone(next.Processes)
	next.Processes[1].Command = "app another worker"
	w.swap(next, SwapOptions{Wait: true})
	if after := w.pids(); after["web.1"] != before["web.1"] || after["worker.1"] == before["worker.1"] {
		t.Errorf("pids %v, then %v", before, after)
	}
	w.swap(next, SwapOptions{Restart: []string{"web"}, Wait: true})
	if after := w.pids(); after["web.1"] == before["web.1"] || alive(before["web.1"]) {
		t.Errorf("web.1 was not restarted: %v, then %v", before, after)
	}
}

func TestSwap_ScaleStartsAndStopsOnlyTheDifference(t *testing.T) {
	w := newWorld(t)
	r := w.release("web: web", "worker: worker")
	w.swap(r, SwapOptions{})
	one := w.pids()
	r.Formation = map[string]int{"web": 3, "worker": 1}
	if res := w.swap(r, SwapOptions{Wait: true}); !slices.Equal(res.Started, []string{"web.2", "web.3"}) {
		t.Errorf("up: %+v", res)
	}
	three := w.pids()
	seen := map[string]bool{}
	for range 50 {
		_, body := w.get("/")
		seen[body] = true
	}
	if len(three) != 4 || three["web.1"] != one["web.1"] || len(seen) != 3 {
		t.Errorf("pids %v, answers %v", three, seen)
	}
	var out output
	r.Formation = map[string]int{"web": 1, "worker": 0}
	res := w.swap(r, SwapOptions{Wait: true, Progress: &out})
	if !slices.Equal(res.Removed, []string{"web.2", "web.3", "worker.1"}) || !strings.Contains(out.String(), "worker.1 stopped\n") {
		t.Errorf("down: %+v %q", res, out.String())
	}
	if down := w.pids(); len(down) != 1 || down["web.1"] != one["web.1"] || alive(three["web.2"]) {
		t.Errorf("pids %v", down)
	}
	r.Formation = map[string]int{"web": 0, "worker": 0}
	w.swap(r, SwapOptions{Wait: true})
	if code, _ := w.get("/"); code != 503 || len(w.sup.Instances("blog")) != 0 {
		t.Errorf("stopped app answers %d and runs %v", code, w.sup.Instances("blog"))
	}
}

// failing describes a new release that must not go live.
type failing struct {
	processes []string
	timeout   time.Duration
	reason    Reason
	process   string
	want      []string // in the error, its hint and its log
}

func TestSwap_AFailedReleaseChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.swap(w.release("web: web", "worker: worker"), SwapOptions{})
	before := w.pids()
	for name, tc := range map[string]failing{
		"exits": {[]string{"web: exit 7", "worker: worker"}, 0, EndedEarly, "web.1",
			[]string{"exited with status 7", "about to exit", "with an error"}},
		"crashing worker": {[]string{"web: web", "worker: exit 1"}, 0, EndedEarly, "worker.1", []string{"exited with status 1"}},
		"signal":          {[]string{"web: killed", "worker: worker"}, 0, EndedEarly, "web.1", []string{"SIGKILL"}},
		"never listens":   {[]string{"web: never", "worker: worker"}, 300 * time.Millisecond, NeverListen, "web.1", []string{"did not listen", "$PORT"}},
		"wrong port":      {[]string{"web: wrong", "worker: worker"}, lookAfter + time.Second, WrongPort, "web.1", []string{"listens on port", "not on PORT="}},
		"sick":            {[]string{"web: sick", "worker: worker"}, 500 * time.Millisecond, Unhealthy, "web.1", []string{"status 500"}},
		"no program":      {[]string{"web: web", "worker: worker | cat"}, 0, NotStarted, "worker.1", []string{"needs a shell", "bash"}},
	} {
		r := w.release(tc.processes...)
		if tc.timeout != 0 {
			r.StartTimeout = tc.timeout
		}
		committed := false
		var out output
		_, err := w.sup.Swap(t.Context(), r, SwapOptions{Progress: &out, Commit: func() error { committed = true; return nil }})
		if tc.reason == WrongPort && !strings.Contains(out.String(), "; waiting\n") {
			t.Errorf("%s: the pusher was told only %q", name, out.String())
		}
		e, ok := errors.AsType[*StartError](err)
		if !ok || e.Reason != tc.reason || e.Process != tc.process || committed {
			t.Errorf("%s: %v (%+v), committed %v", name, err, e, committed)
			continue
		}
		text := err.Error() + "\n" + e.Hint() + "\n" + strings.Join(e.Log, "\n")
		for _, want := range tc.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
		if after := w.pids(); after["web.1"] != before["web.1"] || after["worker.1"] != before["worker.1"] {
			t.Errorf("%s: pids %v, then %v", name, before, after)
		}
		if code, body := w.get("/"); code != 200 || body != "v1 web.1" {
			t.Errorf("%s: %d %q", name, code, body)
		}
		w.until("the failed set to be gone", func(all []Instance) bool { return len(all) == 2 })
	}
}

func TestSwap_AFailedFirstReleaseLeavesNothing(t *testing.T) {
	w := newWorld(t)
	if _, err := w.sup.Swap(t.Context(), w.release("web: exit 1"), SwapOptions{}); err == nil {
		t.Fatal("no error")
	}
	w.until("the failed set to be gone", func(all []Instance) bool { return len(all) == 0 })
	if code, _ := w.get("/"); code != 404 {
		t.Errorf("status %d of an app that never was", code)
	}
}

func TestSwap_ACommitErrorUndoesIt(t *testing.T) {
	w := newWorld(t)
	w.swap(w.release("web: web"), SwapOptions{})
	before := w.pids()
	boom := errors.New("disk full")
	r := w.release("web: web")
	r.Hosts = append(r.Hosts, "more.test")
	if _, err := w.sup.Swap(t.Context(), r, SwapOptions{Commit: func() error { return boom }}); !errors.Is(err, boom) {
		t.Fatalf("%v", err)
	}
	if code, body := w.get("/"); code != 200 || body != "v1 web.1" {
		t.Errorf("%d %q", code, body)
	}
	w.until("the new set to be gone", func(all []Instance) bool { return len(all) == 1 && all[0].Pid == before["web.1"] })
}

func TestSwap_CancelBeforeTheCommitUndoesItAfterItDoesNot(t *testing.T) {
	w := newWorld(t)
	w.swap(w.release("web: web"), SwapOptions{})
	before := w.pids()
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan error, 1)
	go func() {
		_, err := w.sup.Swap(ctx, w.release("web: never"), SwapOptions{})
		started <- err
	}()
	w.until("the new process", func(all []Instance) bool { return len(all) == 2 && all[1].Pid != 0 })
	cancel()
	if err := <-started; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	w.until("the new set to be gone", func(all []Instance) bool { return len(all) == 1 && all[0].Pid == before["web.1"] })

	ctx, cancel = context.WithCancel(t.Context())
	if _, err := w.sup.Swap(ctx, w.release("web: web"), SwapOptions{Commit: func() error { cancel(); return nil }}); err != nil {
		t.Errorf("cancelled after the commit: %v", err)
	}
	if code, body := w.get("/"); code != 200 || body != "v3 web.1" {
		t.Errorf("%d %q", code, body)
	}
}

func TestSwap_AHostOfAnotherAppIsRefused(t *testing.T) {
	r := testRelease(worldDir(t), 1, "web: web") // removed after the supervisor has ended
	w := newWorld(t)
	w.swap(w.release("web: web"), SwapOptions{})
	r.App = "shop"
	committed := false
	_, err := w.sup.Swap(t.Context(), r, SwapOptions{Commit: func() error { committed = true; return nil }})
	if err == nil || committed || !strings.Contains(err.Error(), "belongs to app blog") {
		t.Errorf("%v, committed %v", err, committed)
	}
}

func TestSwap_AProcessThatIgnoresTERMIsKilled(t *testing.T) {
	w := newWorld(t)
	r := w.release("web: stubborn")
	r.Processes[0].StopTimeout = 100 * time.Millisecond
	w.swap(r, SwapOptions{})
	old := w.pids()["web.1"]
	w.swap(w.release("web: web"), SwapOptions{Wait: true})
	if alive(old) {
		t.Error("the old process is alive")
	}
}

func TestSwap_DrainLetsRequestsFinish(t *testing.T) {
	w := newWorld(t)
	w.swap(w.release("web: web"), SwapOptions{})
	begun := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		req, err := http.NewRequest(http.MethodGet, w.url+"/slow?until=told", nil)
		if err != nil {
			done <- err
			return
		}
		req.Host, req.Close = "blog.test", true
		res, err := http.DefaultClient.Do(req)
		close(begun)
		if err == nil {
			var b []byte
			b, err = io.ReadAll(res.Body)
			res.Body.Close()
			if err == nil && string(b) != "slow" {
				err = fmt.Errorf("body %q", b)
			}
		}
		done <- err
	}()
	<-begun
	w.swap(w.release("web: web"), SwapOptions{})
	if all := w.sup.Instances("blog"); len(all) != 2 || all[1].State != Draining {
		t.Errorf("%+v", all)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "data/told"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestSwap_UnderLoadLosesNothing replaces the whole web set twenty times while clients ask without pause.
func TestSwap_UnderLoadLosesNothing(t *testing.T) {
	w := newWorld(t)
	r := w.release("web: web")
	r.Formation["web"] = 2
	w.swap(r, SwapOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	var good, bad atomic.Int64
	var first atomic.Pointer[string]
	var clients sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	for n := range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				method, body := http.MethodGet, ""
				if n%2 == 0 {
					method, body = http.MethodPost, "some form"
				}
				req, err := http.NewRequest(method, w.url+"/", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Host = "blog.test"
				res, err := client.Do(req)
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if err == nil && res.StatusCode != 200 {
						err = fmt.Errorf("status %d", res.StatusCode)
					}
				}
				if err != nil {
					bad.Add(1)
					text := err.Error()
					first.CompareAndSwap(nil, &text)
				} else {
					good.Add(1)
				}
			}
		})
	}
	for range 20 {
		r := w.release("web: web")
		r.Formation["web"] = 2
		w.swap(r, SwapOptions{})
	}
	cancel()
	clients.Wait()
	client.CloseIdleConnections()
	t.Logf("%d requests in 20 swaps, %d failed", good.Load(), bad.Load())
	if bad.Load() != 0 || good.Load() == 0 {
		t.Errorf("%d good, %d bad, the first: %s", good.Load(), bad.Load(), *first.Load())
	}
}

func TestSwap_OneAtATime(t *testing.T) {
	w := newWorld(t)
	var inside, most atomic.Int32
	var all sync.WaitGroup
	for n := range 4 {
		r := testRelease(w.dir, n+1, "web: web")
		all.Go(func() {
			_, err := w.sup.Swap(t.Context(), r, SwapOptions{Commit: func() error {
				most.Store(max(most.Load(), inside.Add(1)))
				inside.Add(-1)
				return nil
			}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d at once", most.Load())
	}
}

func TestSwap_Static(t *testing.T) {
	w := newWorld(t)
	r := w.release()
	r.Static = "public"
	w.swap(r, SwapOptions{})
	if code, body := w.get("/"); code != 200 || body != "static page" {
		t.Errorf("%d %q", code, body)
	}
	r = w.release()
	r.Static = "nowhere"
	_, err := w.sup.Swap(t.Context(), r, SwapOptions{})
	if s, ok := errors.AsType[*StaticError](err); !ok || s.Hint() == "" {
		t.Errorf("%v", err)
	}
	w.swap(w.release("web: web"), SwapOptions{})
	if _, body := w.get("/"); body != "v3 web.1" {
		t.Errorf("%q", body)
	}
}
