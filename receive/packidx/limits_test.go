package packidx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hop3/receive/packidx"
)

var errReason = errors.New("the reason")

func withReason(t *testing.T) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(t.Context())
	return ctx, func() { cancel(errReason) }
}

// TestIndex_Bombs refuses what is small on the wire and large behind it, before it is made.
func TestIndex_Bombs(t *testing.T) {
	zeros := obj{kind: blob, data: strings.Repeat("\x00", 1<<20)}
	double := func(base obj, n int) obj {
		return obj{kind: ref, base: base.raw(), data: deltaOf(len(base.data), n*len(base.data),
			strings.Repeat(copyFrom(0x60, 0, 0x100000), n))}
	}
	chain := []obj{{kind: blob, data: "0"}}
	for i := range 30 {
		prev := chain[len(chain)-1]
		chain = append(chain, obj{kind: ofs, base: distance(len(prev.encode())), data: replace(fmt.Sprint(i%10), fmt.Sprint((i+1)%10))})
	}
	many := make([]obj, 40)
	for i := range many {
		many[i] = obj{kind: blob, data: fmt.Sprint(i, zeros.data)}
	}
	for name, c := range map[string]struct {
		pack   []byte
		limits packidx.Limits
		why    string
	}{
		"object count":  {packOf(0xffffffff, hello), packidx.Limits{}, "more than 1000000 objects"},
		"zip bomb":      {pack(obj{kind: blob, data: zeros.data, size: 1 << 40}), packidx.Limits{}, "larger than the server takes"},
		"delta bomb":    {pack(zeros, double(zeros, 1000)), packidx.Limits{}, "an object of 1000 MiB"},
		"delta too":     {pack(zeros, obj{kind: ref, base: zeros.raw(), data: replace("", "x"), size: 1 << 40}), packidx.Limits{}, "larger than the server takes"},
		"all together":  {pack(many...), packidx.Limits{TotalBytes: 20 << 20}, "together larger than 20 MiB"},
		"deltas, too":   {pack(zeros, double(zeros, 10), double(zeros, 11)), packidx.Limits{TotalBytes: 20 << 20}, "together larger than 20 MiB"},
		"long chain":    {pack(chain...), packidx.Limits{Depth: 20}, "longer than 20"},
		"large tree":    {pack(obj{kind: tree, data: strings.Repeat("x", 9<<20)}), packidx.Limits{}, "larger than the server takes"},
		"large message": {pack(obj{kind: commit, data: strings.Repeat("x", 9<<20)}), packidx.Limits{}, "larger than the server takes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := packidx.Index(t.Context(), bytes.NewReader(c.pack), packidx.Options{Dir: t.TempDir(), Limits: c.limits})
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%v, want %q", err, c.why)
			}
		})
	}
}

// TestIndex_Large has objects and deltas that do not fit into the memory that there is for them, as bases and as results,
// of files and of trees.
func TestIndex_Large(t *testing.T) {
	repo := emptyRepo(t)
	large := func(n int) string { return strings.Repeat(fmt.Sprintf("%015d\n", n), 50_000) } // 800 kB
	base := obj{kind: blob, data: large(1)}
	copyAll := func(n int) (ops string) {
		for off := 0; off < n; off += 0xffff {
			ops += copyFrom(0x37, off, min(0xffff, n-off))
		}
		return ops
	}
	n := len(base.data)
	variant := func(text string) obj { // base and some text
		return obj{kind: ref, base: base.raw(), data: deltaOf(n, n+len(text), copyAll(n), string([]byte{byte(len(text))})+text)}
	}
	result := func(text string) obj { return obj{kind: blob, data: base.data + text} }
	onResult := func(text, more string) obj {
		b := result(text)
		return obj{kind: ref, base: b.raw(), data: deltaOf(len(b.data), n+len(more), copyAll(n), string([]byte{byte(len(more))})+more)}
	}
	r := result("one")
	small := obj{kind: ref, base: r.raw(), data: deltaOf(len(r.data), 30, copyFrom(0x17, n-10, 10), copyFrom(0x11, 0, 20))}
	smallRaw := obj{kind: blob, data: r.data[n-10:n] + r.data[:20]}
	fromSmall := obj{kind: ref, base: smallRaw.raw(), data: replace(smallRaw.data, large(2))}
	var entries []string
	for i := range 20_000 {
		entries = append(entries, entry("100644", fmt.Sprintf("file%06d", i), hello.raw()))
	}
	folder := treeOf(entries...)
	more := obj{kind: ref, base: folder.raw(), data: deltaOf(len(folder.data), len(folder.data)-len(entries[0]),
		copyFrom(0x37, len(entries[0]), 0xffff), strings.TrimPrefix(deltaOf(0, 0, copyRange(len(entries[0])+0xffff, len(folder.data))), "\x00\x00"))}
	p := pack(base, variant("one"), variant("two"), onResult("one", "three"), onResult("two", "four"), small, fromSmall, hello, folder, more)
	if !wantSame(t, repo, p) {
		t.Error("was refused")
	}
	git(t, repo, bytes.NewReader(pack(base)), "index-pack", "--stdin")
	if !wantSame(t, repo, pack(variant("thin"), onResult("thin", "thinner"))) {
		t.Error("a thin pack was refused")
	}
}

// copyRange copies from one offset to another.
func copyRange(from, to int) (ops string) {
	for off := from; off < to; off += 0xffff {
		ops += copyFrom(0x37, off, min(0xffff, to-off))
	}
	return ops
}
