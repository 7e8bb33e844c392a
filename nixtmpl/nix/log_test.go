package nix

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the driver makes of the recorded logs")

// A log that nix wrote, and what the driver makes of it. Each file of testdata
// holds the exit status, "log" (stderr), "progress" and "error" (its fields).
func TestMonitor_RecordedLogs(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded logs: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			status, log := 0, ""
			if _, err := fmt.Sscanf(string(a.Comment), "exit status %d", &status); err != nil {
				t.Fatal(err)
			}
			var rest []txtar.File
			for _, f := range a.Files {
				if f.Name == "log" {
					log = string(f.Data)
				} else {
					rest = append(rest, f)
				}
			}
			var progress bytes.Buffer
			m := newMonitor(&progress, io.Discard, false, time.Now)
			feed(m, log)
			e := buildError(&exitError{code: status}, m, strings.Contains(file, "eval")).(*BuildError)
			got := []txtar.File{{Name: "progress", Data: progress.Bytes()}, {Name: "error", Data: []byte(describe(e))}}
			if *update {
				a.Files = append([]txtar.File{{Name: "log", Data: []byte(log)}}, got...)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(rest) != 2 {
				t.Fatalf("%d parts beside the log", len(rest))
			}
			for i, f := range got {
				if string(f.Data) != string(rest[i].Data) {
					t.Errorf("%s:\n%swant:\n%s", f.Name, f.Data, rest[i].Data)
				}
			}
		})
	}
}

func feed(m *monitor, log string) {
	w := &lineWriter{line: func(line []byte) { m.handle(parseEvent(line)) }}
	_, _ = io.WriteString(w, log) // a lineWriter does not fail
	w.flush()
}

func describe(e *BuildError) string {
	var b strings.Builder
	fmt.Fprintf(&b, "reason: %s\nstep: %s\nexit: %d\n", e.Reason, e.Step, e.ExitCode)
	if e.Signal != "" {
		fmt.Fprintf(&b, "signal: %s\n", e.Signal)
	}
	if e.File != "" {
		fmt.Fprintf(&b, "at: %s:%d\n", e.File, e.Line)
	}
	fmt.Fprintf(&b, "message: %s\n", e.Message)
	for _, m := range e.HashMismatches {
		fmt.Fprintf(&b, "mismatch: %s %s\n", m.Name, m.Got)
	}
	for _, line := range e.Tail {
		fmt.Fprintf(&b, "tail: %s\n", line)
	}
	return b.String()
}

// clock is a time that tests move by hand.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func TestMonitor_IsNeverSilent(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	var out bytes.Buffer
	m := newMonitor(&out, nil, false, c.now)
	m.enter("evaluating the flake")
	pass := func(n int) {
		for range n {
			c.t = c.t.Add(time.Second)
			m.tick()
		}
	}
	pass(9)
	m.enter("waiting for nix")
	feed(m, `@nix {"action":"msg","level":3,"msg":"these 2 derivations will be built:"}
@nix {"action":"start","id":1,"type":105,"fields":["/nix/store/wahynad7884jmn3y32mgp77iigd8y625-blog-deps-1.0.drv","",1,1]}
@nix {"action":"start","id":2,"type":105,"fields":["/nix/store/wahynad7884jmn3y32mgp77iigd8y626-blog-docs.drv","",1,1]}
@nix {"action":"result","id":1,"type":104,"fields":["npm ci"]}
`)
	pass(5)
	feed(m, `@nix {"action":"stop","id":1}
@nix {"action":"stop","id":2}
@nix {"action":"start","id":3,"type":108,"fields":["/nix/store/wahynad7884jmn3y32mgp77iigd8y626-gcc-14.2.0","https://cache"]}
@nix {"action":"start","id":4,"type":101,"fields":["https://cache/nar/x.nar.xz"]}
@nix {"action":"result","id":4,"type":105,"fields":[1048576,4194304,0,0]}
`)
	pass(4)
	want := `evaluating the flake, 4 s
evaluating the flake, 8 s
[1/2] blog-deps
[2/2] blog-docs
[1/2] blog-deps: npm ci
[1/2] blog-deps: npm ci, 4 s (and 1 more)
downloading 1.0 of 4.0 MiB: gcc
downloading 1.0 of 4.0 MiB: gcc, 9 s
`
	if out.String() != want {
		t.Errorf("progress:\n%swant:\n%s", out.String(), want)
	}
}

