package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// errCut is the end of a response whose backend was closed while it was under way.
var errCut = errors.New("the time to drain is over")

const (
	// frameGrace is how long the app may take to complete the websocket frame that it has begun when its time is over.
	frameGrace = time.Second
	// closeGrace is how long a websocket's client has to answer the word that it will be closed.
	closeGrace = 2 * time.Second
)

// restartFrame closes a websocket with status 1012, service restart (RFC 6455, 5.5.1 and 7.4; the registry of
// close codes). Clients take it for a reason to connect again. A server's frames are not masked.
const restartFrame = "\x88\x11\x03\xf4service restart"

// A socket is the app's side of a websocket. It follows the frames that the app
// sends, so that at its end it can say so to the client between two of them.
type socket struct {
	io.ReadWriteCloser
	wake   func(time.Time) error // sets the deadline of reads
	ending atomic.Bool

	// of the reader
	frames  frames
	waiting bool   // for the rest of a frame
	word    string // what is left of restartFrame
	told    bool
}

// upgraded returns the app's side of a connection after the response res: a
// socket, nil if it is none. Wake sets the connection's deadline of reads.
func upgraded(res *http.Response, wake func(time.Time) error) *socket {
	rw, ok := res.Body.(io.ReadWriteCloser)
	if !ok || wake == nil || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
		return nil
	}
	return &socket{ReadWriteCloser: rw, wake: wake}
}

// end makes Read say at the next boundary of frames that the service restarts, and end then.
func (s *socket) end() {
	s.ending.Store(true)
	_ = s.wake(time.Unix(1, 0)) // else closed, which the read says
}

// Read reads what the app sends, and at last what the client is told.
func (s *socket) Read(p []byte) (int, error) {
	for {
		if s.told || s.ending.Load() && s.frames.between() {
			return s.tell(p)
		}
		if s.ending.Load() {
			p = p[:min(uint64(len(p)), s.frames.rest())]
		}
		n, err := s.ReadWriteCloser.Read(p)
		s.frames.feed(p[:n])
		switch {
		case n > 0 || err == nil:
			return n, nil
		case !s.ending.Load():
			return 0, err
		case s.frames.between():
		case errors.Is(err, os.ErrDeadlineExceeded) && !s.waiting:
			s.waiting = true
			_ = s.wake(time.Now().Add(frameGrace)) // else closed, which the read says
		default:
			return 0, err
		}
	}
}

// tell reads restartFrame, unless the app has closed the websocket itself.
func (s *socket) tell(p []byte) (int, error) {
	if !s.told {
		s.told = true
		if !s.frames.closed {
			s.word = restartFrame
		}
	}
	n := copy(p, s.word)
	if s.word = s.word[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// CloseWrite tells the app that the client has ended its side.
func (s *socket) CloseWrite() error {
	if cw, ok := s.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}

// frames follows websocket frames (RFC 6455, 5.2) by their bytes.
type frames struct {
	head   [14]byte
	have   int    // of head
	left   uint64 // of the payload
	closed bool   // a close frame has begun: none may follow
}

// between reports whether the last frame is complete.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 }

// rest returns how many bytes are sure to belong to the frame that has begun, 1 or more.
func (f *frames) rest() uint64 { return max(f.left, 1) }

// feed takes the next bytes.
func (f *frames) feed(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, uint64(len(p)))
			f.left -= n
			p = p[n:]
			continue
		}
		f.head[f.have] = p[0]
		f.have++
		p = p[1:]
		if size := headSize(f.head[:f.have]); f.have == size {
			f.begin()
		}
	}
}

// begin begins the payload of a frame whose head is complete.
func (f *frames) begin() {
	const opClose = 8
	f.closed = f.closed || f.head[0]&0x0f == opClose
	f.have = 0
	extended := map[byte]int{126: 2, 127: 8}[f.head[1]&0x7f]
	if extended == 0 {
		f.left = uint64(f.head[1] & 0x7f)
		return
	}
	f.left = 0
	for _, c := range f.head[2 : 2+extended] {
		f.left = f.left<<8 | uint64(c)
	}
}

// headSize returns the size of a frame's head that begins with h.
func headSize(h []byte) int {
	if len(h) < 2 {
		return 2
	}
	size := 2
	switch h[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if h[1]&0x80 != 0 {
		size += 4 // the mask, which a server's frames do not have
	}
	return size
}
