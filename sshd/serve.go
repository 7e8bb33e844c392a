package sshd

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/gliderlabs/ssh"
)

// Exit statuses that this package gives itself; the handler has its own.
const (
	exitRefused = 1   // a service that there is not
	exitUsage   = 2   // a command line that cannot be read
	exitTrouble = 7   // a handler that panicked
	exitMost    = 254 // 255 is what ssh itself exits with when it fails
)

// serve runs the command of a session and gives its exit status. The library
// calls it on a goroutine of its own.
func serve(sess ssh.Session) {
	ses := sess.Context().Value(sessionKey{}).(*session)
	defer ses.conn.srv.calls.Done() // begun by start
	defer ses.cancel(nil)
	code := exitStatus(ses.run())
	ses.release()       // before the client can know that there is room again
	_ = sess.Exit(code) // told or gone
}

func exitStatus(code int) int {
	if code < 0 || code > exitMost {
		return exitMost
	}
	return code
}

// run runs the session's command to its end, a panic included.
func (ses *session) run() (code int) {
	call := ses.call()
	talk := call.Lines(call.Err)
	defer func() {
		if p := recover(); p != nil {
			ses.conn.log.WithField("user", ses.who.Name).
				Errorf("ssh command panicked: %v\n%s", p, debug.Stack())
			say(talk, complaint("the server failed at this command", "its log has the details"))
			code = exitTrouble
		}
	}()
	for _, refusal := range ses.refusals {
		say(talk, refusal)
	}
	if ses.subsystem != "" {
		say(talk, complaint(fmt.Sprintf("%.32q is refused: hop3 serves git and commands, not files", ses.subsystem),
			"push code with git; move data with backup and restore"))
		return exitRefused
	}
	args, err := ses.words()
	if err != nil {
		say(talk, complaint(err.Error(), hint(err)))
		return exitUsage
	}
	call.Args = args
	return ses.conn.srv.opts.Handle(ses.ctx, call)
}

func (ses *session) words() ([]string, error) {
	if most := ses.conn.srv.limits.CommandBytes; len(ses.command) > most {
		return nil, fmt.Errorf("the command has %d bytes, %d are the most", len(ses.command), most)
	}
	return split(ses.command)
}

func (ses *session) call() *Call {
	c := &Call{
		Raw: ses.command, In: ses.raw, Out: ses.raw, Err: ses.raw.Stderr(),
		Who: ses.who, Remote: ses.conn.RemoteAddr(), Env: ses.env,
		Signals: ses.signals, Stopping: ses.conn.srv.stopping,
	}
	if ses.pty {
		c.Pty = &Pty{Term: ses.term, Window: ses.window, Resize: ses.resize}
	}
	return c
}

// say prints text to the client, who may be gone.
func say(w io.Writer, text string) { _, _ = io.WriteString(w, text) }
