package packidx

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	headerBytes  = 12 // "PACK", version, number of objects
	trailerBytes = 20 // SHA-1 of all that stands before

	// maxParsed is the size of the largest commit, tree or tag, and of what is parsed of a blob. A tree of that size has
	// some 200,000 entries.
	maxParsed = 8 << 20

	// keptBytes is how much of the inflated deltas is kept between the two passes.
	keptBytes = 8 << 20
)

// scanner reads the entries of a pack.
type scanner struct {
	*pack
	src     *source
	zlib    *inflater
	hash    *hasher
	checker *checker
	total   int64 // inflated
	buf     []byte
}

// scan is the first pass: everything that is no delta gets its name, and each delta its base, where that is known by
// its place.
func (p *pack) scan(ctx context.Context, r io.Reader) error {
	src := newSource(ctx, r, p.file)
	defer src.stop()
	s := &scanner{pack: p, src: src, zlib: &inflater{}, hash: p.newHasher(), checker: p.newChecker()}
	count, err := s.header()
	if err != nil {
		return err
	}
	for range count {
		if err := s.entry(); err != nil {
			return err
		}
	}
	p.end = s.src.offset()
	return s.trailer()
}

func (s *scanner) header() (uint32, error) {
	var head [headerBytes]byte
	if _, err := io.ReadFull(s.src.br, head[:]); err != nil {
		return 0, fmt.Errorf("read pack header: %w", early(err))
	}
	version, count := binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:])
	switch {
	case string(head[:4]) != "PACK":
		return 0, refuse("the pack has no signature")
	case version != 2 && version != 3:
		return 0, refuse("pack version %d is not supported", version)
	case count > s.options.Limits.Objects:
		return 0, refuse("the pack has more than %d objects", s.options.Limits.Objects)
	}
	var err error
	if s.table, err = newTable(int(count) + min(int(count), maxRefBases)); err != nil {
		return 0, err
	}
	s.kept.mem, err = reserve(keptBytes)
	return count, err
}

// trailer compares the checksum and takes care that nothing follows it.
func (s *scanner) trailer() error {
	if _, err := io.ReadFull(s.src.br, s.sum[:]); err != nil {
		return fmt.Errorf("read pack: %w", early(err))
	}
	if s.src.br.Buffered() > 0 {
		return refuse("pack has junk at the end")
	}
	if s.src.sum != s.sum {
		return refuse("pack is corrupted (SHA1 mismatch)")
	}
	return nil
}

// entry reads one object or delta.
func (s *scanner) entry() error {
	s.src.mark()
	off := s.src.offset()
	kind, size, err := readHeader(s.src.br)
	if err != nil {
		return s.fail(off, early(err))
	}
	if size > s.options.Limits.ObjectBytes {
		return s.fail(off, tooLarge(size))
	}
	i := s.table.add(off, kind)
	switch kind {
	case Commit, Tree, Tag, Blob:
		err = s.object(i, kind, size)
	case offsetDelta:
		var base int
		if base, err = s.baseAt(off); err == nil {
			s.table.child(base, i)
			err = s.delta(i, size)
		}
	case refDelta:
		var base ID
		if _, err = io.ReadFull(s.src.br, base[:]); err == nil {
			if err = s.groups.add(s.table, base, i); err == nil {
				err = s.delta(i, size)
			}
		}
	default:
		err = refuse("unknown object type %d", kind)
	}
	if err != nil {
		return s.fail(off, early(err))
	}
	s.table.setCRC(i, s.src.mark())
	return nil
}

// fail says where in the pack something is wrong.
func (s *scanner) fail(off int64, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.What == "" {
		return &Error{What: fmt.Sprintf("pack has bad object at offset %d", off), Why: e.Why}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read pack: %w", err)
	}
	return err
}

