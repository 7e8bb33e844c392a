package shim

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// flushAfter is how long a line without an end is held back: long enough for
// one that is written in pieces, short enough for a prompt or a progress bar.
const flushAfter = 200 * time.Millisecond

// stream cuts what one pipe brings into records.
type stream struct {
	kind    byte
	emit    func(at time.Time, kind byte, partial bool, text []byte)
	masked  []string // texts that no record may have a part of
	pending []byte
	held    int       // bytes of pending that wait for more, however long that takes
	since   time.Time // when the first byte of pending came
	open    bool      // a piece of the current line was emitted

	end atomic.Int64 // when reading ends at the latest, in unix nanoseconds; 0: with the last writer
}

// feed takes bytes as they came at the given time.
func (s *stream) feed(at time.Time, b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		part, ends := b, false
		if i >= 0 {
			part, ends = b[:i], true
			b = b[i+1:]
		} else {
			b = nil
		}
		s.add(at, part)
		if ends {
			s.emit(at, s.kind, false, s.pending)
			s.pending, s.held, s.open = s.pending[:0], 0, false
		}
	}
}

// add appends a piece of a line; what exceeds a record is emitted.
func (s *stream) add(at time.Time, part []byte) {
	if len(s.pending) == 0 {
		s.since = at
	}
	for len(s.pending)+len(part) > MaxText {
		n := MaxText - len(s.pending)
		s.pending = append(s.pending, part[:n]...)
		part = part[n:]
		s.flush(at, false)
	}
	s.pending = append(s.pending, part...)
}

// flush emits what is there of a line that goes on. What may be the beginning of a masked text waits, unless this is the end
// or there is no room for more.
func (s *stream) flush(at time.Time, end bool) {
	n := Uncut(s.masked, s.pending)
	if end || n == 0 && len(s.pending) == MaxText {
		n = len(s.pending)
	}
	if n > 0 {
		s.emit(at, s.kind, true, s.pending[:n])
		s.pending, s.open, s.since = append(s.pending[:0], s.pending[n:]...), true, at
	}
	s.held = len(s.pending)
}

// Uncut says how much of b can be parted from what follows so that none of the texts is cut in two.
func Uncut(texts []string, b []byte) int {
	cut := len(b)
	for again := true; again; {
		again = false
		for _, t := range texts {
			for from := max(0, cut-len(t)+1); from < cut; from++ {
				if n := min(len(b)-from, len(t)); string(b[from:from+n]) == t[:n] {
					cut, again = from, true
					break
				}
			}
		}
	}
	return cut
}

// pump reads the pipe until its last writer is gone, or until s.end.
func (s *stream) pump(r *os.File) error {
	buf := make([]byte, 64<<10) // a pipe's own size
	for {
		last, err := s.setDeadline(r)
		if err != nil {
			return err
		}
		n, err := r.Read(buf)
		s.feed(time.Now(), buf[:n])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.flush(time.Now(), false)
		case err == io.EOF:
			s.flush(time.Now(), true)
			return nil
		case err != nil:
			s.flush(time.Now(), true)
			return err
		}
		if last {
			s.flush(time.Now(), true)
			return nil
		}
	}
}

// setDeadline bounds the next read, which is the last one when s.end has
// passed: that takes what is in the pipe.
func (s *stream) setDeadline(r *os.File) (last bool, err error) {
	for {
		end := s.end.Load()
		deadline := time.Time{}
		if len(s.pending) > s.held {
			deadline = s.since.Add(flushAfter)
		}
		if end != 0 {
			at := time.Unix(0, end)
			if last = !time.Now().Before(at); last {
				deadline = time.Now().Add(flushAfter)
			} else if deadline.IsZero() || at.Before(deadline) {
				deadline = at
			}
		}
		if err := r.SetReadDeadline(deadline); err != nil {
			return false, err
		}
		if s.end.Load() == end { // else finishBy came between, and its deadline was undone
			return last, nil
		}
	}
}

// finishBy ends pump at the given time, if the writers do not before.
func (s *stream) finishBy(r *os.File, at time.Time) {
	s.end.Store(at.UnixNano())
	_ = r.SetReadDeadline(at) // closed already is as good
}
