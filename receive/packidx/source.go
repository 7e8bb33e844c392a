package packidx

import (
	"bufio"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
)

// chunkBytes is how much is read from the wire at once.
const chunkBytes = 64 << 10

// chunk is what one Read gave.
type chunk struct {
	data []byte
	sum  ID // of everything read so far but the last 20 bytes
	err  error
}

// source is the wire. A goroutine of its own reads it, writes the file and computes the pack's checksum, a few chunks
// ahead of the scanner, so that two processors share the work.
type source struct {
	br     *bufio.Reader // what the scanner reads
	chunks <-chan chunk
	free   chan<- []byte
	done   <-chan struct{} // of the call's context
	stop   context.CancelFunc

	last []byte // the chunk that br holds
	base int64  // its offset
	sum  ID     // as of it
	crc  uint32 // of what was used since mark
	used int    // of last, in crc
}

// newSource starts reading. After stop one Read of r may still be waiting, and what it gives is lost.
func newSource(ctx context.Context, r io.Reader, file *os.File) *source {
	ctx, stop := context.WithCancel(ctx)
	chunks, free := make(chan chunk), make(chan []byte, 3)
	for range cap(free) {
		free <- make([]byte, chunkBytes)
	}
	s := &source{chunks: chunks, free: free, done: ctx.Done(), stop: stop}
	s.br = bufio.NewReaderSize(s, chunkBytes)
	f := &feeder{r: r, file: file, sum: sha1.New()}
	go func() { // ends with the pack, with stop, or with the Read that is waiting at that time
		for {
			var c chunk
			select {
			case b := <-free:
				c = f.next(b)
			case <-ctx.Done():
				return
			}
			select {
			case chunks <- c:
			case <-ctx.Done():
				return
			}
			if c.err != nil {
				return
			}
		}
	}()
	return s
}

var errStopped = errors.New("stopped")

// Read is for br, which calls it only when it has handed out all that it had, and with room for a chunk.
func (s *source) Read(p []byte) (int, error) {
	s.use(len(s.last))
	s.base += int64(len(s.last))
	if s.last != nil {
		s.free <- s.last[:cap(s.last)] // there is room: it came from there
		s.last, s.used = nil, 0
	}
	select {
	case c := <-s.chunks:
		if len(c.data) > len(p) {
			return 0, io.ErrShortBuffer
		}
		s.last, s.sum = c.data, c.sum
		return copy(p, c.data), c.err
	case <-s.done:
		return 0, errStopped
	}
}

func (s *source) use(upTo int) {
	s.crc = crc32.Update(s.crc, crc32.IEEETable, s.last[s.used:upTo])
	s.used = upTo
}

// offset is where the next byte that br hands out stands in the pack.
func (s *source) offset() int64 { return s.base + int64(len(s.last)-s.br.Buffered()) }

// mark returns the CRC of what br has handed out since the last mark.
func (s *source) mark() (crc uint32) {
	s.use(len(s.last) - s.br.Buffered())
	crc, s.crc = s.crc, 0
	return crc
}

// feeder reads chunks. It keeps the last 20 bytes out of the checksum: they may be the trailer.
type feeder struct {
	r    io.Reader
	file *os.File
	sum  hash.Hash
	tail []byte
}

func (f *feeder) next(b []byte) chunk {
	n, err := f.r.Read(b)
	b = b[:n]
	if _, werr := f.file.Write(b); werr != nil {
		err = fmt.Errorf("store pack: %w", werr)
	}
	c := chunk{data: b, err: err}
	if out := len(f.tail) + len(b) - trailerBytes; out > 0 {
		old := min(out, len(f.tail))
		f.sum.Write(f.tail[:old])
		f.tail = append(f.tail[:0], f.tail[old:]...)
		f.sum.Write(b[:out-old])
		b = b[out-old:]
	}
	f.tail = append(f.tail, b...)
	f.sum.Sum(c.sum[:0])
	return c
}
