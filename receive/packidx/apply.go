package packidx

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// room makes a place for an object's content: a buffer, or a part of the spill and what writes to it.
func (w *worker) room(size int64) (body, io.Writer, error) {
	if size > maxBody {
		return w.spill.take(size)
	}
	b := body{mem: w.buffers.take(size), size: size}
	return b, &filler{b.mem}, nil
}

// filler writes into a slice, which must be large enough.
type filler struct{ left []byte }

func (f *filler) Write(b []byte) (int, error) {
	n := copy(f.left, b)
	f.left = f.left[n:]
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// whole reads an object that is no delta.
func (w *worker) whole(i int) (body, error) {
	e, err := w.open(i)
	if err != nil {
		return body{}, err
	}
	if err := w.zlib.reset(e.data); err != nil {
		return body{}, err
	}
	b, to, err := w.room(e.size)
	if err != nil {
		return body{}, err
	}
	if b.mem != nil {
		return b, w.zlib.fill(b.mem)
	}
	return b, w.zlib.copy(to, e.size)
}

// apply makes an object from its base and names it.
func (w *worker) apply(base body, i int, kind Kind) (body, error) {
	d, err := w.openDelta(i)
	if err != nil {
		return body{}, err
	}
	switch {
	case d.base != base.size:
		return body{}, errDelta
	case d.result > maxParsed && kind != Blob:
		return body{}, tooLarge(d.result)
	}
	b, to, err := w.room(d.result)
	if err != nil {
		return body{}, err
	}
	if base.mem != nil && d.ops != nil && b.mem != nil {
		if err := applyDelta(base.mem, d.ops, b.mem); err != nil {
			return body{}, err
		}
		id, err := w.hash.of(kind, b.mem)
		if err != nil {
			return body{}, err
		}
		return b, w.made(i, kind, id, b.mem)
	}
	w.hash.start(kind, d.result)
	if err := streamDelta(base.reader(), base.size, d.stream(), io.MultiWriter(to, w.hash), d.result); err != nil {
		return body{}, err
	}
	id, err := w.hash.id()
	if err != nil {
		return body{}, err
	}
	return b, w.madeLarge(i, kind, id, b)
}

// made enters an object into the table and checks it.
func (w *worker) made(i int, kind Kind, id ID, data []byte) error {
	w.table.resolved(i, id, kind)
	w.resolved.Add(1)
	if kind == Blob {
		return nil
	}
	return w.checker.check(kind, id, data)
}

// madeLarge does so with what may not be in memory. Of large trees only one is read at a time.
func (w *worker) madeLarge(i int, kind Kind, id ID, b body) error {
	if kind == Blob || b.mem != nil {
		return w.made(i, kind, id, b.mem)
	}
	w.bigTree.Lock()
	defer w.bigTree.Unlock()
	data := make([]byte, b.size)
	if _, err := b.file.ReadAt(data, 0); err != nil {
		return fmt.Errorf("read object back: %w", err)
	}
	return w.made(i, kind, id, data)
}

// delta is an opened one: its sizes, and its instructions in memory or as a stream.
type delta struct {
	base, result int64
	ops          []byte // nil: they are in more
	more         *bufio.Reader
}

func (d *delta) stream() *bufio.Reader {
	if d.more != nil {
		return d.more
	}
	return bufio.NewReader(bytes.NewReader(d.ops))
}

func (w *worker) openDelta(i int) (d delta, err error) {
	if at, size := w.table.kept(i); at != 0 {
		d.base, d.result, d.ops, err = deltaSizes(w.kept.get(at, size))
		return d, err
	}
	e, err := w.open(i)
	if err != nil {
		return d, err
	}
	if err := w.zlib.reset(e.data); err != nil {
		return d, err
	}
	if e.size <= maxBody {
		if int64(cap(w.delta)) < e.size {
			w.delta = make([]byte, max(e.size, 4<<10))
		}
		w.delta = w.delta[:e.size]
		if err := w.zlib.fill(w.delta); err != nil {
			return d, err
		}
		d.base, d.result, d.ops, err = deltaSizes(w.delta)
		return d, err
	}
	d.more = bufio.NewReaderSize(w.zlib.z, 32<<10)
	head, err := d.more.Peek(maxDeltaHeader)
	if err != nil {
		return d, inflateError(err)
	}
	var ops []byte
	if d.base, d.result, ops, err = deltaSizes(head); err != nil {
		return d, err
	}
	_, err = d.more.Discard(len(head) - len(ops))
	return d, err
}