// readHeader reads kind and size of an entry.
func readHeader(r io.ByteReader) (Kind, int64, error) {
	c, err := r.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	kind, size := Kind(c>>4&7), uint64(c&15)
	for shift := 4; c&0x80 != 0; shift += 7 {
		if shift > 56 {
			return 0, 0, refuse("object size is not possible")
		}
		if c, err = r.ReadByte(); err != nil {
			return 0, 0, err
		}
		size |= uint64(c&0x7f) << shift
	}
	return kind, int64(size), nil
}

// readDistance reads how far before its delta a base stands.
func readDistance(r io.ByteReader) (int64, error) {
	c, err := r.ReadByte()
	v := int64(c & 0x7f)
	for err == nil && c&0x80 != 0 {
		if v++; v >= 1<<55 {
			return 0, refuse("offset value overflow for delta base object")
		}
		c, err = r.ReadByte()
		v = v<<7 | int64(c&0x7f)
	}
	return v, err
}

func (s *scanner) baseAt(off int64) (int, error) {
	back, err := readDistance(s.src.br)
	if err != nil {
		return 0, err
	}
	base, ok := s.table.at(off - back)
	if back <= 0 || !ok {
		return 0, refuse("delta base offset is out of bound")
	}
	return base, nil
}

// object names a whole object, and checks it if it is not a file.
func (s *scanner) object(i int, kind Kind, size int64) error {
	if err := s.count(size); err != nil {
		return err
	}
	s.hash.start(kind, size)
	if err := s.zlib.reset(s.src.br); err != nil {
		return err
	}
	var data []byte
	var err error
	if kind == Blob {
		err = s.zlib.copy(s.hash, size)
	} else if data, err = s.whole(size); err == nil {
		s.hash.Write(data)
	}
	if err != nil {
		return err
	}
	id, err := s.hash.id()
	if err != nil {
		return err
	}
	s.table.resolved(i, id, kind)
	if kind == Blob {
		return nil
	}
	return s.checker.check(kind, id, data)
}

// whole inflates what must be looked at in one piece.
func (s *scanner) whole(size int64) ([]byte, error) {
	if size > maxParsed {
		return nil, tooLarge(size)
	}
	if int64(cap(s.buf)) < size {
		s.buf = make([]byte, size)
	}
	s.buf = s.buf[:size]
	return s.buf, s.zlib.fill(s.buf)
}

// delta inflates a delta, if only to see that it can be, and learns how large its result is.
func (s *scanner) delta(i int, size int64) error {
	s.deltas++
	if err := s.zlib.reset(s.src.br); err != nil {
		return err
	}
	if size > maxBody {
		var head bytes.Buffer
		if err := s.zlib.copy(&prefix{&head, maxDeltaHeader}, size); err != nil {
			return err
		}
		return s.expect(head.Bytes())
	}
	data, err := s.whole(size)
	if err != nil {
		return err
	}
	if at, ok := s.kept.put(data); ok {
		s.table.keep(i, at, uint32(size))
	}
	return s.expect(data)
}

// expect counts the result of a delta, of which it needs the beginning.
func (s *scanner) expect(delta []byte) error {
	_, result, _, err := deltaSizes(delta)
	if err != nil {
		return err
	}
	return s.count(result)
}

func (s *scanner) count(size int64) error {
	if size > s.options.Limits.ObjectBytes {
		return tooLarge(size)
	}
	if s.total += size; s.total > s.options.Limits.TotalBytes {
		return refuse("the pack's objects are together larger than %d MiB", s.options.Limits.TotalBytes>>20)
	}
	return nil
}

func tooLarge(size int64) error {
	return refuse("an object of %d MiB is larger than the server takes", size>>20)
}

func early(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// prefix keeps the first bytes of what is written to it.
type prefix struct {
	to   *bytes.Buffer
	most int
}

func (p *prefix) Write(b []byte) (int, error) {
	p.to.Write(b[:min(len(b), p.most-p.to.Len())])
	return len(b), nil
}
