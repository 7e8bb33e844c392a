package shim_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hop3/procman/shim"
)

func TestLog_PartialLines(t *testing.T) {
	s := spec(t, "slow", "a prompt> ", "answer\\nnext", " line\\n", "no end")
	i := start(t, s)
	<-i.Done()
	rs := records(t, s.LogPath)
	if got := text(rs, shim.Stdout); got != "a prompt> answer\nnext line\nno end" {
		t.Errorf("log = %q", got)
	}
	if !rs[0].Partial || string(rs[0].Text) != "a prompt> " || rs[0].Process != "web.1" || rs[0].Release != 3 {
		t.Errorf("the prompt was held back: %+v", rs[0])
	}
	if last := rs[len(rs)-1]; !last.Partial || string(last.Text) != "no end" {
		t.Errorf("last = %+v", last)
	}
	for n := 1; n < len(rs); n++ {
		if rs[n].Time.Before(rs[n-1].Time) {
			t.Errorf("record %d is older than the one before", n)
		}
	}
}

func TestLog_Binary(t *testing.T) {
	want := "\x00\x01\xff\xfe \r tab\t\x1b[31mred\x1b[0m \xc3\x28\n\n\nend\n"
	s := spec(t, "bytes", strings.Trim(fmt.Sprintf("%q", want), `"`))
	i := start(t, s)
	<-i.Done()
	if got := text(records(t, s.LogPath), shim.Stdout); got != want {
		t.Errorf("log = %q, want %q", got, want)
	}
}

func TestLog_LongLine(t *testing.T) {
	s := spec(t, "long", "100000")
	i := start(t, s)
	<-i.Done()
	rs := records(t, s.LogPath)
	if got := text(rs, shim.Stdout); got != strings.Repeat("y", 100000)+"\nafter\n" {
		t.Errorf("log has %d bytes", len(got))
	}
	for _, r := range rs {
		if len(r.Text) > shim.MaxText {
			t.Errorf("a record of %d bytes", len(r.Text))
		}
	}
}

func TestLog_StreamsApart(t *testing.T) {
	s := spec(t, "stderr", "to the other one\n")
	i := start(t, s)
	<-i.Done()
	rs := records(t, s.LogPath)
	if text(rs, shim.Stderr) != "to the other one\n" || text(rs, shim.Stdout) != "" {
		t.Errorf("%+v", rs)
	}
}

func TestLog_FloodAndRotation(t *testing.T) {
	s := spec(t, "flood", "100000")
	s.Log = shim.LogLimits{FileBytes: 4 << 20, Files: 9}
	i := start(t, s)
	<-i.Done()
	if st := i.Exit(); st.Code != 0 {
		t.Fatalf("exit = %v", st)
	}
	var want strings.Builder
	for n := range 100000 {
		fmt.Fprintf(&want, "flood %08d %s\n", n, strings.Repeat("x", 80))
	}
	rs := records(t, s.LogPath)
	if got := text(rs, shim.Stdout); got != want.String() && text(rs, shim.System) == "" {
		t.Errorf("lines are missing and nobody says so: %d of %d bytes", len(got), want.Len())
	}
	for n := range 3 {
		name := s.LogPath
		if n > 0 {
			name = fmt.Sprintf("%s.%d", name, n)
		}
		if st, err := os.Stat(name); err != nil || st.Size() > 4<<20 || st.Size() == 0 {
			t.Errorf("%s: %v %v", name, st, err)
		}
	}
}

func TestLog_KeepsSoManyFiles(t *testing.T) {
	s := spec(t, "flood", "20000")
	s.Log = shim.LogLimits{FileBytes: 100 << 10, Files: 3}
	i := start(t, s)
	<-i.Done()
	found, err := filepath.Glob(s.LogPath + "*")
	if err != nil || len(found) != 3 {
		t.Errorf("files: %v %v", found, err)
	}
}

