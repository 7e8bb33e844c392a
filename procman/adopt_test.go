package procman

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"hop3/procman/proxy"
)

// victimEnv makes the test binary a server that is going to be killed: it brings up the app in that folder.
const victimEnv = "HOP3_TEST_VICTIM"

// initEnv tells it where testInit is.
const initEnv = "HOP3_TEST_INIT"

// victim is the server that dies. It prints the pids once all is up, then starts a release that never gets ready, so
// that its death comes in the middle of a swap.
func victim(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("victim:", err)
			os.Exit(1)
		}
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	s := New(Options{Exe: os.Getenv(initEnv), Router: proxy.New(proxy.Options{}), Log: log, Isolation: isolation(), Ports: PortRange{From: 20000, To: 20999}})
	r := testRelease(dir, 1, "web: web", "worker: worker", "extra: worker")
	r.Formation["web"] = 2
	_, err := s.Swap(context.Background(), r, SwapOptions{})
	fail(err)
	go s.Swap(context.Background(), testRelease(dir, 2, "web: never"), SwapOptions{})
	for len(s.Instances("blog")) < 5 || s.Instances("blog")[4].Pid == 0 {
		time.Sleep(time.Millisecond)
	}
	b, err := json.Marshal(s.Instances("blog"))
	fail(err)
	fmt.Println(string(b))
	select {}
}

// killedServer runs a victim in w's folder, kills it, and returns what it ran.
func killedServer(t *testing.T, dir string) map[string]Instance {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), victimEnv+"="+dir, initEnv+"="+testInit)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if kill := cmd.Process.Kill(); kill != nil || err != nil {
		t.Fatal(kill, err)
	}
	cmd.Wait()
	var all []Instance
	if err := json.Unmarshal(line, &all); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	byName := map[string]Instance{}
	for _, i := range all {
		name := i.Name
		if i.State == Starting {
			name = "candidate"
		}
		byName[name] = i
	}
	if len(byName) != 5 {
		t.Fatalf("the victim ran %+v", all)
	}
	return byName
}

func TestAdopt_AfterKill9(t *testing.T) {
	dir := worldDir(t)
	before := killedServer(t, dir)
	worker, err := os.FindProcess(before["worker.1"].Pid) // dies while nobody looks
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Kill(); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir}
	w.start()
	r := testRelease(dir, 1, "web: web", "worker: worker", "extra: worker")
	r.Formation["web"], r.Formation["extra"] = 2, 0
	if err := w.sup.Adopt(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if code, body := w.get("/"); code != 200 || !strings.HasPrefix(body, "v1 web.") {
		t.Errorf("%d %q", code, body)
	}
	if after := w.pids(); after["web.1"] != before["web.1"].Pid || after["web.2"] != before["web.2"].Pid {
		t.Errorf("web was %+v and is %v", before, after)
	}
	w.until("the worker's restart", func(all []Instance) bool {
		return all[2].Type == "worker" && all[2].State == Ready && all[2].Pid != before["worker.1"].Pid && all[2].Restarts == 1
	})
	w.until("what nobody wants to be gone", func(all []Instance) bool {
		return len(all) == 3 && !alive(before["extra.1"].Pid) && !alive(before["candidate"].Pid)
	})
	next := testRelease(dir, 2, "web: web") // ports of adopted instances are not handed out
	w.swap(next, SwapOptions{Wait: true})
	if _, body := w.get("/"); body != "v2 web.1" {
		t.Errorf("%q", body)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 { // the record and one instance
		t.Errorf("left in RunDir: %v", entries)
	}
}

func TestAdopt_WithoutARecordNothingSurvives(t *testing.T) {
	dir := worldDir(t)
	before := killedServer(t, dir)
	_, seq, err := readRecord(filepath.Join(dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(recordPath(filepath.Join(dir, "run"), seq), []byte("{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir}
	w.start()
	r := testRelease(dir, 1, "web: web", "worker: worker")
	r.Processes[1].Exclusive = true
	if err := w.sup.Adopt(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if alive(before["worker.1"].Pid) {
		t.Error("a process that must not run twice at once was started beside one that nothing is known of")
	}
	if w.pids()["web.1"] == before["web.1"].Pid {
		t.Error("an instance that nothing is known of was taken over")
	}
	w.until("the orphans to be gone", func(all []Instance) bool {
		return len(all) == 2 && !alive(before["web.1"].Pid) && !alive(before["web.2"].Pid)
	})
	if code, _ := w.get("/"); code != 200 {
		t.Errorf("status %d", code)
	}
}

func TestReap_AFirstDeployThatWasCutOff(t *testing.T) {
	dir := worldDir(t)
	before := killedServer(t, dir)
	w := &world{t: t, dir: dir}
	w.start()
	if err := w.sup.Reap(t.Context(), "blog", filepath.Join(dir, "run")); err != nil {
		t.Fatal(err)
	}
	for name, i := range before {
		if alive(i.Pid) {
			t.Errorf("%s is alive", name)
		}
	}
}

func TestClose_LeavesAppsAloneForTheNext(t *testing.T) {
	w := newWorld(t)
	r := w.release("web: web")
	w.swap(r, SwapOptions{})
	before := w.pids()["web.1"]
	if err := w.sup.Close(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if !alive(before) {
		t.Fatal("the app was stopped")
	}
	w.start()
	if err := w.sup.Adopt(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := w.pids()["web.1"]; got != before {
		t.Errorf("pid %d, was %d", got, before)
	}
}

func TestAdopt_AnAppThatDoesNotStartIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	r := w.release("web: web", "worker: once mark")
	r.Processes[1].Health = []Health{{Listening: true}} // its end is no sooner and no later than that
	if err := w.sup.Adopt(t.Context(), r); err == nil {
		t.Error("no error for the worker")
	}
	if code, _ := w.get("/"); code != 200 {
		t.Errorf("status %d", code)
	}
	w.until("the worker's second start", func(all []Instance) bool {
		return slices.ContainsFunc(all, func(i Instance) bool { return i.Type == "worker" && i.State == Ready })
	})
}
