package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hop3/internal/screen"
)

// maxScreen bounds what a script waits for on a screen.
const maxScreen = 2 * time.Minute

// screen open COLSxROWS ARG… calls the server in a terminal; the program that
// is called is ssh, or hop3 or zsh where ARG begins with it. Then: screen sees RE, screen lacks RE,
// screen types KEYS (with \r for Enter), screen is COLSxROWS, screen ends CODE,
// screen hangs up.
func screenCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	ctx, cancel := context.WithTimeout(context.Background(), maxScreen)
	defer cancel()
	switch args[0] {
	case "open":
		w.openScreen(ts, args[1], args[2:])
	case "sees":
		ts.Check(w.screen.Await(ctx, regexp.MustCompile("(?m)"+args[1])))
	case "lacks":
		if regexp.MustCompile("(?m)" + args[1]).MatchString(w.screen.Text()) {
			ts.Fatalf("it is on the screen:\n%s", w.screen.Text())
		}
	case "types":
		keys, err := strconv.Unquote(`"` + args[1] + `"`)
		ts.Check(err)
		ts.Check(w.screen.Type(keys))
	case "is":
		cols, rows := screenSize(ts, args[1])
		ts.Check(w.screen.Resize(cols, rows))
	case "ends":
		code, err := w.screen.Exit(ctx)
		ts.Check(err)
		if fmt.Sprint(code) != args[1] {
			ts.Fatalf("exit code %d, want %s; the screen:\n%s", code, args[1], w.screen.Text())
		}
	case "hangs":
		w.screen.End()
	default:
		ts.Fatalf("usage: screen open|sees|types|is|ends|hangs …")
	}
}

func screenSize(ts *testscript.TestScript, text string) (cols, rows int) {
	_, err := fmt.Sscanf(text, "%dx%d", &cols, &rows)
	ts.Check(err)
	return cols, rows
}

func (w *world) openScreen(ts *testscript.TestScript, size string, args []string) {
	cols, rows := screenSize(ts, size)
	var cmd *exec.Cmd
	switch {
	case len(args) > 0 && args[0] == "hop3":
		cmd = w.prepare(ts, context.Background(), args[0], args[1:])
	case len(args) > 0 && args[0] == "zsh":
		cmd = w.prepare(ts, context.Background(), "zsh", []string{"-f"})
	default:
		options, _ := w.sshArgs(ts, nil)
		if len(args) > 0 {
			options = append(append([]string{"-t"}, options...), args...)
		} else {
			options = options[:len(options)-1] // without a command there is no --
		}
		cmd = w.prepare(ts, context.Background(), "ssh", options)
	}
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	if term := ts.Getenv("TERM"); term != "" {
		cmd.Env = append(cmd.Env, "TERM="+term)
	}
	s, err := screen.Start(cmd, cols, rows)
	ts.Check(err)
	w.screen = s
	ts.Defer(s.End)
}
