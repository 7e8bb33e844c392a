package packidx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// maxBody is the size of the largest object that is a delta, or its base, in memory. A worker has three at once.
	maxBody = 512 << 10

	// maxHeld is how much of the bases that wait for more of their deltas all workers together keep in memory.
	maxHeld = 8 << 20

	// maxSpilled is how much one worker puts on the disk beside the pack: base and result at the size limit, and as
	// much again for bases that wait.
	maxSpilled = 2 << 30
)

// body is the content of an object: in memory, or in a worker's spill.
type body struct {
	mem  []byte
	file io.ReaderAt
	off  int64 // in the spill
	size int64
}

func (b *body) reader() io.ReaderAt {
	if b.file != nil {
		return b.file
	}
	return bytes.NewReader(b.mem)
}

// spill is an unlinked file for bodies. Its zero value has none yet.
type spill struct {
	dir  string
	file *os.File
	top  int64
	live int
}

// take makes room; what is written to the writer is the body.
func (s *spill) take(size int64) (body, io.Writer, error) {
	if s.file == nil {
		f, err := unlinked(s.dir)
		if err != nil {
			return body{}, nil, err
		}
		s.file = f
	}
	if s.top+size > maxSpilled {
		return body{}, nil, refuse("the pack's deltas need more than %d MiB beside it", maxSpilled>>20)
	}
	b := body{file: io.NewSectionReader(s.file, s.top, size), off: s.top, size: size}
	s.top += size
	s.live++
	return b, io.NewOffsetWriter(s.file, b.off), nil
}

func (s *spill) give(b body) {
	if b.off+b.size == s.top {
		s.top = b.off
	}
	if s.live--; s.live == 0 {
		s.top = 0
	}
}

func (s *spill) close() {
	if s.file != nil {
		s.file.Close() // nobody reads it any more
	}
}

func unlinked(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "tmp_spill_")
	if err != nil {
		return nil, fmt.Errorf("make room for deltas: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("make room for deltas: %w", err), f.Close())
	}
	return f, nil
}

// buffers are those that a worker uses again.
type buffers struct{ free [][]byte }

func (p *buffers) take(size int64) []byte {
	for i := len(p.free) - 1; i >= 0; i-- {
		if b := p.free[i]; int64(cap(b)) >= size {
			p.free = append(p.free[:i], p.free[i+1:]...)
			return b[:size]
		}
	}
	room := int64(4 << 10)
	for room < size {
		room *= 2
	}
	return make([]byte, size, room)
}

func (p *buffers) give(b []byte) {
	if len(p.free) < 4 {
		p.free = append(p.free, b)
		return
	}
	for i := range p.free { // the largest are the ones to keep
		if cap(p.free[i]) < cap(b) {
			p.free[i], b = b, p.free[i]
		}
	}
}