// Two instances of a swap write to one file; each record stays whole.
func TestLog_Shared(t *testing.T) {
	a, b := spec(t, "flood", "20000"), spec(t, "flood", "20000")
	b.LogPath, b.Release = a.LogPath, 4
	a.Log = shim.LogLimits{FileBytes: 512 << 10, Files: 10}
	b.Log = a.Log
	i, j := start(t, a), start(t, b)
	<-i.Done()
	<-j.Done()
	count := map[int]int{}
	for _, r := range records(t, a.LogPath) {
		if r.Stream == shim.Stdout && !r.Partial { // a pause may cut a line
			count[r.Release]++
		}
	}
	if count[3] == 0 || count[4] == 0 || count[3] > 20000 || count[4] > 20000 {
		t.Errorf("records by release: %v", count)
	}
}

// A disk without room takes no lines; the app does not wait for it, and the
// log says how much is missing once there is room again.
func TestLog_FullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	data := t.TempDir()
	if err := os.Chmod(filepath.Dir(data), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(data, 0o777); err != nil {
		t.Fatal(err)
	}
	s := spec(t, "refill", "/data/room", "/data/full")
	s.Sandbox.DataDir = data
	disk := filepath.Dir(s.LogPath)
	if err := os.MkdirAll(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s.Log = shim.LogLimits{FileBytes: 64 << 20, Files: 2}
	i := start(t, s)
	awaitFile(t, filepath.Join(data, "full")) // it got through 4 MiB all the same
	// Room for what is still queued, and for more.
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=32m"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "room"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	<-i.Done()
	b, err := os.ReadFile(s.LogPath)
	if err != nil || !bytes.Contains(b, []byte(" lines dropped\n")) || !bytes.Contains(b, []byte("room again\n")) {
		t.Errorf("the log is silent about what is missing: %.500q %v", b, err)
	}
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(2 * time.Millisecond); ; <-tick.C {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never came", path)
		}
	}
}

func TestRecord_RoundTrip(t *testing.T) {
	at := time.Date(2026, 11, 23, 15, 4, 5, 123456000, time.UTC)
	for _, r := range []shim.Record{
		{Time: at, Stream: shim.Stdout, Process: "web.1", Release: 12, Text: []byte("hello world")},
		{Time: at, Stream: shim.Stderr, Process: "web.1", Release: 12, Partial: true, Text: []byte{}},
		{Time: at, Stream: shim.System, Process: "clock_x-1.10", Release: -1, Text: []byte(" \x00\xff ")},
	} {
		line := shim.AppendRecord(nil, r)
		got, err := shim.ParseRecord(line)
		if err != nil || !same(got, r) {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
	line := shim.AppendRecord([]byte("before "), shim.Record{Time: at, Stream: shim.Stdout, Process: "bad name\n", Text: []byte("two\nlines")})
	if want := "before 2026-11-23T15:04:05.123456Z o - v0 two\rlines\n"; string(line) != want {
		t.Errorf("got %q, want %q", line, want)
	}
	for _, bad := range []string{"", "x", "2026-11-23T15:04:05.123456Z", "2026-11-23T15:04:05.123456Z q web.1 v1 x",
		"2026-11-23T15:04:05.123456Z o web.1 1 x", "2026-11-23T15:04:05.123456Z o- web.1 v1 x", "2026-99-23T15:04:05.123456Z o web.1 v1 x",
		"2026-11-23T15:04:05.123456Z o web.1 v1", "2026-11-23T15:04:05.123456Z o web.1 v1 a\nb"} {
		if r, err := shim.ParseRecord([]byte(bad)); err == nil {
			t.Errorf("%q was taken: %+v", bad, r)
		}
	}
}

func same(a, b shim.Record) bool {
	return a.Time.Equal(b.Time) && a.Stream == b.Stream && a.Process == b.Process && a.Release == b.Release &&
		a.Partial == b.Partial && bytes.Equal(a.Text, b.Text)
}

// Whatever line is taken is written again as the same record, and what is
// written is read again as it was.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("2026-11-23T15:04:05.123456Z o web.1 v12 hello\n"))
	f.Add([]byte("2026-11-23T15:04:05.123456Z e+ worker.10 v1 \n"))
	f.Add([]byte("0000-01-01T00:00:00.000000Z s - v0 \x00\xff"))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := shim.ParseRecord(bytes.Clone(line))
		if err != nil {
			return
		}
		again, err := shim.ParseRecord(shim.AppendRecord(nil, r))
		if err != nil || !same(again, r) {
			t.Fatalf("%q: %+v, then %+v, %v", line, r, again, err)
		}
	})
}
