package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// replace FILE OLD NEW changes one text in a file.
func replaceCmd(ts *testscript.TestScript, _ bool, args []string) {
	old := ts.ReadFile(args[0])
	changed := strings.Replace(old, args[1], args[2], 1)
	if changed == old {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(changed), 0o644))
}

// fill FILE N writes N bytes that cannot be compressed.
func fillCmd(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	b := make([]byte, n)
	_, err = rand.Read(b)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

// same A B wants two texts to be equal.
func sameCmd(ts *testscript.TestScript, neg bool, args []string) {
	if (args[0] == args[1]) == neg {
		ts.Fatalf("%q and %q: same=%v", args[0], args[1], neg)
	}
}

// findPid finds a process in the answer of ps --json.
func findPid(answer []byte, process string) (string, error) {
	var doc struct {
		Processes []struct {
			Name  string
			Pid   int
			State string
		}
	}
	if err := json.Unmarshal(answer, &doc); err != nil {
		return "", err
	}
	for _, p := range doc.Processes {
		if p.Name == process && p.Pid > 0 && p.State == "ready" {
			return strconv.Itoa(p.Pid), nil
		}
	}
	return "", fmt.Errorf("no process %s in %s", process, answer)
}

// keep APP TYPE.N NAME stores a process's pid in a variable.
func keepCmd(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[2], pidOf(ts, args[0], args[1]))
}

func pidOf(ts *testscript.TestScript, app, process string) string {
	w := worldOf(ts)
	host, port, err := net.SplitHostPort(w.ssh)
	ts.Check(err)
	out, err := exec.Command("ssh", append(w.sshOptions(ts), "-p", port, "hop3@"+host, "--", "ps", app, "--json")...).Output()
	ts.Check(err)
	pid, err := findPid(out, process)
	ts.Check(err)
	return pid
}

// alive [!] PID wants a process to exist.
func aliveCmd(ts *testscript.TestScript, neg bool, args []string) {
	pid, err := strconv.Atoi(args[0])
	ts.Check(err)
	if (syscall.Kill(pid, 0) != nil) != neg {
		ts.Fatalf("process %d: alive=%v", pid, neg)
	}
}

// load start [https://]HOST sends 200 requests a second until load stop, which wants none to have failed.
func loadCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	switch args[0] {
	case "start":
		if host, secure := strings.CutPrefix(args[1], "https://"); secure {
			w.load = startScriptLoad(w.secureClient(true), "https://"+host, "")
			return
		}
		w.load = startScriptLoad(w.client(), "http://"+args[1], "")
	case "stop":
		done, failed := w.load.stop()
		w.load = nil
		ts.Logf("%d requests", done)
		if failed != "" || done == 0 {
			ts.Fatalf("%d requests, failed: %s", done, failed)
		}
	}
}

// storm HOST N sends N requests, one after the other, whatever is answered.
func stormCmd(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	for range n {
		res, err := worldOf(ts).client().Get("http://" + args[0])
		ts.Check(err)
		_, err = io.Copy(io.Discard, res.Body)
		ts.Check(errors.Join(err, res.Body.Close()))
	}
}

type scriptLoad struct {
	end      chan struct{}
	once     sync.Once
	wg       sync.WaitGroup
	done     atomic.Int64
	failures atomic.Int64
	failed   atomic.Pointer[string] // the last failure
}

// startScriptLoad asks for url, under the name host if there is one, 200 times a second.
func startScriptLoad(c *http.Client, url, host string) *scriptLoad {
	l := &scriptLoad{end: make(chan struct{})}
	l.wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-l.end:
				return
			case <-tick.C:
				l.wg.Go(func() { l.one(c, url, host) })
			}
		}
	})
	return l
}

func (l *scriptLoad) one(c *http.Client, url, host string) {
	defer l.done.Add(1)
	req, err := http.NewRequest(http.MethodGet, url, nil)
	var res *http.Response
	if err == nil {
		req.Host = host
		res, err = c.Do(req)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err == nil && res.StatusCode != http.StatusOK {
			err = errors.New(res.Status)
		}
	}
	if err != nil {
		text := err.Error()
		l.failures.Add(1)
		l.failed.Store(&text)
	}
}

func (l *scriptLoad) stop() (int64, string) {
	l.once.Do(func() { close(l.end) })
	l.wg.Wait()
	if f := l.failed.Load(); f != nil {
		return l.done.Load(), *f
	}
	return l.done.Load(), ""
}

var metricsAddr = regexp.MustCompile(`msg="serving metrics" addr="([^"]+)"`)

// metrics [STATUS] PATH prints what the server, started with --metrics, says there.
func metricsCmd(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	all := metricsAddr.FindAllStringSubmatch(w.log(), -1)
	if neg || len(all) == 0 {
		ts.Fatalf("usage: metrics [STATUS] PATH, with a server --metrics")
	}
	want := "200"
	if len(args) == 2 {
		want, args = args[0], args[1:]
	}
	res, err := http.Get("http://" + all[len(all)-1][1] + args[0])
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
	if strconv.Itoa(res.StatusCode) != want {
		ts.Fatalf("GET %s: %s, want %s: %s", args[0], res.Status, want, body)
	}
}
