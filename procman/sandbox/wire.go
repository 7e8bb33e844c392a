package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Marker is the first argument by which the re-executed binary knows that it
// is the init of a one-off sandbox.
const Marker = "hop3-sandbox"

// File descriptors of the init when it starts. Those of LaunchOptions.Files follow.
const (
	fdSpec    = 3 // read end of a pipe: one JSON envelope
	fdControl = 4 // one end of a seqpacket socket pair
	fdOOM     = 5 // counter of the cgroup's out-of-memory kills, or /dev/null
	fdFirst   = 6
)

// envelope is what goes through the specification pipe.
type envelope struct {
	Spec    Spec
	UserNS  bool
	Pty     *Window         `json:",omitempty"`
	Payload json.RawMessage `json:",omitempty"`
}

// message is one packet on the control socket. The outer half sends Go (the
// cgroups are joined), Keep (it has written down what it must) and Signal; the
// inner half answers with Started, Failed and Ended.
type message struct {
	Go      bool        `json:"go,omitempty"`
	Keep    bool        `json:"keep,omitempty"`
	Signal  int         `json:"signal,omitempty"`
	Started bool        `json:"started,omitempty"`
	Failed  *Error      `json:"failed,omitempty"`
	Ended   *ExitStatus `json:"ended,omitempty"`
}

// maxMessage bounds a packet; an *Error with a long path fits many times.
const maxMessage = 16 << 10

// control is one end of the socket pair, in blocking mode: its reader is a
// thread of its own, which keeps the net package out of the init.
type control struct{ fd int }

func controlPair() (outer *control, inner *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make control socket: %w", err)
	}
	if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, fmt.Errorf("make control socket: %w", err)
	}
	return &control{fds[0]}, os.NewFile(uintptr(fds[1]), "control"), nil
}

func (c *control) send(m message, oob []byte) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	for {
		err = unix.Sendmsg(c.fd, b, oob, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

// ancillary is what the kernel attached to a message.
type ancillary struct {
	pid  int // of SCM_CREDENTIALS, as the receiver's namespace counts
	file *os.File
}

// recv waits for the next message; io.EOF says that the other side is gone.
func (c *control) recv() (m message, a ancillary, err error) {
	buf, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4))
	n, oobn, err := 0, 0, error(unix.EINTR)
	for err == unix.EINTR {
		n, oobn, _, _, err = unix.Recvmsg(c.fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil {
		return m, a, fmt.Errorf("read control socket: %w", err)
	}
	if n == 0 {
		return m, a, io.EOF
	}
	if err := a.parse(oob[:oobn]); err != nil {
		return m, a, err
	}
	if err := json.Unmarshal(buf[:n], &m); err != nil {
		return m, a, fmt.Errorf("read control socket: %w", err)
	}
	return m, a, nil
}

func (a *ancillary) parse(oob []byte) error {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("read control socket: %w", err)
	}
	for i := range msgs {
		if cred, err := unix.ParseUnixCredentials(&msgs[i]); err == nil {
			a.pid = int(cred.Pid)
		}
		if fds, err := unix.ParseUnixRights(&msgs[i]); err == nil && len(fds) > 0 {
			a.file = os.NewFile(uintptr(fds[0]), "pty")
		}
	}
	return nil
}

func (c *control) close() { unix.Close(c.fd) }

// errGone is a control socket whose other end has died.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
