package receive_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// obj is an object of a hand-made pack.
type obj struct {
	kind int // 1 commit, 2 tree, 3 blob, 4 tag, 6 offset delta, 7 ref delta
	data string
	pre  string // stands before the compressed data: the base of a delta
}

var kinds = map[int]string{1: "commit", 2: "tree", 3: "blob", 4: "tag"}

func (o obj) raw() string {
	sum := sha1.Sum(fmt.Appendf(nil, "%s %d\x00%s", kinds[o.kind], len(o.data), o.data))
	return string(sum[:])
}

func (o obj) id() string { return hex.EncodeToString([]byte(o.raw())) }

func (o obj) encode() []byte {
	n := len(o.data)
	c := byte(o.kind<<4 | n&15)
	var b bytes.Buffer
	for n >>= 4; n > 0; n >>= 7 {
		b.WriteByte(c | 0x80)
		c = byte(n & 0x7f)
	}
	b.WriteByte(c)
	b.WriteString(o.pre)
	z := zlib.NewWriter(&b)
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
	sum := sha1.Sum(b)
	return append(b, sum[:]...)
}

type treeEntry struct {
	mode, name string
	to         obj
}

func treeObj(entries ...treeEntry) obj {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s %s\x00%s", e.mode, e.name, e.to.raw())
	}
	return obj{kind: 2, data: b.String()}
}

func commitObj(tree obj, parents ...string) obj {
	var b strings.Builder
	fmt.Fprintf(&b, "tree %s\n", tree.id())
	for _, p := range parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	b.WriteString("author A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n\nsubject\n")
	return obj{kind: 1, data: b.String()}
}

// app is a commit whose tree has these entries, with everything that it needs but the blobs.
func app(entries ...treeEntry) (commit obj, objs []obj) {
	tree := treeObj(entries...)
	commit = commitObj(tree)
	objs = []obj{commit, tree}
	for _, e := range entries {
		if !slices.Contains(objs, e.to) && e.to.kind != 0 {
			objs = append(objs, e.to)
		}
	}
	return commit, objs
}

var hello1 = obj{kind: 3, data: "hello\n"}

func file(name string) treeEntry { return treeEntry{"100644", name, hello1} }

func link(name, target string) treeEntry {
	return treeEntry{"120000", name, obj{kind: 3, data: target}}
}