func TestStepName(t *testing.T) {
	hash := "/nix/store/wahynad7884jmn3y32mgp77iigd8y625-"
	for name, want := range map[string]string{
		"blog-deps.drv":                         "blog-deps",
		"blog-deps-1.2.3.drv":                   "blog-deps",
		"blog-go-modules-3f2c1aa0.drv":          "blog-go-modules",
		"python3.13-flask-3.0.1.drv":            "python3.13-flask",
		"libssl3t64_3.5.9-1_amd64.deb.drv":      "libssl3t64",
		"express-4.18.2.tgz.drv":                "express",
		"source":                                "source",
		"gcc-14.2.0":                            "gcc",
		"nodejs-22.1.0-dev":                     "nodejs",
		"deadbeef.drv":                          "deadbeef",
		"blog-deadbeef":                         "blog-deadbeef",
		"1.0.drv":                               "1.0",
		"blog-" + strings.Repeat("a1", 32):      "blog",
		"blog-0ccnxa25whszw7mgbgyzdm4nqc0zwnm8": "blog",
	} {
		if got := stepName(hash + name); got != want {
			t.Errorf("stepName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext":               "plain\ttext",
		"\x1b[31;1merror:\x1b[0m x": "error: x",
		"\x1b]0;title\x07after":     "after",
		"\x1b[2J\x1b[Hwiped":        "wiped",
		"progress 1\rprogress 2":    "progress 1progress 2",
		"\xff\xfe":                  "\ufffd",
		"caf\u00e9 \u202eevil":      "café evil",
		"bell\a\b \u009b31mC1":      "bell 31mC1",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLineWriter_BoundsALine(t *testing.T) {
	var got []int
	w := &lineWriter{line: func(b []byte) { got = append(got, len(b)) }}
	for range 100 {
		_, _ = w.Write(bytes.Repeat([]byte{'x'}, 10_000)) // a lineWriter does not fail
	}
	_, _ = w.Write([]byte("\nshort\r\n\nlast"))
	w.flush()
	if want := []int{maxLine, 5, 4}; !slices.Equal(got, want) {
		t.Errorf("lines of %v bytes, want %v", got, want)
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]Version{
		"nix (Nix) 2.8.0\n":                    {2, 8, 0},
		"nix (Nix) 2.27.0pre20250101_abcdef":   {2, 27, 0},
		"nix (Lix, like Nix) 2.91.1":           {2, 91, 1},
		"nix (Determinate Nix 3.1.2) 2.28.1":   {2, 28, 1},
		"nix (Nix) 2.34":                       {2, 34, 0},
		"nix (Nix) 2.8.0\nSystem type: x86_64": {2, 8, 0},
	} {
		if got, err := ParseVersion(text); err != nil || got != want {
			t.Errorf("ParseVersion(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "\n", "nix", "nix (Nix) x.y"} {
		if _, err := ParseVersion(text); err == nil {
			t.Errorf("ParseVersion(%q): no error", text)
		}
	}
}

func TestParsePathInfo_AllShapes(t *testing.T) {
	const path = "/nix/store/wahynad7884jmn3y32mgp77iigd8y625-zdep-1.0"
	for name, text := range map[string]string{
		"2.8":     `[{"path":"` + path + `","narSize":120,"narHash":"sha256:x","references":["` + path + `"]}]`,
		"2.26":    `{"` + path + `":{"narSize":120,"narHash":"sha256-x","references":["` + path + `"],"ca":null,"deriver":null}}`,
		"wrapped": `{"version":2,"storeDir":"/nix/store","info":{"` + filepath.Base(path) + `":{"narSize":120,"references":["` + filepath.Base(path) + `"]}}}`,
	} {
		infos, err := parsePathInfo([]byte(text))
		if err != nil || len(infos) != 1 || infos[0].Path != path || infos[0].Size != 120 || infos[0].References[0] != path {
			t.Errorf("%s: %+v, %v", name, infos, err)
		}
	}
	for _, text := range []string{``, `null x`, `[{"path":"/etc/passwd"}]`, `{"` + path + `":null}`, `[1]`} {
		if infos, err := parsePathInfo([]byte(text)); err == nil {
			t.Errorf("%q: %+v, no error", text, infos)
		}
	}
}

func FuzzParsePathInfo(f *testing.F) {
	f.Add([]byte(`{"info":{"a":{}}}`))
	f.Add([]byte(`[{"path":"/nix/store/wahynad7884jmn3y32mgp77iigd8y625-zdep-1.0"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		infos, err := parsePathInfo(data)
		for _, i := range infos {
			if err == nil && filepath.Dir(i.Path) != StoreDir {
				t.Errorf("path %q", i.Path)
			}
		}
	})
}

// Whatever nix or a build writes, progress is complete clean lines, and an error comes out.
func FuzzMonitor(f *testing.F) {
	f.Add(`@nix {"action":"start","id":1,"type":105,"fields":["/nix/store/x-a.drv"]}` + "\n" + `@nix {"action":"result","id":1,"type":101,"fields":["hi"]}`)
	f.Add(`@nix {"action":"msg","level":0,"msg":"\u001b[31;1merror:\u001b[0m builder for '/nix/store/x-a.drv' failed with exit code 3"}`)
	f.Add(`@nix {"action":1,"id":"x","fields":{},"level":[]}` + "\n@nix null\n@nix \nplain\nerror: x")
	f.Add("@nix {\"action\":\"start\",\"id\":2,\"type\":101,\"text\":\"\x1b[2Jx\\ny\"}")
	f.Fuzz(func(t *testing.T, log string) {
		c := &clock{time.Unix(1000, 0)}
		var out bytes.Buffer
		m := newMonitor(&out, io.Discard, true, c.now)
		feed(m, log)
		c.t = c.t.Add(time.Minute)
		m.tick()
		m.end()
		if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") || !utf8.ValidString(s) ||
			strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			t.Errorf("progress %q", s)
		}
		if err := buildError(&exitError{code: 1, state: "exit status 1"}, m, false); err.Error() == "" {
			t.Error("no error text")
		}
	})
}

func FuzzParseMismatches(f *testing.F) {
	f.Add("error: hash mismatch in fixed-output derivation '/nix/store/x-a.drv':\n   specified: sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n      got:    sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range parseMismatches(text) {
			if _, _, err := ParseHash(m.Got); err != nil || m.Drv == "" || strings.ContainsAny(m.Drv, " \n'") {
				t.Errorf("%+v, %v", m, err)
			}
		}
	})
}
