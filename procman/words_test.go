package procman

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/shlex"
)

var someVars = map[string]string{"PORT": "20001", "HOST": "127.0.0.1"}

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		in    string
		words []string
		shell bool
	}{
		{"./server", []string{"./server"}, false},
		{"gunicorn app:app --bind $HOST:$PORT", []string{"gunicorn", "app:app", "--bind", "127.0.0.1:20001"}, false},
		{"node -p ${PORT}x", []string{"node", "-p", "20001x"}, false},
		{`a "b c" 'd $PORT' e\ f ""`, []string{"a", "b c", "d $PORT", "e f", ""}, false},
		{`a "x $PORT \" \n"`, []string{"a", `x 20001 " \n`}, false},
		{"a --k=v -j#2", []string{"a", "--k=v", "-j#2"}, false},
		{"  ", nil, false},
		{"a\tb", []string{"a", "b"}, false},
		{"K=v a", nil, true},
		{"a $SECRET", nil, true},
		{"a ${PORT:-1}", nil, true},
		{"a $PORTX", nil, true},
		{"a $", nil, true},
		{`a "$(b)"`, nil, true},
		{`a "` + "`b`" + `"`, nil, true},
		{"a && b", nil, true}, {"a | b", nil, true}, {"a; b", nil, true}, {"a &", nil, true}, {"a > b", nil, true},
		{"a *.rb", nil, true}, {"~/a", nil, true}, {"a {b,c}", nil, true}, {"! a", nil, true}, {"a # b", nil, true},
		{"a\nb", nil, true},
	} {
		words, shell, err := split(tc.in, someVars)
		if err != nil || shell != tc.shell || !slices.Equal(words, tc.words) {
			t.Errorf("split(%q) = %q, %v, %v; want %q, %v", tc.in, words, shell, err, tc.words, tc.shell)
		}
	}
	for _, bad := range []string{`a "b`, `a 'b`, `a \`} {
		if _, _, err := split(bad, someVars); err == nil {
			t.Errorf("split(%q): no error", bad)
		}
	}
}

func TestWithExec(t *testing.T) {
	for _, tc := range [][2]string{
		{"node a.js", "exec node a.js"},
		{"node a.js --port ${PORT:-1} $X", "exec node a.js --port ${PORT:-1} $X"},
		{"K=1 L='a b' node a.js", "K=1 L='a b' exec node a.js"},
		{"K=$X node a.js", "K=$X exec node a.js"},
		{"cd web && node a.js", "cd web && exec node a.js"},
		{"cd web; node a.js", "cd web; exec node a.js"},
		{"migrate && node a.js", "migrate && exec node a.js"},
		{"node a.js > /tmp/log 2>&1", "exec node a.js > /tmp/log 2>&1"},
		{"exec node a.js", "exec node a.js"},
		{"node a.js | tee x", "node a.js | tee x"},
		{"node a.js & node b.js", "node a.js & node b.js"},
		{"a || b", "a || b"},
		{"(a; b)", "(a; b)"},
		{"if a; then b; fi", "if a; then b; fi"},
		{"while true; do a; done", "while true; do a; done"},
		{"for i in 1 2; do a; done", "for i in 1 2; do a; done"},
		{"cd web", "cd web"},
		{"a\nb", "a\nb"},
		{"a <<E\nb\nE", "a <<E\nb\nE"},
		{`a "$(b)"`, `a "$(b)"`},
		{"a &&", "a &&"},
		{"K=1", "K=1"},
		{"echo hi", "echo hi"},
		{"trap x TERM; a", "trap x TERM; a"},
		{"f() { a; }; f", "f() { a; }; f"},
	} {
		if got := withExec(tc[0]); got != tc[1] {
			t.Errorf("withExec(%q) = %q, want %q", tc[0], got, tc[1])
		}
	}
}

// FuzzSplit holds the splitter against shlex, and against the machine's own shell.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"a b", `a "b c" d`, `a 'b' $PORT`, `a\ b "c\"d"`, "a=b", `""`, `"a"'b'c`, "$PORT$HOST", `\$PORT`, "a\\\nb"} {
		f.Add(s)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string) {
		words, shell, err := split(in, someVars)
		if err != nil || shell || strings.ContainsRune(in, 0) || len(in) > 10_000 {
			return
		}
		if utf8.ValidString(in) && !strings.ContainsAny(in, "\\$'#\v\f\u0085\u00a0") { // shlex does not know $ and escapes more in double quotes
			if want, err := shlex.Split(in); err == nil && !slices.Equal(words, want) {
				t.Errorf("split(%q) = %q, shlex %q", in, words, want)
			}
		}
		cmd := exec.Command(sh, "-c", "printf '%s\\001' "+in)
		cmd.Env = []string{"PORT=20001", "HOST=127.0.0.1"}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("sh does not take %q: %v", in, err)
		}
		got := ""
		for _, w := range words {
			got += w + "\x01"
		}
		if len(words) == 0 {
			got = "\x01"
		}
		if got != string(out) {
			t.Errorf("split(%q) = %q, sh %q", in, got, out)
		}
	})
}
