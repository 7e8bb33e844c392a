package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"
)

const (
	// maxChunkLine bounds the line before a chunk, its extensions included, which nobody uses.
	maxChunkLine = 256
	// maxChunkDigits bounds a chunk's size to what an int64 holds.
	maxChunkDigits = 15
	// chunkFrame is the room that framing takes of a buffer besides data: a size, two line ends, and what ends a body.
	chunkFrame = 32
)

var errChunk = fmt.Errorf("%w: chunked body", errMalformed)

// A chunks is a chunked body (RFC 9112, 7.1) on its way from an app to a client.
// It is framed anew: nothing but data and valid trailers come through. All that the app has sent
// is passed on before more is waited for.
type chunks struct {
	f    *fastConn
	c    *upConn
	out  []byte // not yet sent
	sent int64  // data that has been sent
	held int64  // data in out
}

// relay sends the body, after what is in out. It returns when the body is complete, or with an error.
func (r *chunks) relay() error {
	for {
		size, err := r.size()
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		if err := r.data(size); err != nil {
			return err
		}
		if _, err := r.line(len("\r\n")); err != nil {
			return err
		}
	}
	if err := r.room(chunkFrame); err != nil {
		return err
	}
	r.out = append(r.out, "0\r\n"...)
	return r.trailer()
}

// size reads the line before a chunk.
func (r *chunks) size() (int64, error) {
	line, err := r.line(maxChunkLine)
	if err != nil {
		return 0, err
	}
	digits, _, _ := bytes.Cut(line, []byte(";"))
	digits = bytes.TrimRight(digits, " \t")
	if len(digits) == 0 || len(digits) > maxChunkDigits || !plainText(line) {
		return 0, errChunk
	}
	var n int64
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case hexDigit(c):
			c = (c | 0x20) - 'a' + 10
		default:
			return 0, errChunk
		}
		n = n<<4 | int64(c)
	}
	return n, nil
}

// data passes on n bytes, in pieces as they come.
func (r *chunks) data(n int64) error {
	for n > 0 {
		if err := r.await(1); err != nil {
			return err
		}
		if err := r.room(chunkFrame + 1); err != nil {
			return err
		}
		p, _ := r.c.br.Peek(int(min(n, int64(r.c.br.Buffered()), int64(cap(r.out)-len(r.out)-chunkFrame)))) // it is buffered
		r.out = append(strconv.AppendInt(r.out, int64(len(p)), 16), "\r\n"...)
		r.out = append(append(r.out, p...), "\r\n"...)
		_, _ = r.c.br.Discard(len(p)) // it was peeked
		n -= int64(len(p))
		r.held += int64(len(p))
	}
	return nil
}

// trailer passes on the fields after the last chunk, and ends the body.
func (r *chunks) trailer() error {
	for left := maxTrailer; ; {
		line, err := r.line(min(left, r.c.br.Size()))
		if err != nil {
			return err
		}
		if len(line) == 0 {
			r.out = append(r.out, "\r\n"...)
			return r.flush()
		}
		left -= len(line)
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 || slices.ContainsFunc(name, func(c byte) bool { return !tokens[c] }) || !plainText(value) {
			return fmt.Errorf("%w: trailer", errMalformed)
		}
		if forbiddenTrailer(http.CanonicalHeaderKey(string(name))) {
			continue
		}
		if err := r.room(len(line) + chunkFrame); err != nil {
			return err
		}
		r.out = append(append(r.out, line...), "\r\n"...)
	}
}

// line reads one line that ends in CRLF, and returns it without that. It is valid until the next read.
func (r *chunks) line(limit int) ([]byte, error) {
	for want := 1; ; {
		if err := r.await(want); err != nil {
			return nil, err
		}
		p, _ := r.c.br.Peek(r.c.br.Buffered()) // it is buffered
		if i := bytes.IndexByte(p[:min(len(p), limit)], '\n'); i >= 0 {
			if i == 0 || p[i-1] != '\r' {
				return nil, errChunk
			}
			_, _ = r.c.br.Discard(i + 1) // it was peeked
			return p[:i-1], nil
		}
		if want = len(p) + 1; len(p) >= limit || want > r.c.br.Size() {
			return nil, errChunk
		}
	}
}

// await waits until n bytes can be had, for as long as the client is there.
func (r *chunks) await(n int) error {
	for r.c.br.Buffered() < n {
		if err := r.flush(); err != nil {
			return err
		}
		_, err := r.c.br.Peek(n)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && r.f.clientIsThere():
			r.c.setDeadline(time.Now().Add(relayTick))
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
	return nil
}

// room makes room for n more bytes in out.
func (r *chunks) room(n int) error {
	if cap(r.out)-len(r.out) < n {
		return r.flush()
	}
	return nil
}

// flush sends out.
func (r *chunks) flush() error {
	if len(r.out) == 0 {
		return nil
	}
	_, err := r.f.c.Write(r.out)
	if err != nil {
		return fmt.Errorf("write response: %w", err)
	}
	r.sent += r.held
	r.out, r.held = r.out[:0], 0
	return nil
}
