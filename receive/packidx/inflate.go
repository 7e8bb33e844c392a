package packidx

import (
	"compress/flate"
	"compress/zlib"
	"errors"
	"io"
	"strconv"

	"github.com/pjbgf/sha1cd"
)

// inflater is a zlib reader that is used again and again. Its zero value is ready for reset.
type inflater struct {
	z   io.ReadCloser
	buf []byte
}

// flow is what zlib needs so that it reads no byte too many.
type flow interface {
	io.Reader
	io.ByteReader
}

func (f *inflater) reset(r flow) (err error) {
	if f.z == nil {
		f.z, err = zlib.NewReader(r)
		return inflateError(err)
	}
	return inflateError(f.z.(zlib.Resetter).Reset(r, nil))
}

// fill reads content that must be as long as b.
func (f *inflater) fill(b []byte) error {
	for len(b) > 0 {
		n, err := f.z.Read(b)
		b = b[n:]
		if err != nil && (err != io.EOF || len(b) > 0) {
			return inflateError(err)
		}
	}
	return f.finish()
}

// copy passes on content that must have that size.
func (f *inflater) copy(w io.Writer, size int64) error {
	if f.buf == nil {
		f.buf = make([]byte, 32<<10)
	}
	for size > 0 {
		n, err := f.z.Read(f.buf[:min(size, int64(len(f.buf)))])
		size -= int64(n)
		if _, werr := w.Write(f.buf[:n]); werr != nil {
			return werr
		}
		if err != nil && (err != io.EOF || size > 0) {
			return inflateError(err)
		}
	}
	return f.finish()
}

// finish reads the end of the stream, where its checksum is.
func (f *inflater) finish() error {
	var one [1]byte
	switch n, err := f.z.Read(one[:]); {
	case n > 0:
		return refuse("inflate gives more than was announced")
	case err != io.EOF:
		return inflateError(err)
	}
	return nil
}

// inflateError tells a bad stream from one that could not be read.
func inflateError(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &corrupt), errors.Is(err, zlib.ErrChecksum), errors.Is(err, zlib.ErrHeader), errors.Is(err, zlib.ErrDictionary):
		return refuse("inflate: %v", err)
	case err == io.EOF:
		return refuse("inflate gives less than was announced")
	}
	return err
}

// hasher names objects. SHA-1 is broken for those who can choose both of two objects; the library sees the traces of it.
type hasher struct {
	h   sha1cd.CollisionResistantHash
	buf [40]byte
}

func (p *pack) newHasher() *hasher {
	h := sha1cd.New().(sha1cd.CollisionResistantHash)
	if p.options.hash != nil {
		h = p.options.hash(h)
	}
	return &hasher{h: h}
}

func (h *hasher) start(kind Kind, size int64) {
	h.h.Reset()
	b := append(h.buf[:0], kind.String()...)
	b = strconv.AppendInt(append(b, ' '), size, 10)
	h.h.Write(append(b, 0))
}

func (h *hasher) Write(b []byte) (int, error) { return h.h.Write(b) }

func (h *hasher) id() (ID, error) {
	sum, collision := h.h.CollisionResistantSum(h.buf[:0])
	if collision {
		return ID{}, refuse("the SHA-1 of an object appears to be part of a collision attack")
	}
	return ID(sum), nil
}

// of names a whole object.
func (h *hasher) of(kind Kind, data []byte) (ID, error) {
	h.start(kind, int64(len(data)))
	h.h.Write(data)
	return h.id()
}
