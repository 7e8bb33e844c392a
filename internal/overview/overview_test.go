package overview

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "write the frames of testdata")

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// shot is a snapshot n seconds after start.
func shot(n int, may bool) Snapshot {
	at := start.Add(time.Duration(n) * time.Second)
	busy := time.Duration(n*n) * 5 * time.Millisecond
	return Snapshot{At: at, Server: "hop3 1.0.0", Who: "ann (operate)", Apps: []App{
		{Name: "blog", State: "running", URL: "http://blog.example.com", Release: "v12", Formation: map[string]int{"web": 2, "worker": 1}, MayOperate: may,
			Requests: uint64(20 * n * n), Errors: uint64(n / 4), InFlight: 3,
			Processes: []Process{
				{Name: "web.1", State: "ready", Release: "v12", Pid: 4711, Since: start.Add(-time.Hour), CPU: busy, Memory: 80 << 20},
				{Name: "web.2", State: "ready", Release: "v12", Pid: 4712, Since: start.Add(-time.Minute), CPU: busy / 2, Memory: int64(60+n) << 20},
				{Name: "worker.1", State: "crashed", Release: "v12", Restarts: 11, Since: start},
			},
			Releases: []Release{
				{Name: "v12", Status: "live", Change: "deploy 3f2c1aa", By: "ann", At: start.Add(-time.Hour)},
				{Name: "v11", Status: "failed", Change: "deploy 9999999", By: "bob", At: start.Add(-2 * time.Hour)},
				{Name: "v10", Status: "retired", Change: "config: set \x1b[31mRED\x1b[0m", By: "ann", At: start.Add(-72 * time.Hour)},
			}},
		{Name: "shop", State: "stopped", URL: "http://shop.example.com", Release: "v1"},
		{Name: "new", State: "empty", URL: "http://new.example.com"},
	}}
}

// canned is a model that has looked at shots, at a terminal of that size.
func canned(t *testing.T, size Size, may bool) *model {
	t.Helper()
	m := newModel(t.Context(), Source{
		Look:   func(context.Context) (Snapshot, error) { return shot(9, may), nil },
		Follow: func(ctx context.Context, _ string, _ func(Line)) error { <-ctx.Done(); return nil },
		Do:     func(_ context.Context, args ...string) (string, error) { return strings.Join(args, " "), nil },
	})
	m.Update(tea.WindowSizeMsg{Width: size.Cols, Height: size.Rows})
	for n := range 9 {
		m.Update(lookMsg{snap: shot(n, may)})
	}
	m.keep([]Line{
		{At: start, Process: "web.1", Text: "listening on 5000"},
		{At: start.Add(time.Second), Process: "worker.1", Text: "hostile \x1b[2Jtext\x07 and a long line that goes on and on and on and on and on and on"},
		{At: start.Add(time.Second), Process: "router", Text: "GET /", Access: true},
	})
	return m
}

// keys types, a word for each special key.
func keys(m *model, list ...string) (cmd tea.Cmd) {
	special := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "backspace": tea.KeyBackspace, "up": tea.KeyUp, "down": tea.KeyDown}
	for _, k := range list {
		key := tea.KeyPressMsg{Code: special[k]}
		switch {
		case k == "ctrl+c":
			key = tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
		case special[k] == 0:
			key = tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
		}
		_, cmd = m.Update(key)
	}
	return cmd
}

// TestFrames draws screens of many sizes; go test ./internal/overview -update writes them.
func TestFrames(t *testing.T) {
	for name, c := range map[string]struct {
		size Size
		may  bool
		keys []string
	}{
		"usual":    {Size{80, 24}, true, nil},
		"wide":     {Size{140, 40}, true, nil},
		"narrow":   {Size{40, 24}, true, nil},
		"low":      {Size{80, 10}, true, nil},
		"tiny":     {Size{20, 4}, true, nil},
		"view":     {Size{80, 24}, false, []string{"r"}},
		"second":   {Size{80, 24}, true, []string{"down"}},
		"log":      {Size{80, 12}, true, []string{"l"}},
		"requests": {Size{80, 12}, true, []string{"l", "a"}},
		"help":     {Size{80, 24}, true, []string{"?"}},
		"scale":    {Size{80, 24}, true, []string{"s", "backspace", "2"}},
		"confirm":  {Size{80, 24}, true, []string{"b", "enter"}},
	} {
		m := canned(t, c.size, c.may)
		keys(m, c.keys...)
		lines := strings.Split(m.View().Content, "\n")
		if len(lines) > c.size.Rows {
			t.Errorf("%s: %d lines on %d rows", name, len(lines), c.size.Rows)
		}
		for _, l := range lines {
			if w := ansi.StringWidth(l); w > c.size.Cols {
				t.Errorf("%s: %d columns of %d: %q", name, w, c.size.Cols, l)
			}
		}
		got := ""
		for _, l := range lines {
			got += strings.TrimRight(ansi.Strip(l), " ") + "\n"
		}
		file := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || string(want) != got {
			t.Errorf("%s: the frame has changed (%v); see go test ./internal/overview -update:\n%s", name, err, got)
		}
	}
}

