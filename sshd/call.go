package sshd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
)

// Call is one command of one client. It is valid until Handle returns.
type Call struct {
	// Args is the command line as POSIX words, never expanded. Nil: none was
	// given, whether or not a terminal was asked for.
	Args []string
	// Raw is the command line as it came.
	Raw string
	// In ends with io.EOF when the client has no more, or is gone.
	In io.Reader
	// Out and Err are unbuffered. A write waits until the client has room and
	// fails once it is gone. With a pty, what is written must end its lines
	// in CR LF; see Lines.
	Out, Err io.Writer
	// Who makes the call; its Name is never empty.
	Who Identity
	// Remote is where the client is.
	Remote net.Addr
	// Pty is nil unless the client asked for a terminal (ssh -t).
	Pty *Pty
	// Env holds what the client set of GIT_PROTOCOL, LANG, LC_*, TERM, HOP3_*.
	Env map[string]string
	// Signals gets what the client's signal requests name, "INT" for SIGINT.
	// It is closed when the client is gone. OpenSSH's client sends none for
	// Ctrl-C: that closes the channel, or is a byte of In if there is a pty.
	Signals <-chan string
	// Stopping is closed when the server begins to stop. A call that has no
	// end of its own should end then; others have until Shutdown gives up.
	Stopping <-chan struct{}
}

// Pty describes the client's terminal. There is none on this side: bytes pass
// unchanged both ways, Ctrl-C arrives as 0x03, and nothing is echoed.
type Pty struct {
	// Term is the terminal's type, of letters, digits and "+-._" only.
	Term string
	// Window is the size when the command began.
	Window Window
	// Resize gets later sizes; those in between are skipped. It need not be
	// read, and is closed when the client is gone.
	Resize <-chan Window
}

// Window is a terminal's size in characters.
type Window struct{ Cols, Rows uint16 }

// Lines returns w for text whose lines end in LF: as it is without a pty, else
// with a CR put before each LF that has none. Writers of it must not be shared.
func (c *Call) Lines(w io.Writer) io.Writer {
	if c.Pty == nil {
		return w
	}
	return &crlf{w: w}
}

// ErrInterrupted is the cause of a context that Ctrl-C ended.
var ErrInterrupted = errors.New("interrupted")

// Interruptible returns a context that also ends, with ErrInterrupted, when
// the client types Ctrl-C at a pty. It is for calls that have no use for In,
// because it reads and drops what comes from there. Without a pty, Ctrl-C
// closes the channel, and ctx itself ends.
func (c *Call) Interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if c.Pty != nil {
		go func() { // ends with the channel, which closes when the call returns
			buf := make([]byte, 256)
			for {
				n, err := c.In.Read(buf)
				if bytes.IndexByte(buf[:n], 0x03) >= 0 {
					cancel(ErrInterrupted)
				}
				if err != nil {
					return
				}
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

// crlf puts a CR before each LF that does not follow one.
type crlf struct {
	w    io.Writer
	last byte
}

// Write reports len(p) when everything was written, else 0: how much of p a
// part of the longer text stands for is not worth knowing.
func (c *crlf) Write(p []byte) (int, error) {
	var out bytes.Buffer
	for _, b := range p {
		if b == '\n' && c.last != '\r' {
			out.WriteByte('\r')
		}
		out.WriteByte(b)
		c.last = b
	}
	if _, err := c.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// complaint is an error as hop3 prints them: what is wrong, and what to do.
func complaint(what, do string) string {
	text := " !     " + what + "\n"
	if do != "" {
		text += "       " + do + "\n"
	}
	return text
}
