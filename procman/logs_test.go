package procman

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hop3/procman/shim"
)

var logEpoch = time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)

func rec(at time.Duration, process string, release int, text string) shim.Record {
	return shim.Record{Time: logEpoch.Add(at), Stream: shim.Stdout, Process: process, Release: release, Text: []byte(text)}
}

// appendLog writes records to a log file. Its time of change is that of the last one, as it is for real.
func appendLog(t *testing.T, path string, records ...shim.Record) {
	t.Helper()
	var b []byte
	for _, r := range records {
		b = shim.AppendRecord(b, r)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	last := records[len(records)-1].Time
	if err := os.Chtimes(path, last, last); err != nil {
		t.Fatal(err)
	}
}

func readLogs(t *testing.T, dir string, q LogQuery) string {
	t.Helper()
	var out bytes.Buffer
	if err := new(Supervisor).Logs(t.Context(), dir, q, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// texts returns only what the processes said.
func texts(out string) string {
	var all []string
	for line := range strings.Lines(out) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), "]: ")
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func someLogs(t *testing.T) string {
	dir := t.TempDir()
	sec := time.Second
	appendLog(t, filepath.Join(dir, "web.1-v1-aa.log.1"), rec(1*sec, "web.1", 1, "a1"), rec(3*sec, "web.1", 1, "a3"))
	appendLog(t, filepath.Join(dir, "web.1-v1-aa.log"), rec(5*sec, "web.1", 1, "a5"), rec(9*sec, "web.1", 1, "a9"))
	appendLog(t, filepath.Join(dir, "web.2-v2-bb.log"), rec(2*sec, "web.2", 2, "b2"), rec(6*sec, "web.2", 2, "b6"))
	appendLog(t, filepath.Join(dir, "worker.1-v2-cc.log"), rec(4*sec, "worker.1", 2, "c4"), rec(7*sec, "worker.1", 2, "c7"))
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("no log"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLogs_MergesByTimeAndFilters(t *testing.T) {
	dir := someLogs(t)
	for name, tc := range map[string]struct {
		q    LogQuery
		want string
	}{
		"all":     {LogQuery{Lines: -1}, "a1 b2 a3 c4 a5 b6 c7 a9"},
		"default": {LogQuery{}, "a1 b2 a3 c4 a5 b6 c7 a9"},
		"last 3":  {LogQuery{Lines: 3}, "b6 c7 a9"},
		"last 6":  {LogQuery{Lines: 6}, "a3 c4 a5 b6 c7 a9"},
		"type":    {LogQuery{Type: "web"}, "a1 b2 a3 a5 b6 a9"},
		"index":   {LogQuery{Type: "web", Index: 2}, "b2 b6"},
		"release": {LogQuery{Release: 2}, "b2 c4 b6 c7"},
		"since":   {LogQuery{Since: logEpoch.Add(5 * time.Second)}, "a5 b6 c7 a9"},
		"grep":    {LogQuery{Grep: "^[ab][1-6]$"}, "a1 b2 a3 a5 b6"},
		"both":    {LogQuery{Grep: "a", Lines: 2}, "a5 a9"},
		"none":    {LogQuery{Type: "clock"}, ""},
	} {
		if got := texts(readLogs(t, dir, tc.q)); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	if got := readLogs(t, dir, LogQuery{Lines: 1}); got != "2026-11-23T15:00:09.000000Z app[web.1]: a9\n" {
		t.Errorf("text form %q", got)
	}
	if got := readLogs(t, filepath.Join(dir, "missing"), LogQuery{}); got != "" {
		t.Errorf("no folder: %q", got)
	}
}

func TestLogs_JSON(t *testing.T) {
	out := readLogs(t, someLogs(t), LogQuery{Lines: 1, JSON: true})
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"version": 1.0, "time": "2026-11-23T15:00:09.000000Z", "process": "web.1", "release": 1.0, "stream": "stdout", "text": "a9"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestLogs_BadPatternHasAHint(t *testing.T) {
	err := new(Supervisor).Logs(t.Context(), t.TempDir(), LogQuery{Grep: "("}, io.Discard)
	if q, ok := err.(*QueryError); !ok || q.Hint() == "" {
		t.Errorf("%v", err)
	}
}

func TestLogs_CannotSteerATerminal(t *testing.T) {
	dir := t.TempDir()
	appendLog(t, filepath.Join(dir, "web.1-v1-aa.log"), rec(0, "web.1", 1, "\x1b[31mred\x1b[0m\x1b]0;title\x07 \x1b7\r\x08x\ty"))
	if got := readLogs(t, dir, LogQuery{}); !strings.HasSuffix(got, ": red x\ty\n") {
		t.Errorf("%q", got)
	}
	if got := readLogs(t, dir, LogQuery{Raw: true}); !strings.Contains(got, "\x1b[31mred") {
		t.Errorf("raw: %q", got)
	}
}

func TestLogs_LastLinesOfLongFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "web.1-v1-aa.log")
	long := strings.Repeat("x", shim.MaxText)
	var records []shim.Record
	for n := range 300 {
		records = append(records, rec(time.Duration(n)*time.Second, "web.1", 1, fmt.Sprint(n, " ", long[:n*n%len(long)])))
	}
	appendLog(t, path, records...)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("2026-11-23T15:04:05.000000Z o web.1 v1 half a li"); err != nil { // still being written
		t.Fatal(err)
	}
	f.Close()
	for _, n := range []int{1, 2, 7, 50, 299, 300, 1000} {
		out := readLogs(t, dir, LogQuery{Lines: n})
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if len(lines) != min(n, 300) || !strings.Contains(lines[0], fmt.Sprintf("]: %d ", 300-min(n, 300))) {
			t.Errorf("%d: got %d lines from %.60s", n, len(lines), lines[0])
		}
	}
	if tail := tailText(path, 3); len(tail) != 3 || !strings.HasPrefix(tail[2], "299 ") {
		t.Errorf("tail: %d lines", len(tail))
	}
}

// rotate is what a shim does when its file is full.
func rotate(t *testing.T, path string, keep int) {
	t.Helper()
	for n := keep - 1; n > 0; n-- {
		from := path
		if n > 1 {
			from = fmt.Sprintf("%s.%d", path, n-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", path, n)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// writeAndRotate writes lines of process p, and rotates after each perFile of them, at most two files ahead of what the
// reader has seen.
func writeAndRotate(t *testing.T, dir, p string, seenBy <-chan int, lines, perFile int) {
	path := filepath.Join(dir, p+"-v1-x"+strings.ReplaceAll(p, ".", "")+".log")
	for n := range lines {
		if n > 0 && n%perFile == 0 {
			for seen := range seenBy {
				if seen >= n-2*perFile {
					break
				}
			}
			rotate(t, path, 5)
		}
		appendLog(t, path, shim.Record{Time: time.Now(), Stream: 'o', Process: p, Release: 1, Text: fmt.Appendf(nil, "%s %d", p, n)})
	}
}

// TestLogs_FollowNeitherLosesNorRepeats follows two instances that write and rotate as fast as they can, while a third
// appears later. The writers wait for the reader before they rotate files away that it has not seen: no reader could keep
// up with files that are removed.
func TestLogs_FollowNeitherLosesNorRepeats(t *testing.T) {
	dir := t.TempDir()
	const lines, perFile = 3000, 100
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, out := io.Pipe()
	done := make(chan error, 1)
	appendLog(t, filepath.Join(dir, "web.1-v1-w1.log"), rec(0, "web.1", 1, "old 0"))
	go func() {
		err := new(Supervisor).Logs(ctx, dir, LogQuery{Follow: true, Lines: -1}, out)
		out.CloseWithError(io.EOF)
		done <- err
	}()
	progress := map[string]chan int{}
	for _, p := range []string{"web.1", "web.2", "worker.1"} {
		progress[p] = make(chan int, lines)
		go writeAndRotate(t, dir, p, progress[p], lines, perFile)
	}
	next := map[string]int{}
	b := make([]byte, 32<<10)
	var rest string
	for next["web.1"] < lines || next["web.2"] < lines || next["worker.1"] < lines {
		n, err := in.Read(b)
		if err != nil {
			t.Fatalf("%v after %v: %v", err, next, <-done)
		}
		rest += string(b[:n])
		for {
			line, after, ok := strings.Cut(rest, "\n")
			if !ok {
				break
			}
			rest = after
			var p string
			var k int
			_, text, _ := strings.Cut(line, "]: ")
			if _, err := fmt.Sscanf(text, "%s %d", &p, &k); err != nil {
				t.Fatalf("line %q", line)
			}
			if k != next[p] {
				t.Fatalf("%s: line %d, want %d", p, k, next[p])
			}
			next[p]++
			if c := progress[p]; c != nil {
				c <- k
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func FuzzLogFile(f *testing.F) {
	f.Add([]byte("2026-11-23T15:04:05.000000Z o web.1 v1 a\nrubbish\n2026-11-23T15:04:06.000000Z e web.1 v1 b\nhalf"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "web.1-v1-a.log"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		all := strings.SplitAfter(readLogs(t, dir, LogQuery{Lines: -1}), "\n")
		all = all[:len(all)-1]
		l, err := openLog(filepath.Join(dir, "web.1-v1-a.log"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.file.Close()
		back := 0
		if err := l.backward(func(int64, *shim.Record) bool { back++; return true }); err != nil {
			t.Fatal(err)
		}
		if back != len(all) {
			t.Fatalf("%d records forward, %d backward", len(all), back)
		}
	})
}
