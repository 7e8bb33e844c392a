package packidx_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// The kinds of entries in a pack.
const (
	commit = 1
	tree   = 2
	blob   = 3
	tag    = 4
	ofs    = 6
	ref    = 7
)

// obj is an entry of a hand-made pack.
type obj struct {
	kind int
	data string
	base string // of a ref delta its raw id, of an ofs delta the encoded distance
	size int    // what the header says, if it is not the truth
}

func (o obj) raw() string {
	name := map[int]string{commit: "commit", tree: "tree", blob: "blob", tag: "tag"}[o.kind]
	sum := sha1.Sum(fmt.Appendf(nil, "%s %d\x00%s", name, len(o.data), o.data))
	return string(sum[:])
}

func (o obj) id() string { return hex.EncodeToString([]byte(o.raw())) }

func (o obj) encode() []byte { return o.encodeWith(zlib.NewWriter(nil)) }

// encodeWith uses a writer again, which costs more to make than all else here.
func (o obj) encodeWith(z *zlib.Writer) []byte {
	size := len(o.data)
	if o.size != 0 {
		size = o.size
	}
	c := byte(o.kind<<4 | size&15)
	var b bytes.Buffer
	for size >>= 4; size > 0; size >>= 7 {
		b.WriteByte(c | 0x80)
		c = byte(size & 0x7f)
	}
	b.WriteByte(c)
	b.WriteString(o.base)
	z.Reset(&b)
	z.Write([]byte(o.data)) // a bytes.Buffer takes everything
	z.Close()
	return b.Bytes()
}

func pack(objs ...obj) []byte { return packOf(uint32(len(objs)), objs...) }

func packOf(count uint32, objs ...obj) []byte {
	b := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), count)
	for _, o := range objs {
		b = append(b, o.encode()...)
	}
	return seal(b)
}

// seal appends the checksum.
func seal(b []byte) []byte {
	sum := sha1.Sum(b)
	return append(b[:len(b):len(b)], sum[:]...)
}

// reseal replaces it.
func reseal(b []byte) []byte { return seal(b[:len(b)-sha1.Size]) }

// distance encodes how far an ofs delta stands behind its base.
func distance(n int) string {
	b := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		b = append([]byte{byte(n&0x7f) | 0x80}, b...)
	}
	return string(b)
}

func varint(n int) (s string) {
	for ; n > 0x7f; n >>= 7 {
		s += string([]byte{byte(n&0x7f) | 0x80})
	}
	return s + string([]byte{byte(n)})
}

// deltaOf makes a delta from its sizes and instructions.
func deltaOf(base, result int, ops ...string) string {
	return varint(base) + varint(result) + strings.Join(ops, "")
}

// replace is a delta that makes a content without its base.
func replace(base, content string) string {
	ops := ""
	for rest := content; rest != ""; {
		n := min(len(rest), 127)
		ops += string([]byte{byte(n)}) + rest[:n]
		rest = rest[n:]
	}
	return deltaOf(len(base), len(content), ops)
}

// copyFrom is an instruction that copies, with those operand bytes that mask names.
func copyFrom(mask byte, off, size int) string {
	op := []byte{0x80 | mask}
	for bit := range 4 {
		if mask&(1<<bit) != 0 {
			op = append(op, byte(off>>(8*bit)))
		}
	}
	for bit := range 3 {
		if mask&(0x10<<bit) != 0 {
			op = append(op, byte(size>>(8*bit)))
		}
	}
	return string(op)
}

// entry is a line of a tree.
func entry(mode, name, raw string) string { return mode + " " + name + "\x00" + raw }

func treeOf(entries ...string) obj { return obj{kind: tree, data: strings.Join(entries, "")} }

const (
	person = "A <a@b> 1700000000 +0000"
	nobody = "author " + person + "\ncommitter " + person + "\n"
)

func commitOf(t obj, parents ...string) obj {
	s := "tree " + t.id() + "\n"
	for _, p := range parents {
		s += "parent " + p + "\n"
	}
	return obj{kind: commit, data: s + nobody + "\nsubject\n"}
}

var hello = obj{kind: blob, data: "hello\n"}

func inflateAll(b []byte) (string, error) {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(z)
	return string(data), err
}
