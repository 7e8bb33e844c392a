package receive_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hop3/receive"
)

// pusher makes pushes of one small commit each, as a client that sends deltas against what the server has.
type pusher struct {
	t    testing.TB
	repo *receive.Repo
	tip  obj
	tree obj
	file obj
	n    int
}

func newPusher(t testing.TB) *pusher {
	t.Helper()
	repo, err := receive.Init(filepath.Join(t.TempDir(), "app.git"))
	if err != nil {
		t.Fatal(err)
	}
	return &pusher{t: t, repo: repo}
}

func (p *pusher) push() {
	p.t.Helper()
	p.n++
	old := zero
	var parents []string
	if p.n > 1 {
		old = p.tip.id()
		parents = []string{old}
	}
	f := obj{kind: 3, data: fmt.Sprintf("version %d\n%s", p.n, strings.Repeat("some line of text\n", 100))}
	tree := treeObj(treeEntry{"100644", "f", f}, treeEntry{"100644", "g", hello1})
	tip := commitObj(tree, parents...)
	objs := []obj{tip, tree, f, hello1}
	if p.n > 1 { // thin: the file as a delta, and what the server has is not sent
		skip := len("version 1\n") - 1
		text := fmt.Sprintf("version %d\n", p.n)
		tail := len(p.file.data) - skip
		delta := varint(len(p.file.data)) + varint(len(text)+tail-1) + string([]byte{byte(len(text))}) + text +
			string([]byte{0xb1, byte(len(p.file.data) - tail + 1), byte(tail - 1), byte((tail - 1) >> 8)})
		f = obj{kind: 3, data: text + p.file.data[len(p.file.data)-tail+1:]}
		tree = treeObj(treeEntry{"100644", "f", f}, treeEntry{"100644", "g", hello1})
		tip = commitObj(tree, parents...)
		objs = []obj{tip, tree, {kind: 7, data: delta, pre: p.file.raw()}}
	}
	send := commands(wireCaps, old+" "+tip.id()+" "+mainRef) + string(pack(objs...))
	var s receive.Server
	var out strings.Builder
	if err := s.ReceivePack(p.t.Context(), receive.Request{Repo: p.repo, In: strings.NewReader(send), Out: &out}); err != nil {
		p.t.Fatal(err)
	}
	if !strings.Contains(out.String(), "ok "+mainRef) {
		p.t.Fatalf("push %d: %q", p.n, out.String())
	}
	p.tip, p.tree, p.file = tip, tree, f
}

func (p *pusher) packs() int {
	found, err := filepath.Glob(filepath.Join(p.repo.Dir(), "objects", "pack", "*.pack"))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(found)
}

// TestRepo_Consolidate is stopped several times at random moments, as by a kill, while somebody pushes; every object must
// be there after each.
func TestRepo_Consolidate(t *testing.T) {
	p := newPusher(t)
	for range 49 {
		p.push()
	}
	if err := p.repo.Consolidate(t.Context()); err != nil || p.packs() != 49 {
		t.Errorf("%d packs, %v: too early", p.packs(), err)
	}
	for range 5 {
		p.push()
	}
	h := &host{t: t, repo: p.repo}
	for range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(50_000))*time.Microsecond)
		done := make(chan error, 1)
		go func() { done <- p.repo.Consolidate(ctx) }()
		p.push()
		if err := <-done; err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		h.fsck()
	}
	write(t, filepath.Join(p.repo.Dir(), "objects", "pack", ".tmp-1-pack-x.pack"), "left by a kill")
	write(t, filepath.Join(p.repo.Dir(), "objects", "pack", "tmp_pack_x"), "left by a kill")
	if err := p.repo.Consolidate(t.Context()); err != nil {
		t.Error(err)
	}
	if p.repo.Crowded() {
		t.Errorf("still %d packs", p.packs())
	}
	if err := p.repo.Sweep(); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(filepath.Join(p.repo.Dir(), "objects", "pack"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "pack-") {
			t.Errorf("%s was left", e.Name())
		}
	}
	p.push()
	h.wantRef(mainRef, p.tip.id())
	h.fsck()
}

// BenchmarkPush500 pushes 500 times into one repository, consolidated as the server does and not at all: "late" is how
// long one of the last fifty pushes takes, as a multiple of one of the first fifty.
func BenchmarkPush500(b *testing.B) {
	const pushes, part = 500, 50
	for _, tidy := range []bool{true, false} {
		b.Run(map[bool]string{true: "consolidated", false: "never"}[tidy], func(b *testing.B) {
			var first, last, repack time.Duration
			for b.Loop() {
				p := newPusher(b)
				for n := range pushes {
					start := time.Now()
					p.push()
					took := time.Since(start)
					if n < part {
						first += took
					}
					if n >= pushes-part {
						last += took
					}
					if start = time.Now(); tidy {
						if err := p.repo.Consolidate(b.Context()); err != nil {
							b.Fatal(err)
						}
					}
					repack += time.Since(start)
				}
				b.ReportMetric(float64(p.packs()), "packs")
			}
			b.ReportMetric(float64(last)/float64(first), "late")
			b.ReportMetric(float64(last.Microseconds())/1000/part/float64(b.N), "ms/late-push")
			b.ReportMetric(repack.Seconds()*1000/float64(b.N), "ms-repack")
			b.ReportMetric(0, "ns/op")
		})
	}
}
