package packidx

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// entries reads entries of the stored pack, one at a time.
type entries struct {
	*pack
	buf   []byte
	small bytes.Reader
	large *bufio.Reader
}

// entry is an opened one: what follows in data is its zlib stream.
type entry struct {
	kind Kind
	size int64 // inflated
	back int64 // of an offset delta
	base ID    // of a ref delta
	data flow
}

// readAhead is up to which size an entry is read at once.
const readAhead = 64 << 10

func (r *entries) open(i int) (e entry, err error) {
	off, end := r.table.offset(i), r.end
	if i+1 < r.table.len() {
		end = r.table.offset(i + 1)
	}
	if e.data, err = r.section(off, end-off); err != nil {
		return e, fmt.Errorf("read stored pack: %w", err)
	}
	if e.kind, e.size, err = readHeader(e.data); err != nil {
		return e, fmt.Errorf("read stored pack: %w", err)
	}
	switch e.kind {
	case offsetDelta:
		e.back, err = readDistance(e.data)
	case refDelta:
		_, err = io.ReadFull(e.data, e.base[:])
	}
	if err != nil {
		return e, fmt.Errorf("read stored pack: %w", err)
	}
	return e, nil
}

func (r *entries) section(off, size int64) (flow, error) {
	if size > readAhead {
		section := io.NewSectionReader(r.file, off, size)
		if r.large == nil {
			r.large = bufio.NewReaderSize(section, readAhead)
		} else {
			r.large.Reset(section)
		}
		return r.large, nil
	}
	if r.buf == nil {
		r.buf = make([]byte, readAhead)
	}
	if _, err := r.file.ReadAt(r.buf[:size], off); err != nil {
		return nil, err
	}
	r.small.Reset(r.buf[:size])
	return &r.small, nil
}

// content returns an object of the finished pack, if neither it nor any of its bases is larger than what is parsed.
func (r *entries) content(z *inflater, i int) ([]byte, error) {
	var deltas [][]byte // the last is the first to apply
	total := 0
	for {
		e, err := r.open(i)
		if err != nil {
			return nil, err
		}
		if total += int(e.size); total > maxParsed {
			return nil, tooLarge(int64(total))
		}
		data := make([]byte, e.size)
		if err := z.reset(e.data); err != nil {
			return nil, err
		}
		if err := z.fill(data); err != nil {
			return nil, err
		}
		switch e.kind {
		case offsetDelta:
			i, _ = r.table.at(r.table.offset(i) - e.back) // the scanner has found it
		case refDelta:
			i, _ = r.order.find(e.base) // the resolver has found it
		default:
			return patch(data, deltas)
		}
		deltas = append(deltas, data)
	}
}

func patch(data []byte, deltas [][]byte) ([]byte, error) {
	for i := len(deltas) - 1; i >= 0; i-- {
		_, size, ops, err := deltaSizes(deltas[i])
		if err != nil {
			return nil, err
		}
		if size > maxParsed {
			return nil, tooLarge(size)
		}
		out := make([]byte, size)
		if err := applyDelta(data, ops, out); err != nil {
			return nil, err
		}
		data = out
	}
	return data, nil
}
