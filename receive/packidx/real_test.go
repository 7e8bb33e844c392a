package packidx_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hop3/receive/packidx"
)

// history makes a repository of so many commits by chance: files that grow, shrink, move and are of no text, in folders
// that do so too.
func history(t testing.TB, seed uint64, commits int) string {
	t.Helper()
	repo := emptyRepo(t)
	r := rand.New(rand.NewPCG(seed, 1))
	var in bytes.Buffer
	files := map[string]string{}
	for n := range commits {
		fmt.Fprintf(&in, "commit refs/heads/main\nmark :%d\ncommitter A <a@b> %d +0000\ndata 6\nchange\n", n+1, 1700000000+n)
		for range 1 + r.IntN(5) {
			name := fmt.Sprintf("d%d/e%d/f%d", r.IntN(3), r.IntN(3), r.IntN(6))
			if r.IntN(12) == 0 && files[name] != "" {
				delete(files, name)
				fmt.Fprintf(&in, "D %s\n", name)
				continue
			}
			files[name] = changed(r, files[name])
			fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", name, len(files[name]), files[name])
		}
		in.WriteString("\n")
	}
	fmt.Fprintf(&in, "tag v1\nfrom :%d\ntagger A <a@b> 1700000000 +0000\ndata 3\ntag\n", commits/2+1)
	git(t, repo, &in, "fast-import", "--quiet")
	return repo
}

func changed(r *rand.Rand, s string) string {
	at := 0
	if s != "" {
		at = r.IntN(len(s))
	}
	switch r.IntN(4) {
	case 0:
		return s[:at] + noise(r, r.IntN(300)) + s[at:]
	case 1:
		return s[:at] + s[min(len(s), at+r.IntN(400)):]
	case 2:
		return s + strings.Repeat(fmt.Sprintf("line %d of some text\n", r.IntN(50)), r.IntN(100))
	}
	return s[at:] + s[:at]
}

func noise(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// packObjects lets git make a pack of revs.
func packObjects(t testing.TB, repo, revs string, args ...string) []byte {
	t.Helper()
	return []byte(git(t, repo, strings.NewReader(revs), append([]string{"pack-objects", "--revs", "--stdout", "-q"}, args...)...))
}

// TestIndex_RealPacks takes what git sends: all or the rest, thin or not, with both kinds of deltas and long chains.
func TestIndex_RealPacks(t *testing.T) {
	src := history(t, uint64(os.Getpid()), 120)
	t.Log("seed", os.Getpid())
	empty, some := emptyRepo(t), emptyRepo(t)
	git(t, some, bytes.NewReader(packObjects(t, src, "main~60\n")), "index-pack", "--stdin")
	for _, c := range []struct {
		name, repo, revs string
		args             []string
	}{
		{"all", empty, "main\nv1\n", []string{"--delta-base-offset"}},
		{"all, ref deltas", empty, "main\nv1\n", nil},
		{"long chains", empty, "main\n", []string{"--delta-base-offset", "--depth=4000", "--window=50", "--no-reuse-delta"}},
		{"no deltas", empty, "main\n", []string{"--depth=0", "--no-reuse-delta"}},
		{"rest", some, "main\n^main~60\n", []string{"--delta-base-offset"}},
		{"thin", some, "main\n^main~60\n", []string{"--delta-base-offset", "--thin"}},
		{"thin, ref deltas", some, "main\n^main~60\n", []string{"--thin"}},
		{"thin, one commit", some, "main~59\n^main~60\n", []string{"--thin", "--delta-base-offset"}},
		{"again", some, "main~60\n", []string{"--delta-base-offset"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := packObjects(t, src, c.revs, c.args...)
			if !wantSame(t, c.repo, p) {
				t.Error("was refused")
			}
			if c.repo == some && bytes.Contains([]byte(strings.Join(c.args, " ")), []byte("--thin")) && wantSame(t, empty, p) {
				t.Error("was taken without its bases")
			}
		})
	}
}

// TestIndex_Damage turns bits of a pack at each place where something begins, and at random ones, with the checksum made
// good and with the old one, and cuts it off.
func TestIndex_Damage(t *testing.T) {
	const flips = 30
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 2))
	t.Log("seed", os.Getpid())
	src := history(t, 7, 12)
	repo := emptyRepo(t)
	p := packObjects(t, src, "main\nv1\n", "--delta-base-offset")
	dir, res, err := goIndex(t, repo, p, packidx.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	places := []int{4, 7, 8, 11, len(p) - 1, len(p) - 20}
	if slow {
		for at := range p {
			places = append(places, at)
		}
	}
	for line := range strings.Lines(showIndex(t, dir, res)) {
		var off int
		fmt.Sscan(line, &off)
		places = append(places, off, off+1, off+2, off+3, off-1, off-4) // header, distance, zlib's header; the checksum before
	}
	r.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
	if !slow {
		places = places[:flips]
	}
	for _, at := range places {
		q := bytes.Clone(p)
		q[at] ^= 1 << r.IntN(8)
		if at < len(p)-20 {
			q = reseal(q)
		}
		wantSame(t, repo, q)
	}
	for range flips {
		n := r.IntN(len(p))
		if _, _, err := goIndex(t, repo, p[:n], packidx.Limits{}); err == nil {
			t.Errorf("taken after %d of %d bytes", n, len(p))
		}
		q := bytes.Clone(p)
		q[n] ^= 1 << r.IntN(8)
		if _, _, err := goIndex(t, repo, q, packidx.Limits{}); err == nil {
			t.Errorf("taken with a wrong bit at %d of %d", n, len(p))
		}
	}
}

func showIndex(t *testing.T, dir string, res *packidx.Result) string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "pack-"+res.Pack.String()+".idx"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return git(t, dir, f, "show-index")
}

// TestIndex_ReadsOnePack leaves a client that does not close its side waiting for nothing, and refuses what follows a pack.
func TestIndex_ReadsOnePack(t *testing.T) {
	p := pack(hello, obj{kind: blob, data: deltaBase})
	for step := range 3 {
		r, w := io.Pipe()
		go func() { // the end is never written
			for b := p; len(b) > 0; b = b[min(len(b), 1+step*7):] {
				w.Write(b[:min(len(b), 1+step*7)])
			}
		}()
		res, err := packidx.Index(t.Context(), r, packidx.Options{Dir: t.TempDir()})
		if err != nil || !res.Whole || res.Objects != 2 || !res.Has([20]byte([]byte(hello.raw()))) || res.Has([20]byte{1}) {
			t.Fatalf("%+v, %v", res, err)
		}
		res.Close()
		w.Close()
	}
	var e *packidx.Error
	_, err := packidx.Index(t.Context(), bytes.NewReader(append(p, 'x')), packidx.Options{Dir: t.TempDir()})
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "junk") {
		t.Errorf("junk: %v", err)
	}
}

// TestIndex_Stops ends with its context, though the wire is silent.
func TestIndex_Stops(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := withReason(t)
	go func() {
		w.Write(pack(hello)[:20])
		cancel()
	}()
	if _, err := packidx.Index(ctx, r, packidx.Options{Dir: t.TempDir()}); !errors.Is(err, errReason) {
		t.Errorf("%v", err)
	}
}
