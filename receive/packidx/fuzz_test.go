package packidx_test

import (
	"bytes"
	"flag"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hop3/receive/packidx"
)

// shelf is a repository in memory.
type shelf map[packidx.ID]obj

func shelfOf(objs ...obj) shelf {
	s := shelf{}
	for _, o := range append(objs, obj{kind: tree}) { // git knows the empty tree
		s[packidx.ID([]byte(o.raw()))] = o
	}
	return s
}

func (s shelf) Kinds(ids []packidx.ID) ([]packidx.Kind, error) {
	kinds := make([]packidx.Kind, len(ids))
	for i, id := range ids {
		kinds[i] = packidx.Kind(s[id].kind)
	}
	return kinds, nil
}

func (s shelf) Open(id packidx.ID) (packidx.Kind, int64, io.Reader, error) {
	o := s[id]
	return packidx.Kind(o.kind), int64(len(o.data)), strings.NewReader(o.data), nil
}

// wantGitAgrees is the property that matters most: what is taken git takes too, with the same index.
func wantGitAgrees(t *testing.T, repo string, stored shelf, pack []byte) {
	t.Helper()
	dir := t.TempDir()
	limits := packidx.Limits{Objects: 1000, ObjectBytes: 1 << 20, TotalBytes: 16 << 20}
	res, err := packidx.Index(t.Context(), bytes.NewReader(pack), packidx.Options{Dir: dir, Store: stored, Limits: limits, Workers: 2})
	if err != nil {
		return
	}
	defer res.Close()
	theirs, err := gitIndex(t, repo, pack)
	if err != nil {
		t.Fatalf("taken, but git says %v", err)
	}
	if res.Objects == packCount(pack) {
		if !maps.Equal(indexes(t, theirs), indexes(t, dir)) {
			t.Fatal("the index differs from git's")
		}
		return
	}
	for name := range indexes(t, dir) { // completed: git must find pack and index sound
		git(t, repo, nil, "verify-pack", filepath.Join(dir, name))
	}
}

// sample is all cases for the fuzzer and for the slow tests, and some of them, always the same, for a quick run: each
// costs a git index-pack.
func sample(cases map[string][]byte) map[string][]byte {
	const every = 20
	if slow || flag.Lookup("test.fuzz").Value.String() != "" {
		return cases
	}
	some := map[string][]byte{}
	for i, name := range slices.Sorted(maps.Keys(cases)) {
		if i%every == 0 {
			some[name] = cases[name]
		}
	}
	return some
}

// FuzzIndex mutates whole packs; the checksum at the end is made good.
func FuzzIndex(f *testing.F) {
	stored := []obj{hello, {kind: blob, data: deltaBase}}
	for _, p := range sample(ruleCases()) {
		f.Add(p)
	}
	next := obj{kind: ref, base: hello.raw(), data: replace(hello.data, "next")}
	f.Add(pack(next))
	f.Add(pack(hello, obj{kind: ofs, base: distance(len(hello.encode())), data: replace(hello.data, "next")}))
	f.Add(pack(hello, treeOf(entry("100644", "f", hello.raw())), commitOf(treeOf(entry("100644", "f", hello.raw())))))
	repo, _ := repoWith(f, stored...)
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < 32 {
			return
		}
		wantGitAgrees(t, repo, shelfOf(stored...), reseal(p))
	})
}

// FuzzObjects mutates what is inside of a pack: its compressed parts are made from the input. Each entry is a byte for its
// kind, one for the length of its content, and the content, of which a delta's first byte chooses the base.
func FuzzObjects(f *testing.F) {
	stored := []obj{hello, {kind: blob, data: deltaBase}}
	add := func(objs ...obj) {
		var b []byte
		for _, o := range objs {
			if o.kind > tag {
				o.data = "\x00" + o.data
			}
			if len(o.data) > 255 {
				return
			}
			b = append(append(b, byte(o.kind), byte(len(o.data))), o.data...)
		}
		f.Add(b)
	}
	t := treeOf(entry("100644", "f", hello.raw()))
	add(hello)
	add(t)
	add(commitOf(t), t)
	add(obj{kind: blob, data: "x"}, obj{kind: ref, data: replace("x", "yz")}, obj{kind: ofs, data: replace("x", "zz")})
	add(obj{kind: ref, data: deltaOf(6, 12, copyFrom(0x10, 0, 6), copyFrom(0x11, 0, 6))})
	add(obj{kind: tag, data: "object " + t.id() + "\ntype tree\ntag v\ntagger " + person + "\n\nx"}, t)
	repo, _ := repoWith(f, stored...)
	f.Fuzz(func(t *testing.T, b []byte) {
		var objs []obj
		for len(b) > 2 && len(objs) < 20 {
			o := obj{kind: int(b[0] & 7)}
			n := min(int(b[1]), len(b)-2)
			o.data, b = string(b[2:2+n]), b[2+n:]
			if o.kind > tag && !chooseBase(&o, append(stored, objs...)) {
				continue
			}
			objs = append(objs, o)
		}
		wantGitAgrees(t, repo, shelfOf(stored...), pack(objs...))
	})
}

func chooseBase(o *obj, objs []obj) bool {
	if o.data == "" {
		return false
	}
	at := int(o.data[0]) % len(objs)
	o.data = o.data[1:]
	if o.kind == ref {
		o.base = objs[at].raw()
		return true
	}
	n := 0
	for _, between := range objs[at:] {
		n += len(between.encode())
	}
	o.base = distance(n)
	return true
}

// FuzzRules mutates one object whose links lead to what is there.
func FuzzRules(f *testing.F) {
	for _, kind := range []int{commit, tree, tag} {
		cases := map[string][]byte{}
		if kind == tree {
			treeCases(cases)
		} else {
			headerCases(cases)
		}
		for _, p := range sample(cases) {
			if o, ok := firstObject(p, kind); ok {
				f.Add(byte(kind), []byte(o))
			}
		}
	}
	repo, _ := repoWith(f, hello)
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		if kind < commit || kind > tag {
			return
		}
		wantGitAgrees(t, repo, shelfOf(hello), pack(obj{kind: int(kind), data: string(data)}))
	})
}

// firstObject inflates the first entry of a pack, if it is of that kind.
func firstObject(p []byte, kind int) (string, bool) {
	if int(p[12]>>4&7) != kind {
		return "", false
	}
	at := 12
	for p[at]&0x80 != 0 {
		at++
	}
	data, err := inflateAll(p[at+1:])
	return data, err == nil
}

// FuzzModules mutates a .gitmodules.
func FuzzModules(f *testing.F) {
	cases := map[string][]byte{}
	fileCases(cases)
	for name := range sample(cases) {
		if _, text, ok := strings.Cut(name, " "); ok {
			f.Add([]byte(text))
		}
	}
	repo := emptyRepo(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		b := obj{kind: blob, data: string(data)}
		wantGitAgrees(t, repo, shelfOf(), pack(b, treeOf(entry("100644", ".gitmodules", b.raw()))))
	})
}
