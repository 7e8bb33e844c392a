package procman

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hop3/procman/sandbox"
)

func plainRelease(t *testing.T) Release {
	t.Helper()
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	for _, name := range []string{"bin/node", "bin/sh", "app/server", "app/plain.txt"} {
		path := filepath.Join(store, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o755)
		if strings.HasSuffix(name, ".txt") {
			mode = 0o644
		}
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	return Release{
		App: "blog", Number: 12, StorePath: store, Closure: []string{store}, RunDir: dir + "/run", LogDir: dir + "/logs",
		AppEnv:    map[string]string{"SECRET": "hunter2", "HOST": "example.org"},
		Processes: []Process{{Type: "web", Command: "node a.js"}, {Type: "worker", Command: "node w.js"}},
		Formation: map[string]int{"web": 2, "worker": 1}, Commit: "3f2c1aa",
	}
}

func normal(t *testing.T, r Release) *Release {
	t.Helper()
	n, err := r.normal(sandbox.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRelease_RefusesWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Release)
		want   string
	}{
		"app":      {func(r *Release) { r.App = "../x" }, "app name"},
		"type":     {func(r *Release) { r.Processes[0].Type = "a/b" }, "process type"},
		"twice":    {func(r *Release) { r.Processes[1].Type = "web" }, "twice"},
		"signal":   {func(r *Release) { r.Processes[1].StopSignal = "NOPE" }, "not known"},
		"negative": {func(r *Release) { r.Formation["web"] = -1 }, "not between"},
		"many":     {func(r *Release) { r.Formation["web"] = 101 }, "not between"},
		"unknown":  {func(r *Release) { r.Formation["wrker"] = 1 }, "wrker"},
		"static":   {func(r *Release) { r.Static = "../.." }, "leaves"},
		"rundir":   {func(r *Release) { r.RunDir = "" }, "RunDir"},
		"relative": {func(r *Release) { r.LogDir = "logs" }, "absolute"},
	} {
		r := plainRelease(t)
		tc.change(&r)
		if _, err := r.normal(sandbox.Limits{}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRelease_DefaultFormation(t *testing.T) {
	r := plainRelease(t)
	r.Formation = nil
	n := normal(t, r)
	if got := running(n.wants()); !slices.Equal(got, []string{"web.1"}) {
		t.Errorf("wants %v", got)
	}
	if n.StartTimeout != time.Minute || n.Processes[0].StopTimeout != 30*time.Second {
		t.Errorf("defaults: %+v", n)
	}
}

func TestArgv(t *testing.T) {
	r := normal(t, plainRelease(t))
	plain := r.environment("web.1", 20001).plain()
	bin := filepath.Join(r.StorePath, "bin")
	for _, tc := range []struct {
		command string
		want    []string
	}{
		{"node a.js -p $PORT", []string{bin + "/node", "a.js", "-p", "20001"}},
		{"exec node a.js", []string{bin + "/node", "a.js"}},
		{"./server", []string{"/app/server"}},
		{"/app/server", []string{"/app/server"}},
		{"/bin/sh run.sh", []string{"/bin/sh", "run.sh"}},
		{bin + "/node", []string{bin + "/node"}},
		{"/data/tool", []string{"/data/tool"}},
		{"node $SECRET", []string{bin + "/sh", "-c", "exec node $SECRET"}},
		{"node $HOST", []string{bin + "/sh", "-c", "exec node $HOST"}}, // the app's own value, not ours
		{"cd x && node a.js", []string{bin + "/sh", "-c", "cd x && exec node a.js"}},
		{"true", []string{bin + "/sh", "-c", "true"}},
	} {
		got, err := r.argv("web", tc.command, plain)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q, %v; want %q", tc.command, got, err, tc.want)
		}
		if strings.Contains(strings.Join(got, " "), "hunter2") {
			t.Errorf("%q: the secret is in argv", tc.command)
		}
	}
}

func TestArgv_SaysWhatIsWrong(t *testing.T) {
	r := normal(t, plainRelease(t))
	if err := os.Remove(filepath.Join(r.StorePath, "bin/sh")); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"a && b": "needs a shell", "gunicorn x": "no such program: gunicorn", "./missing": "no such program",
		"./plain.txt": "not executable", "": "empty", "a 'b": "not closed", "../x": "outside", "/usr/bin/python x": "no such program",
	} {
		_, err := r.argv("web", command, nil)
		c, ok := errors.AsType[*CommandError](err)
		if !ok || !strings.Contains(err.Error(), want) || c.Hint() == "" {
			t.Errorf("%q: %v", command, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	r := normal(t, plainRelease(t))
	r.AppEnv["PORT"], r.AppEnv["PATH"], r.AppEnv["LANG"] = "1", "/x", "de_DE.UTF-8"
	got := r.environment("web.2", 20005).list(nil)
	for _, want := range []string{
		"PORT=20005", "PATH=" + r.StorePath + "/bin", "DYNO=web.2", "PS=web.2", "HOP3_APP=blog", "HOP3_RELEASE=v12",
		"SOURCE_VERSION=3f2c1aa", "GIT_REV=3f2c1aa", "HOST=example.org", "BIND_ADDRESS=127.0.0.1", "DATA_DIR=/data",
		"HOME=/app", "LANG=de_DE.UTF-8", "SECRET=hunter2",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %v", want, got)
		}
	}
	if one := r.environment("run.1", 0).list(map[string]string{"K": "v"}); slices.ContainsFunc(one, func(s string) bool {
		return s == "PORT=20005"
	}) || !slices.Contains(one, "K=v") {
		t.Errorf("one-off environment %v", one)
	}
}

func TestCompare(t *testing.T) {
	r := normal(t, plainRelease(t))
	up := map[slot]present{}
	for _, w := range r.wants() {
		up[w.slot] = present{w.slot, w.hash, 12, true}
	}
	none := func(slot) bool { return false }
	names := func(ws []wanted) string { return strings.Join(running(ws), " ") }
	check := func(what string, d diff, keep, start string, remove int) {
		t.Helper()
		if names(d.keep) != keep || names(d.start) != start || len(d.remove) != remove {
			t.Errorf("%s: keep %s, start %s, remove %v", what, names(d.keep), names(d.start), d.remove)
		}
	}
	check("same", compare(up, r, none), "web.1 web.2 worker.1", "", 0)
	check("nothing runs", compare(nil, r, none), "", "web.1 web.2 worker.1", 0)
	check("restart one", compare(up, r, func(s slot) bool { return s == slot{"web", 2} }), "web.1 worker.1", "web.2", 0)

	next := plainRelease(t)
	next.StorePath, next.Closure = r.StorePath, r.Closure
	next.Number, next.Commit = 13, "other"
	next.RunDir, next.LogDir = r.RunDir, r.LogDir
	check("number and commit", compare(up, normal(t, next), none), "web.1 web.2 worker.1", "", 0)
	next.Formation = map[string]int{"web": 3, "worker": 0}
	check("scale", compare(up, normal(t, next), none), "web.1 web.2", "web.3", 1)
	next.Processes = slices.Clone(next.Processes)
	next.Processes[1].Command = "node other.js"
	next.Formation = map[string]int{"web": 2, "worker": 1}
	check("command", compare(up, normal(t, next), none), "web.1 web.2", "worker.1", 0)
	next.AppEnv = map[string]string{"SECRET": "new"}
	check("environment", compare(up, normal(t, next), none), "", "web.1 web.2 worker.1", 0)

	up[slot{"worker", 1}] = present{slot{"worker", 1}, up[slot{"worker", 1}].hash, 12, false}
	check("down, same release", compare(up, r, none), "web.1 web.2 worker.1", "", 0)
	fresh := *r
	fresh.Number = 13
	check("down, new release", compare(up, &fresh, none), "web.1 web.2", "worker.1", 0)
}

func TestRestarter_NamesWhatThereIs(t *testing.T) {
	r := normal(t, plainRelease(t))
	_, err := restarter([]string{"wbe"}, r)
	u, ok := errors.AsType[*UnknownTypeError](err)
	if !ok || !strings.Contains(u.Hint(), "web.1, web.2, worker.1") {
		t.Errorf("%v", err)
	}
	f, err := restarter([]string{"web.2", "worker"}, r)
	if err != nil || f(slot{"web", 1}) || !f(slot{"web", 2}) || !f(slot{"worker", 1}) {
		t.Errorf("%v", err)
	}
}

func TestPorts_NeverTwice(t *testing.T) {
	p := newPorts(PortRange{From: 29700, To: 29719})
	seen := map[int]bool{}
	for {
		port, err := p.take()
		if err != nil {
			if !errors.Is(err, errNoPort) || len(seen) == 0 {
				t.Fatalf("%v after %d", err, len(seen))
			}
			break
		}
		if seen[port] || port < 29700 || port > 29719 {
			t.Fatalf("port %d", port)
		}
		seen[port] = true
	}
	for port := range seen {
		p.free(port)
		if again, err := p.take(); err != nil || again != port {
			t.Fatalf("%d, %v; want %d", again, err, port)
		}
		break
	}
}

func TestParseListener(t *testing.T) {
	const line4 = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 123456 1 0000000000000000 100 0 0 10 0"
	l, ok := parseListener(line4)
	if !ok || l.port != 8080 || l.addr.String() != "127.0.0.1" || l.inode != "123456" {
		t.Errorf("%+v %v", l, ok)
	}
	const line6 = "   0: 00000000000000000000000001000000:0BB8 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 77 1"
	if l, ok := parseListener(line6); !ok || l.port != 3000 || l.addr.String() != "::1" {
		t.Errorf("%+v %v", l, ok)
	}
	for _, bad := range []string{"", "  sl  local_address rem_address   st", strings.Replace(line4, " 0A ", " 01 ", 1), "0: zz:1F90 0 0A 0 0 0 0 0 0"} {
		if _, ok := parseListener(bad); ok {
			t.Errorf("%q is no listener", bad)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	r := record{Version: 1, App: "blog", Instances: []recordInstance{{ID: "abc", Type: "web", Index: 1, Port: 20001, State: Ready}}}
	b, err := json.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"instances":[{"id":"../x","type":"web","index":1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b)
		if err != nil {
			return
		}
		for _, i := range r.Instances {
			if i.ID == "" || strings.ContainsAny(i.ID, "/.") || strings.ContainsRune(i.Type, '/') {
				t.Fatalf("id %q type %q", i.ID, i.Type)
			}
		}
	})
}

func TestRecord_RoundTripAndRefusal(t *testing.T) {
	dir := t.TempDir()
	if r, seq, err := readRecord(dir); err != nil || len(r.Instances) != 0 || seq != 0 {
		t.Fatalf("no record: %+v, %v", r, err)
	}
	if err := writeRecord(dir, 1, &record{}); err != nil {
		t.Fatal(err)
	}
	want := &record{App: "blog", Instances: []recordInstance{{ID: "abc", Type: "web", Index: 1, Port: 20001, State: Ready}}}
	if err := writeRecord(dir, 2, want); err != nil {
		t.Fatal(err)
	}
	got, seq, err := readRecord(dir)
	if err != nil || seq != 2 || got.Version != recordVersion || !slices.Equal(got.Instances, want.Instances) {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "{", `{"version":0}`, `{"version":9}`, `{"version":1,"instances":[{"id":"a/b","type":"web","index":1}]}`,
		`{"version":1,"instances":[{"id":"a","type":"web","index":0}]}`} {
		if _, err := parseRecord([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
