package receive

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
)

const (
	packHeader  = 12 // "PACK", version, number of objects (gitformat-pack(5))
	packTrailer = sha1.Size
)

// packReader reads exactly one pack and then says io.EOF, although the client may keep its side of
// the connection open: libgit2 and dulwich do, and wait for the report. A pack says nowhere how
// long it is, but it ends with the checksum of all that stands before; since nothing follows it, a
// read that ends with that checksum has ended the pack.
type packReader struct {
	r      *bufio.Reader
	limits Limits

	mu   sync.Mutex // held while reading: after an early end of the indexer its feeder and drain follow each other
	sum  hash.Hash  // over all bytes but those in tail
	tail []byte     // the last 20 bytes
	read int64
	err  error
}

// SizeError refuses a pack that is larger than the server takes.
type SizeError struct {
	What  string // "bytes" or "objects"
	Limit int64
}

func (e *SizeError) Error() string {
	if e.What == "bytes" {
		return "the push is larger than " + sizeText(e.Limit)
	}
	return fmt.Sprintf("the push has more than %d %s", e.Limit, e.What)
}

// sizeText writes a limit, which is a round number of some unit, as server.toml does.
func sizeText(n int64) string {
	switch {
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// Hint says what to do about it.
func (e *SizeError) Hint() string {
	return "remove large files from the history, or raise max_push_size on the server"
}

func newPackReader(r *bufio.Reader, l Limits) *packReader {
	return &packReader{r: r, limits: l, sum: sha1.New(), tail: make([]byte, 0, packTrailer)}
}

// header looks at the first bytes without taking them and returns how many objects are announced.
func (p *packReader) header() (uint32, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	head, err := p.r.Peek(packHeader)
	if err != nil {
		p.err = io.EOF
		return 0, fmt.Errorf("read pack header: %w", early(err))
	}
	version, count := binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:])
	switch {
	case string(head[:4]) != "PACK":
		return 0, errors.New("the pack has no signature")
	case version != 2 && version != 3:
		return 0, fmt.Errorf("pack version %d is not supported", version)
	case count > p.limits.Objects:
		return 0, &SizeError{What: "objects", Limit: int64(p.limits.Objects)}
	}
	return count, nil
}

// Read reads more of the pack; io.EOF after its trailer or when the client stops.
func (p *packReader) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.r.Read(b)
	p.read += int64(n)
	p.note(b[:n])
	switch {
	case err != nil:
		p.err = err
	case p.read > p.limits.PackBytes:
		p.err = &SizeError{What: "bytes", Limit: p.limits.PackBytes}
		return 0, p.err
	case p.read >= packHeader+packTrailer && bytes.Equal(p.sum.Sum(nil), p.tail):
		p.err = io.EOF
	}
	if n > 0 {
		return n, nil
	}
	return 0, p.err
}

// note moves the window over the last 20 bytes and hashes what leaves it.
func (p *packReader) note(b []byte) {
	if out := len(p.tail) + len(b) - packTrailer; out > 0 {
		old := min(out, len(p.tail))
		p.sum.Write(p.tail[:old])
		p.tail = append(p.tail[:0], p.tail[old:]...)
		p.sum.Write(b[:out-old])
		b = b[out-old:]
	}
	p.tail = append(p.tail, b...)
}

// discardEmpty takes a pack without objects, which is all checksum.
func (p *packReader) discardEmpty() error {
	var all [packHeader + packTrailer]byte
	if _, err := io.ReadFull(p, all[:]); err != nil {
		return fmt.Errorf("read pack: %w", early(err))
	}
	if !bytes.Equal(p.sum.Sum(nil), p.tail) {
		return errors.New("the pack is corrupt")
	}
	return nil
}

// ended says whether there is nothing left to read.
func (p *packReader) ended() bool {
	if !p.mu.TryLock() {
		return false // somebody waits for more
	}
	defer p.mu.Unlock()
	return p.err != nil && !isSize(p.err)
}

// drain throws away the rest of the pack, at most limit bytes.
func (p *packReader) drain(limit int64) {
	p.mu.Lock()
	if isSize(p.err) {
		p.err = nil
	}
	p.limits.PackBytes = p.read + limit
	p.mu.Unlock()
	io.Copy(io.Discard, p) // whatever ends it: nobody wants these bytes
}

func isSize(err error) bool {
	var s *SizeError
	return errors.As(err, &s)
}
