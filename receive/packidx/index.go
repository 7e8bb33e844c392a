package packidx

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// order is the table by name. It takes the place of the lists of deltas, which nobody needs any more.
type order struct {
	t   *table
	fan []uint32 // for the first two bytes of a name: the end of its part
}

// sort orders the objects by name. git refuses a pack that holds an object twice.
func (p *pack) sort() error {
	o := &order{t: p.table, fan: make([]uint32, 1<<16+1)}
	t := p.table
	for i := range t.len() {
		o.fan[prefixOf(t.entry(i))+1]++
	}
	for i := 1; i < len(o.fan); i++ {
		o.fan[i] += o.fan[i-1]
	}
	for i := range t.len() { // each part's start moves to its end
		at := &o.fan[prefixOf(t.entry(i))]
		t.setHead(int(*at), uint32(i))
		*at++
	}
	var part []int
	for prefix := range 1 << 16 {
		lo, hi := o.part(prefix)
		if hi-lo < 2 {
			continue
		}
		part = part[:0]
		for at := lo; at < hi; at++ {
			part = append(part, o.at(at))
		}
		slices.SortFunc(part, func(a, b int) int { return bytes.Compare(t.entry(a)[:20], t.entry(b)[:20]) })
		for n, i := range part {
			t.setHead(lo+n, uint32(i))
			if n > 0 && t.id(part[n-1]) == t.id(i) {
				return refuse("the same object %s appears twice in the pack", t.id(i))
			}
		}
	}
	p.order = o
	return nil
}

func prefixOf(id []byte) int { return int(id[0])<<8 | int(id[1]) }

func (o *order) part(prefix int) (lo, hi int) {
	if prefix > 0 {
		lo = int(o.fan[prefix-1])
	}
	return lo, int(o.fan[prefix])
}

// at returns the number of the object at a place of the order.
func (o *order) at(place int) int { return int(o.t.head(place)) }

func (o *order) find(id ID) (int, bool) {
	lo, hi := o.part(prefixOf(id[:]))
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		i := o.at(m)
		switch c := bytes.Compare(o.t.entry(i)[:20], id[:]); {
		case c == 0:
			return i, true
		case c < 0:
			lo = m + 1
		default:
			hi = m
		}
	}
	return 0, false
}

// writeIndex writes version 2 of a pack's index, byte for byte as git does (gitformat-pack(5)).
func writeIndex(name string, t *table, o *order, pack ID) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	defer func() {
		if cerr := f.Close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("write index: %w", cerr))
		}
	}()
	sum := sha1.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 64<<10)
	indexTables(w, t, o)
	w.Write(pack[:])
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	if _, err := f.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	return nil
}

// indexTables leaves errors to w's Flush.
func indexTables(w *bufio.Writer, t *table, o *order) {
	w.WriteString("\xfftOc\x00\x00\x00\x02")
	for first := range 256 {
		_, end := o.part(first<<8 | 0xff)
		w.Write(binary.BigEndian.AppendUint32(w.AvailableBuffer(), uint32(end)))
	}
	for at := range t.len() {
		w.Write(t.entry(o.at(at))[:20])
	}
	for at := range t.len() {
		w.Write(binary.BigEndian.AppendUint32(w.AvailableBuffer(), t.crc(o.at(at))))
	}
	var far []int64 // offsets that need more than 31 bits
	for at := range t.len() {
		off := t.offset(o.at(at))
		short := uint32(off)
		if off > 1<<31-1 {
			short = 1<<31 | uint32(len(far))
			far = append(far, off)
		}
		w.Write(binary.BigEndian.AppendUint32(w.AvailableBuffer(), short))
	}
	for _, off := range far {
		w.Write(binary.BigEndian.AppendUint64(w.AvailableBuffer(), uint64(off)))
	}
}
