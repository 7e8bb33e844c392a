package packidx

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// FuzzDelta wants the two ways to apply a delta to agree, and nothing to be written where nothing may be.
func FuzzDelta(f *testing.F) {
	f.Add([]byte("hello"), []byte("\x05\x05\x90\x05"))
	f.Add([]byte("hello"), []byte("\x05\x07\x91\x01\x02\x05world"))
	f.Add([]byte(""), []byte("\x00\x00"))
	f.Add(bytes.Repeat([]byte("x"), 70000), []byte("\xf0\xa2\x04\x80\x80\x04\x80"))
	f.Fuzz(func(t *testing.T, base, delta []byte) {
		baseSize, size, ops, err := deltaSizes(delta)
		if err != nil || size > 1<<20 {
			return
		}
		if again := append(appendSize(appendSize(nil, baseSize), size), ops...); len(again) <= len(delta) {
			b2, s2, ops2, err := deltaSizes(again)
			if b2 != baseSize || s2 != size || !bytes.Equal(ops, ops2) || err != nil {
				t.Fatal("sizes read differently")
			}
		}
		room := bytes.Repeat([]byte{0xa5}, int(size)+16)
		direct := applyDelta(base, ops, room[:size:size])
		if !bytes.Equal(room[size:], bytes.Repeat([]byte{0xa5}, 16)) {
			t.Fatal("written past the end")
		}
		var out bytes.Buffer
		streamed := streamDelta(bytes.NewReader(base), int64(len(base)), bufio.NewReaderSize(bytes.NewReader(ops), 16), &out, size)
		if (direct == nil) != (streamed == nil) || direct == nil && !bytes.Equal(out.Bytes(), room[:size]) {
			t.Fatalf("%v and %v, or results differ", direct, streamed)
		}
		if int64(out.Len()) > size {
			t.Fatal("more than announced")
		}
	})
}

func appendSize(b []byte, n int64) []byte {
	for ; n > 0x7f; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// FuzzHeader wants what is written to be read back, and no more to be read.
func FuzzHeader(f *testing.F) {
	f.Add([]byte{0x35})
	f.Add([]byte{0xb5, 0x80, 0x80, 0x01})
	f.Add(bytes.Repeat([]byte{0xff}, 20))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		kind, size, err := readHeader(r)
		if err == nil {
			k, s, err := readHeader(bytes.NewReader(appendHeader(nil, kind, size)))
			if size < 0 || k != kind || s != size || err != nil {
				t.Fatalf("%d %d became %d %d %v", kind, size, k, s, err)
			}
		}
		if back, err := readDistance(bytes.NewReader(b)); err == nil && back < 0 {
			t.Fatal("a negative distance")
		}
	})
}

// FuzzIndexWriter lets another program read the index.
func FuzzIndexWriter(f *testing.F) {
	f.Add([]byte("some object"), uint16(3), false)
	f.Add([]byte("x"), uint16(300), true)
	f.Fuzz(func(t *testing.T, seed []byte, n uint16, far bool) {
		tab := fill(t, seed, int(n%1000), far)
		defer tab.free()
		p := &pack{table: tab}
		if err := p.sort(); err != nil {
			return // twice the same object
		}
		name := filepath.Join(t.TempDir(), "x.idx")
		if err := writeIndex(name, tab, p.order, ID{1}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		idx := idxfile.NewMemoryIndex()
		if err := idxfile.NewDecoder(bytes.NewReader(b)).Decode(idx); err != nil {
			t.Fatal(err)
		}
		for i := range tab.len() {
			h := plumbing.Hash(tab.id(i))
			off, err1 := idx.FindOffset(h)
			crc, err2 := idx.FindCRC32(h)
			if off != tab.offset(i) || crc != tab.crc(i) || err1 != nil || err2 != nil {
				t.Fatalf("object %d: %d %d %v %v", i, off, crc, err1, err2)
			}
			if at, ok := p.order.find(tab.id(i)); !ok || at != i {
				t.Fatalf("object %d is found at %d", i, at)
			}
			if at, ok := tab.at(tab.offset(i)); !ok || at != i {
				t.Fatalf("offset of object %d is found at %d", i, at)
			}
		}
		if _, ok := p.order.find(sha1.Sum([]byte("nothing"))); ok {
			t.Fatal("found what is not there")
		}
	})
}

func fill(t *testing.T, seed []byte, n int, far bool) *table {
	t.Helper()
	tab, err := newTable(n)
	if err != nil {
		t.Fatal(err)
	}
	off := int64(12)
	for i := range n {
		sum := sha1.Sum(fmt.Appendf(nil, "%s %d", seed, i))
		at := tab.add(off, Blob)
		tab.resolved(at, sum, Blob)
		tab.setCRC(at, binary.BigEndian.Uint32(sum[4:]))
		if off += int64(sum[8]) + 1; far && i == n/2 {
			off += 5 << 30
		}
	}
	return tab
}