// TestFrames_AnySize draws on terminals that nobody has.
func TestFrames_AnySize(t *testing.T) {
	m := canned(t, Size{80, 24}, true)
	for cols := 0; cols < 130; cols += 9 {
		for rows := range 30 {
			m.Update(tea.WindowSizeMsg{Width: cols, Height: rows})
			if lines := strings.Split(m.View().Content, "\n"); len(lines) > max(rows, 1) {
				t.Fatalf("%dx%d: %d lines", cols, rows, len(lines))
			}
		}
	}
}

func TestModel_AsksBeforeItChanges(t *testing.T) {
	m := canned(t, Size{80, 24}, true)
	for _, c := range []struct {
		keys []string
		line string // that is carried out
	}{
		{[]string{"r", "n"}, ""},
		{[]string{"r", "enter"}, ""},
		{[]string{"r", "y"}, "ps:restart blog"},
		{[]string{"b", "enter", "y"}, "rollback blog v10"},
		{[]string{"s", "backspace", "4", "enter", "y"}, "ps:scale blog web=2 worker=4"},
		{[]string{"s", "y", "esc"}, ""},
		{[]string{"y"}, ""},
	} {
		cmd := keys(m, c.keys...)
		line := ""
		if cmd != nil {
			done, ok := cmd().(doneMsg)
			if !ok || m.busy != c.line {
				t.Errorf("%v: %v, busy with %q", c.keys, done, m.busy)
			}
			line = done.text
			m.Update(done)
		}
		if line != c.line || m.busy != "" {
			t.Errorf("%v: %q, want %q", c.keys, line, c.line)
		}
	}
}

func TestModel_OnlyWhatTheKeyMay(t *testing.T) {
	m := canned(t, Size{80, 24}, false)
	for _, k := range []string{"r", "b", "s"} {
		if cmd := keys(m, k, "y"); cmd != nil || m.prompt.open() || !strings.Contains(m.told, "not change it") {
			t.Errorf("%s: asked %v, told %q", k, m.prompt, m.told)
		}
	}
}

func TestModel_Quits(t *testing.T) {
	m := canned(t, Size{80, 24}, true)
	quits := func(cmd tea.Cmd) bool {
		if cmd == nil {
			return false
		}
		_, ok := cmd().(tea.QuitMsg)
		return ok
	}
	if !quits(keys(m, "q")) || !quits(keys(m, "ctrl+c")) || !quits(keys(m, "s", "ctrl+c")) {
		t.Error("q and Ctrl-C do not quit")
	}
	m = canned(t, Size{80, 24}, true)
	m.busy = "ps:restart blog"
	if quits(keys(m, "q")) || !strings.Contains(m.told, "q again") || !quits(keys(m, "q")) {
		t.Errorf("while something runs: %q", m.told)
	}
	if _, cmd := m.Update(lookMsg{err: errors.New("gone")}); !quits(cmd) || m.ended == nil {
		t.Error("it goes on although it may not look")
	}
}

func TestRates(t *testing.T) {
	var r rates
	for n, total := range []uint64{100, 110, 130, 5} { // the server began anew
		r.add(start.Add(time.Duration(n)*time.Second), App{Requests: total, Processes: []Process{{Pid: 7, CPU: time.Duration(n) * time.Second / 2, Memory: 10}}})
	}
	if got := fmt.Sprint(r.perSecond, r.cores, r.memory); got != "[10 20 0] [0.5 0.5 0.5] [10 10 10 10]" {
		t.Error(got)
	}
	if got := spark([]float64{0, 1, 2, 4}, 6, 1); got != "  ▁▃▅█" {
		t.Errorf("%q", got)
	}
	for range 2 * history {
		r.memory = push(r.memory, 1)
	}
	if len(r.memory) != history {
		t.Errorf("%d values are kept", len(r.memory))
	}
}

// FuzzClean checks that no text steers the terminal.
func FuzzClean(f *testing.F) {
	f.Add("\x1b[2J\x1b]0;title\x07\u009b31m\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range clean(s) {
			if r < ' ' || r >= 0x7f && r < 0xa0 {
				t.Errorf("%q leaves %q", s, r)
			}
		}
	})
}
