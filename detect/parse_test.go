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
	want := []Process{{"web", "gunicorn a:b --bind :$PORT", "Procfile"}, {"worker", "./run", "Procfile"}, {"url", "curl http://x:1/ # not a comment", "Procfile"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
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
				t.Fatalf("%q gave %q, %v", data, procs, err)
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

func TestParseRequirements(t *testing.T) {
	lines, err := parseRequirements("requirements.txt", []byte("Flask[async]>=3 , <4 # web\r\n\nJinja2==3.1.6 \\\n    --hash=sha256:aa\nzope.interface ; python_version<'3'\n-r base.txt\n-cother.txt\n--index-url https://x\n"))
	if err != nil || len(lines) != 5 {
		t.Fatalf("%+v, %v", lines, err)
	}
	r := lines[0].req
	if r.Name != "flask" || r.Spec != ">=3,<4" || !slices.Equal(r.Extras, []string{"async"}) || r.Pinned() {
		t.Errorf("%+v", r)
	}
	if r := lines[1]; !r.hashed || !r.req.Pinned() || r.req.Line != 3 {
		t.Errorf("%+v", r)
	}
	if r := lines[2].req; r.Name != "zope-interface" || r.Marker == "" {
		t.Errorf("%+v", r)
	}
	if lines[3].include != "base.txt" || lines[4].include != "other.txt" || !lines[4].constraint {
		t.Errorf("%+v", lines[3:])
	}
	for _, bad := range []string{"flask=1", "flask >", "???", "a b"} {
		if _, err := parseRequirements("r", []byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		} else if _, ok := errors.AsType[*ParseError](err); !ok {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"-e .", "git+https://x/y", "./lib", "x @ https://y", "--find-links dir"} {
		if _, err := parseRequirements("r", []byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		} else if _, ok := errors.AsType[*UnsupportedError](err); !ok {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseRequirements(f *testing.F) {
	f.Add([]byte("flask[async]>=3,<4 ; x --hash=a \\\n b\n-r x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := parseRequirements("r", data)
		if err != nil {
			return
		}
		for _, l := range lines {
			if l.include == "" && (l.req.Name != normalName(l.req.Name) || l.req.Name == "" || strings.ContainsAny(l.req.Spec, " \n")) {
				t.Fatalf("%q gave %+v", data, l)
			}
		}
	})
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
