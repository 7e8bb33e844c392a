package detect

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestParseProcfile(t *testing.T) {
	got, err := ParseProcfile([]byte("\xef\xbb\xbf# comment\r\n\r\nweb:  gunicorn a:b --bind :$PORT\r\n worker : ./run\nurl: curl http://x:1/ # not a comment\n"))
	want := []Process{{"web", "gunicorn a:b --bind :$PORT", "Procfile", 3}, {"worker", "./run", "Procfile", 4}, {"url", "curl http://x:1/ # not a comment", "Procfile", 5}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, c := range []struct {
		text string
		line int
		msg  string
	}{
		{"web: a\nweb: b", 2, `"web" is declared twice, first in line 1`},
		{"web: a\n\nworker b", 3, "no colon"},
		{"<<<<<<< HEAD\nweb: a", 1, "merge marker"},
		{"web: a\n=======\n", 2, "merge marker"},
		{"web: a\n>>>>>>> b: x\n", 2, "merge marker"},
		{"web:", 1, "has no command"},
		{"-x: a", 1, "not a process name"},
		{"a b: c", 1, "not a process name"},
		{strings.Repeat("a", 64) + ": x", 1, "not a process name"},
		{"web: a\x00b", 1, "NUL"},
	} {
		_, err := ParseProcfile([]byte(c.text))
		pe, ok := errors.AsType[*ParseError](err)
		if !ok || pe.Line != c.line || !strings.Contains(pe.Msg, c.msg) || pe.File != "Procfile" {
			t.Errorf("%q: %v, want line %d %q", c.text, err, c.line, c.msg)
		}
	}
}

func FuzzParseProcfile(f *testing.F) {
	f.Add([]byte("web: a\r\n#x\nworker: b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		procs, err := ParseProcfile(data)
		seen := map[string]bool{}
		for _, p := range procs {
			if err != nil || seen[p.Name] || !procName.MatchString(p.Name) || strings.TrimSpace(p.Command) == "" || strings.ContainsAny(p.Command, "\n\x00") {
				t.Fatalf("%v gave %v, %v", data, procs, err)
			}
			seen[p.Name] = true
		}
	})
}

func TestNeedsShell(t *testing.T) {
	for command, want := range map[string]bool{
		"web": false, "gunicorn --bind :$PORT app:app": false, "web --addr=:${PORT}": false, `web -m "a b"`: false,
		"web --addr=$HOST:$PORT": true, "a && b": true, "A=1 web": true, "web > log": true, "cd x; y": true, "web $PORTS": true, "web *.txt": true,
	} {
		if got := NeedsShell(command); got != want {
			t.Errorf("NeedsShell(%q) = %v", command, got)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add("[run]\nstart = \"x\"\n", "A=b", `{"env":{"A":"b"}}`)
	f.Fuzz(func(t *testing.T, hop3, env, app string) {
		fsys := fstest.MapFS{"hop3.toml": {Data: []byte(hop3)}, "ENV": {Data: []byte(env)}, "app.json": {Data: []byte(app)}}
		tr, err := load(fsys)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := readManifest(tr, ""); err != nil {
			if _, ok := errors.AsType[*ParseError](err); !ok {
				t.Fatalf("%T %v", err, err)
			}
		}
	})
}

func FuzzNixCode(f *testing.F) {
	f.Add("a # b\n\"x${y}\\\"\" ''a'''b''${c}'' /* d */")
	f.Fuzz(func(t *testing.T, src string) {
		code := nixCode(src)
		if len(code) != len(src) || strings.Count(code, "\n") != strings.Count(src, "\n") {
			t.Fatalf("%q became %q", src, code)
		}
		defaultPackage(code)
	})
}
