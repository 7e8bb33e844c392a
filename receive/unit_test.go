package receive

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

func TestParsePath(t *testing.T) {
	for arg, want := range map[string]string{
		"app": "app", "/app": "app", "~/app": "app", "app.git": "app", "/app.git/": "app", "a": "a", "a-1": "a-1", "0": "0",
		strings.Repeat("a", 63): strings.Repeat("a", 63), strings.Repeat("a", 64): "",
		"": "", "/": "", ".git": "", "//app": "", "app//": "", "App": "", "-a": "", "a-": "", "a_b": "", "a.b": "", "../app": "", "a/b": "",
		"~app": "", "~u/app": "", "app.git.git": "", "app\n": "", "a b": "", "/~/app": "", "ä": "",
	} {
		got, err := ParsePath(arg)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", arg, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "1 to 63 of a-z, 0-9 and -") {
			t.Errorf("%q: the rule is missing: %v", arg, err)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add("/app.git/")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, arg string) {
		app, err := ParsePath(arg)
		if (err == nil) != appName.MatchString(app) || !strings.Contains(arg, app) {
			t.Fatalf("%q: %q, %v", arg, app, err)
		}
		if again, err2 := ParsePath(app); err == nil && (again != app || err2 != nil) {
			t.Fatalf("%q is not its own name: %q", app, again)
		}
	})
}

// What readPkt takes is what pkt writes; nothing is read past it.
func FuzzPkt(f *testing.F) {
	for _, s := range []string{"0000", "0004", "0005a", "0001", "fff0", "zzzz", "00", "0006ab rest"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		line, err := readPkt(r)
		if errors.Is(err, errFlush) && !bytes.HasPrefix(b, []byte("0000")) {
			t.Fatal("a flush that is none")
		}
		if err != nil {
			return
		}
		if want := pkt("%s", line); !strings.EqualFold(want, string(b[:len(b)-r.Len()])) {
			t.Fatalf("%q read as %q", b, line)
		}
	})
}

func FuzzReadRequest(f *testing.F) {
	id := strings.Repeat("a", 40)
	f.Add(pkt("%s %s refs/heads/main\x00 report-status push-options", zeroID, id) + "0000" + pkt("plan") + "0000")
	f.Add(pkt("shallow %s", id) + pkt("%s %s refs/heads/main\n", id, zeroID) + "0000")
	f.Fuzz(func(t *testing.T, s string) {
		q, err := readRequest(bufio.NewReader(strings.NewReader(s)), Limits{Commands: 3}.withDefaults())
		if err != nil {
			return
		}
		for _, c := range q.commands {
			if !isID(c.old) || !isID(c.new) || c.ref == "" {
				t.Fatalf("%+v", c)
			}
		}
		if len(q.commands) == 0 || len(q.commands) > 3 {
			t.Fatalf("%d commands", len(q.commands))
		}
	})
}

// A name that passes is a name that git takes.
func FuzzValidRef(f *testing.F) {
	for _, s := range []string{"refs/heads/main", "refs/heads/a..b", "refs/heads/a.lock/b", "refs/heads/@", "refs/heads/ä", "refs/x/y/z", "refs/heads/a@{b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if strings.ContainsRune(name, 0) || !validRef(name) {
			return
		}
		if err := exec.Command("git", "check-ref-format", name).Run(); err != nil {
			t.Fatalf("git refuses %q", name)
		}
	})
}

func FuzzCleanLine(f *testing.F) {
	f.Add("\x1b[31mred\x1b[1G\x1b[K")
	f.Add("50%\r100%")
	f.Fuzz(func(t *testing.T, s string) {
		out := cleanLine(strings.ReplaceAll(s, "\n", ""))
		for rest := out; ; {
			i := strings.IndexByte(rest, '\x1b')
			if i < 0 {
				break
			}
			if esc := escapes.FindString(rest[i:]); !colour.MatchString(esc) {
				t.Fatalf("%q keeps %q", out, esc)
			}
			rest = rest[i+1:]
		}
		if strings.ContainsAny(out, "\r\n\x00\x07\x08\u009b") {
			t.Fatalf("%q", out)
		}
	})
}

func TestCleanLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                             "plain",
		"10%\r50%\r100%\r":                  "100%",
		"\x1b[32mok\x1b[0m":                 "\x1b[32mok\x1b[0m",
		"\x1b[32mok":                        "\x1b[32mok\x1b[0m",
		"a\x1b[1G\x1b[Kb\x1b[2J":            "ab",
		"\x1b]0;title\x07x\x1b]8;;u\x1b\\y": "xy",
		"\x1b[?25lx\x1b7y\x1bMz\x1b(B":      "xyz",
		"tab\tand\x00nul\x08":               "tab\tandnul",
		"\xff\u009b1G":                      "\ufffd1G",
		"end\x1b":                           "end",
		"\x1b\x1b[31mx":                     "\x1b[31mx\x1b[0m",
		"\x1b[\x1b[1Gx":                     "x",
	} {
		if got := cleanLine(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestLineWriter_CompletesLines(t *testing.T) {
	var out writes
	w := &lineWriter{w: &out}
	for _, s := range []string{"a", "b\nc", "\nd\r", "\n", strings.Repeat("x", maxLine), "tail"} {
		if n, err := io.WriteString(w, s); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	want := []string{"ab\n", "c\n", "d\n", strings.Repeat("x", maxLine) + "\n", "tail\n"}
	if strings.Join(out, "|") != strings.Join(want, "|") {
		t.Errorf("%.100q", []string(out))
	}
}

type writes []string

func (w *writes) Write(p []byte) (int, error) { *w = append(*w, string(p)); return len(p), nil }

// However the stream is cut, a pack is read to its last byte and no further.
func TestPackReader_StopsAtTheTrailer(t *testing.T) {
	pack := append([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00"),
		"\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e"...)
	for size := 1; size <= len(pack)+1; size++ {
		r, w := io.Pipe()
		go func() { // the pipe stays open: a read past the end would wait for ever
			for rest := pack; len(rest) > 0; {
				n := min(size, len(rest))
				w.Write(rest[:n])
				rest = rest[n:]
			}
		}()
		p := newPackReader(bufio.NewReader(r), Limits{}.withDefaults())
		b, err := io.ReadAll(p)
		if err != nil || !bytes.Equal(b, pack) || !p.ended() {
			t.Errorf("cut at %d: %d bytes, %v", size, len(b), err)
		}
	}
}

func TestWriteError(t *testing.T) {
	var b bytes.Buffer
	if err := WriteError(&b, "no such app\n\x1b[1G"+strings.Repeat("x", 70_000)); err != nil {
		t.Fatal(err)
	}
	line, err := readPkt(&b)
	if err != nil || !bytes.HasPrefix(line, []byte("ERR no such app")) || bytes.ContainsAny(line, "\n\x1b") || b.Len() > 0 {
		t.Errorf("%.40q, %v", line, err)
	}
}
