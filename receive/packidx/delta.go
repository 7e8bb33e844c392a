package packidx

import (
	"bufio"
	"io"
)

// maxDeltaHeader is the length of two sizes of 63 bits.
const maxDeltaHeader = 18

var errDelta = &Error{Why: "failed to apply delta"}

// deltaSizes reads the sizes of base and result and returns what follows.
func deltaSizes(delta []byte) (base, result int64, ops []byte, err error) {
	if base, delta, err = deltaSize(delta); err != nil {
		return 0, 0, nil, err
	}
	result, ops, err = deltaSize(delta)
	return base, result, ops, err
}

func deltaSize(b []byte) (size int64, rest []byte, err error) {
	for shift := 0; shift < 63 && len(b) > 0; shift += 7 {
		c := b[0]
		b = b[1:]
		size |= int64(c&0x7f) << shift
		if c&0x80 == 0 {
			return size, b, nil
		}
	}
	return 0, nil, errDelta
}

// applyDelta fills out, which has the size of the result.
func applyDelta(base, ops, out []byte) error {
	for len(ops) > 0 {
		c := ops[0]
		ops = ops[1:]
		var from []byte
		if c&0x80 == 0 {
			if c == 0 || int(c) > len(ops) {
				return errDelta // 0 is reserved
			}
			from, ops = ops[:c], ops[c:]
		} else {
			var off, size int
			if off, size, ops = copyOp(c, ops); ops == nil || off+size > len(base) {
				return errDelta
			}
			from = base[off : off+size]
		}
		if len(from) > len(out) {
			return errDelta
		}
		out = out[copy(out, from):]
	}
	if len(out) > 0 {
		return errDelta
	}
	return nil
}

// copyOp reads the operands of a copy: the bits of c say which bytes of offset and size there are. A rest of nil means
// that bytes are missing.
func copyOp(c byte, ops []byte) (off, size int, rest []byte) {
	for bit := range 7 {
		if c&(1<<bit) == 0 {
			continue
		}
		if len(ops) == 0 {
			return 0, 0, nil
		}
		if bit < 4 {
			off |= int(ops[0]) << (8 * bit)
		} else {
			size |= int(ops[0]) << (8 * (bit - 4))
		}
		ops = ops[1:]
	}
	if size == 0 {
		size = 1 << 16
	}
	if ops == nil {
		ops = []byte{}
	}
	return off, size, ops
}

// streamDelta writes the result of a delta that is too large for memory, or whose base is.
func streamDelta(base io.ReaderAt, baseSize int64, delta *bufio.Reader, w io.Writer, left int64) error {
	buf := make([]byte, 32<<10)
	for {
		c, err := delta.ReadByte()
		if err == io.EOF && left == 0 {
			return nil
		}
		if err != nil {
			return deltaEnd(err)
		}
		var from io.Reader
		size := int64(c)
		if c&0x80 == 0 {
			from = delta
		} else {
			var off int
			var n int
			if off, n, err = readCopyOp(c, delta); err != nil {
				return err
			}
			size = int64(n)
			if int64(off)+size > baseSize {
				return errDelta
			}
			from = io.NewSectionReader(base, int64(off), size)
		}
		if left -= size; size == 0 || left < 0 {
			return errDelta
		}
		for size > 0 {
			n, err := io.ReadFull(from, buf[:min(size, int64(len(buf)))])
			if err != nil {
				return deltaEnd(err)
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			size -= int64(n)
		}
	}
}

func readCopyOp(c byte, delta *bufio.Reader) (off, size int, err error) {
	ops, err := delta.Peek(7)
	if err != nil && err != io.EOF {
		return 0, 0, deltaEnd(err)
	}
	off, size, rest := copyOp(c, ops)
	if rest == nil {
		return 0, 0, errDelta
	}
	_, err = delta.Discard(len(ops) - len(rest))
	return off, size, err
}

// deltaEnd makes an unexpected end a fault of the delta.
func deltaEnd(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errDelta
	}
	return inflateError(err)
}
