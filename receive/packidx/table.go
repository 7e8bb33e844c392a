package packidx

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// table is what is known of each object, in the order of the pack. It lies outside of Go's heap: a page of it costs memory
// only once it is written, so that it can be as large as the header announces, and the collector neither doubles nor
// scans it.
type table struct {
	mem   []byte
	n     int
	first []byte // of n uint32: the first delta on this object, 1-based; later the order by name
}

// An entry of the table. Where the name of an object is not known yet, its place holds what it is to be made from.
const (
	atID   = 0  // 20 bytes, or until the delta is resolved:
	atNext = 0  //    uint32, the next delta on the same base, 1-based
	atKept = 4  //    uint32, where the inflated delta lies in the arena, 1-based
	atSize = 8  //    uint32, its length
	atCRC  = 20 // uint32, of the packed bytes
	atOff  = 24 // uint32 and uint16, in the pack
	atPack = 30 // the kind in the pack
	atKind = 31 // the kind of the object
	record = 32
)

func newTable(capacity int) (*table, error) {
	mem, err := reserve(capacity * record)
	if err != nil {
		return nil, err
	}
	first, err := reserve(capacity * 4)
	if err != nil {
		release(mem)
		return nil, err
	}
	return &table{mem: mem, first: first}, nil
}

func (t *table) free() {
	if t == nil {
		return
	}
	release(t.mem)
	release(t.first)
	t.mem, t.first = nil, nil
}

func (t *table) len() int { return t.n }

// add returns the number of a new entry at an offset, which is above all others.
func (t *table) add(off int64, packed Kind) int {
	i := t.n
	t.n++
	e := t.entry(i)
	binary.LittleEndian.PutUint32(e[atOff:], uint32(off))
	binary.LittleEndian.PutUint16(e[atOff+4:], uint16(off>>32))
	e[atPack] = byte(packed)
	return i
}

func (t *table) entry(i int) []byte { return t.mem[i*record : (i+1)*record : (i+1)*record] }

func (t *table) id(i int) (id ID)       { copy(id[:], t.entry(i)[atID:]); return id }
func (t *table) packed(i int) Kind      { return Kind(t.entry(i)[atPack]) }
func (t *table) kind(i int) Kind        { return Kind(t.entry(i)[atKind]) } // None until it is resolved
func (t *table) crc(i int) uint32       { return binary.LittleEndian.Uint32(t.entry(i)[atCRC:]) }
func (t *table) setCRC(i int, v uint32) { binary.LittleEndian.PutUint32(t.entry(i)[atCRC:], v) }

// resolved names an object.
func (t *table) resolved(i int, id ID, kind Kind) {
	e := t.entry(i)
	copy(e[atID:], id[:])
	e[atKind] = byte(kind)
}

func (t *table) offset(i int) int64 {
	e := t.entry(i)
	return int64(binary.LittleEndian.Uint32(e[atOff:])) | int64(binary.LittleEndian.Uint16(e[atOff+4:]))<<32
}

// child puts delta i at the head of those on base.
func (t *table) child(base, i int) {
	t.setNext(i, t.head(base))
	t.setHead(base, uint32(i+1))
}

// adopt puts a list of deltas before those that are on base already.
func (t *table) adopt(base int, head uint32) {
	if head == 0 {
		return
	}
	last := head
	for n := t.next(int(last - 1)); n != 0; n = t.next(int(last - 1)) {
		last = n
	}
	t.setNext(int(last-1), t.head(base))
	t.setHead(base, head)
}

// head and next walk over the deltas on an object; they are 1-based and 0 at the end. A delta's next must be read before
// the delta is resolved.
func (t *table) head(i int) uint32 { return binary.LittleEndian.Uint32(t.first[i*4:]) }
func (t *table) next(i int) uint32 { return binary.LittleEndian.Uint32(t.entry(i)[atNext:]) }

func (t *table) setHead(i int, v uint32) { binary.LittleEndian.PutUint32(t.first[i*4:], v) }
func (t *table) setNext(i int, v uint32) { binary.LittleEndian.PutUint32(t.entry(i)[atNext:], v) }

func (t *table) keep(i int, at, size uint32) {
	e := t.entry(i)
	binary.LittleEndian.PutUint32(e[atKept:], at)
	binary.LittleEndian.PutUint32(e[atSize:], size)
}

func (t *table) kept(i int) (at, size uint32) {
	e := t.entry(i)
	return binary.LittleEndian.Uint32(e[atKept:]), binary.LittleEndian.Uint32(e[atSize:])
}

// at returns the entry that starts at an offset.
func (t *table) at(off int64) (int, bool) {
	lo, hi := 0, t.n
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if t.offset(m) < off {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo, lo < t.n && t.offset(lo) == off
}

// arena holds inflated deltas until they are applied. Its zero value holds nothing.
type arena struct {
	mem  []byte
	used int
}

func (a *arena) put(b []byte) (at uint32, ok bool) {
	if len(b) > len(a.mem)-a.used {
		return 0, false
	}
	at = uint32(a.used + 1)
	a.used += copy(a.mem[a.used:], b)
	return at, true
}

func (a *arena) get(at, size uint32) []byte { return a.mem[at-1 : at-1+size] }

func (a *arena) free() {
	release(a.mem)
	a.mem = nil
}

func reserve(bytes int) ([]byte, error) {
	mem, err := unix.Mmap(-1, 0, max(bytes, 1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve memory: %w", err)
	}
	return mem, nil
}

func release(mem []byte) {
	if mem != nil {
		_ = unix.Munmap(mem) // it fails only for what is no mapping
	}
}
