package state

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore_SurvivesReopening(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	if _, err := s.Create("blog", "ann", time.Now()); err != nil {
		t.Fatal(err)
	}
	_, err := s.Update("blog", func(a *App) error {
		a.Config["TOKEN"] = "canary-5d1f"
		a.Releases = append(a.Releases, Release{Number: 1, Status: Live, StorePath: "/nix/store/x", Config: map[string]string{"OLD": "canary-77aa"}})
		a.Current, a.LastRelease = 1, 1
		a.Domains = []string{"blog.example.com"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := openStore(t, dir)
	a, err := again.App("blog")
	if err != nil {
		t.Fatal(err)
	}
	r, ok := a.CurrentRelease()
	if !ok || r.Config["OLD"] != "canary-77aa" || a.Config["TOKEN"] != "canary-5d1f" || a.UID != firstUID || a.Domains[0] != "blog.example.com" {
		t.Errorf("read back %+v, release %+v", a, r)
	}
	b, err := again.Create("shop", "ann", time.Now())
	if err != nil || b.UID != firstUID+1 {
		t.Errorf("second app: uid %d, %v; want %d", b.UID, err, firstUID+1)
	}
}

func TestStore_WritesNoSettingInTheClear(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	if _, err := s.Create("blog", "ann", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update("blog", func(a *App) error { a.Config["TOKEN"] = "canary-5d1f"; return nil }); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v: others can read it", p, info.Mode())
		}
		b, err := os.ReadFile(p)
		if bytes.Contains(b, []byte("canary-5d1f")) {
			t.Errorf("%s holds the setting in the clear", p)
		}
		return err
	})
	if err != nil || files < 3 {
		t.Fatal(files, err)
	}
}

func TestStore_RefusesAMovedFile(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	for _, name := range []string{"blog", "shop"} {
		if _, err := s.Create(name, "ann", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	b, err := os.ReadFile(filepath.Join(dir, "apps/blog/app.json"))
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.ReplaceAll(b, []byte(`"name": "blog"`), []byte(`"name": "shop"`))
	if err := os.WriteFile(filepath.Join(dir, "apps/shop/app.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err := openStore(t, dir).App("shop"); err == nil {
		t.Errorf("settings sealed for blog were accepted for shop: %v", a)
	}
}

// TestStore_OneTornRecord: a file that is cut off takes its app's part away and no other's, and nothing of it is lost.
func TestStore_OneTornRecord(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	for _, name := range []string{"blog", "shop"} {
		if _, err := s.Create(name, "ann", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "apps/shop/app.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, torn := range [][]byte{nil, good[:len(good)/2], []byte("{}x")} {
		s.Close()
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, dir)
		if _, err := s.App("blog"); err != nil {
			t.Error(err)
		}
		_, err := s.App("shop")
		if d := (*Damaged)(nil); !errors.As(err, &d) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", torn, err)
		}
		if _, err := s.Create("shop", "ann", time.Now()); err == nil {
			t.Error("another app got its folder")
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, torn) {
			t.Errorf("the file is %q now: %v", b, err)
		}
	}
	s.Close()
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	if a, err := s.App("shop"); err != nil || a.UID != firstUID+1 {
		t.Errorf("put back: %+v %v", a, err)
	}

	s.Close()
	if err := os.WriteFile(filepath.Join(dir, "secret.key"), make([]byte, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(dir); err == nil {
		s.Close()
		t.Error("a server that can read no app at all starts")
	}
}

func TestStore_OneServerOnly(t *testing.T) {
	dir := t.TempDir()
	openStore(t, dir)
	_, err := Open(dir)
	var conflict *Conflict
	if !errors.As(err, &conflict) {
		t.Errorf("second server: %v, want a conflict", err)
	}
}

func TestStore_FailedChangeChangesNothing(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, name := range []string{"blog", "shop"} {
		if _, err := s.Create(name, "ann", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Update("blog", func(a *App) error { a.Domains = []string{"x.test"}; return nil }); err != nil {
		t.Fatal(err)
	}
	_, err := s.Update("shop", func(a *App) error {
		a.Config["A"] = "1"
		a.Domains = []string{"x.test"}
		return nil
	})
	var conflict *Conflict
	if !errors.As(err, &conflict) {
		t.Errorf("taken domain: %v, want a conflict", err)
	}
	if a, _ := s.App("shop"); len(a.Config) != 0 || len(a.Domains) != 0 {
		t.Errorf("a refused change left %+v", a)
	}
	if _, err := s.Create("blog", "ann", time.Now()); !errors.As(err, &conflict) {
		t.Errorf("second blog: %v, want a conflict", err)
	}
}

func TestStore_DestroyLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	if _, err := s.Create("blog", "ann", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.Destroy("blog"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "apps"))
	if err != nil || len(entries) != 0 {
		t.Errorf("left: %v %v", entries, err)
	}
	var missing *NotFound
	if _, err := s.App("blog"); !errors.As(err, &missing) {
		t.Errorf("destroyed app: %v", err)
	}
}

func TestStore_ConcurrentUpdates(t *testing.T) {
	s := openStore(t, t.TempDir())
	if _, err := s.Create("blog", "ann", time.Now()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := s.Update("blog", func(a *App) error { a.LastRelease++; return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if a, _ := s.App("blog"); a.LastRelease != 20 {
		t.Errorf("LastRelease = %d, want 20", a.LastRelease)
	}
}

func TestCheckAppName(t *testing.T) {
	for name, ok := range map[string]bool{
		"blog": true, "a": true, "a-b2": true, "0": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "a-": false, "Blog": false, "a_b": false, "a/b": false, "..": false, strings.Repeat("a", 64): false, "a\n": false,
	} {
		if err := CheckAppName(name); (err == nil) != ok {
			t.Errorf("CheckAppName(%q) = %v, want ok=%v", name, err, ok)
		}
	}
}

func TestCheckDomain(t *testing.T) {
	for in, want := range map[string]string{"Blog.Example.com.": "blog.example.com", "localhost": "localhost", "a b": "", "http://x": "", "x:80": "", "-a.b": "", "": "", "*.x.y": ""} {
		got, err := CheckDomain(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("CheckDomain(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestKey_May(t *testing.T) {
	k := Key{Role: Deploy, Apps: []string{"blog"}}
	for _, c := range []struct {
		role Role
		app  string
		want bool
	}{{Deploy, "blog", true}, {View, "blog", true}, {Operate, "blog", false}, {Deploy, "shop", false}, {View, "", true}, {NoRole, "blog", false}} {
		if got := k.May(c.role, c.app); got != c.want {
			t.Errorf("May(%v, %q) = %v", c.role, c.app, got)
		}
	}
	if (Key{}).May(View, "") {
		t.Error("a key without a role may view")
	}
}

func TestKey_Usable(t *testing.T) {
	now := time.Now()
	k := Key{From: []string{"192.0.2.0/24"}, Expires: now.Add(time.Hour)}
	if !k.Usable(netip.MustParseAddr("::ffff:192.0.2.9"), now) || k.Usable(netip.MustParseAddr("192.0.3.9"), now) || k.Usable(netip.MustParseAddr("192.0.2.9"), now.Add(2*time.Hour)) {
		t.Error("address range or expiry is not kept")
	}
}

const ann = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGXZZH0uDCGQ5lZ4YyFT3Zg2kXyv6J1L0o9mQ4fBq8rS ann@laptop"

func TestKeys_SharedFile(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	admin, err := OpenKeys(dir) // as `hop3 admin add` does beside a running server
	if err != nil {
		t.Fatal(err)
	}
	public, fp, comment, _, err := ParsePublicKey([]byte(ann))
	if err != nil || comment != "ann@laptop" {
		t.Fatal(comment, err)
	}
	if err := admin.Add(Key{Name: "ann", Role: Admin, Fingerprint: fp, Public: public}); err != nil {
		t.Fatal(err)
	}
	if k, ok, err := s.Keys().ByFingerprint(fp); !ok || err != nil || k.Name != "ann" {
		t.Errorf("the server sees %+v %v %v", k, ok, err)
	}
	var conflict *Conflict
	if err := s.Keys().Add(Key{Name: "bob", Role: View, Fingerprint: fp}); !errors.As(err, &conflict) {
		t.Errorf("same key again: %v", err)
	}
	if err := s.Keys().Remove("ann"); !errors.As(err, &conflict) {
		t.Errorf("last admin removed: %v", err)
	}
	var missing *NotFound
	if err := s.Keys().Remove("anm"); !errors.As(err, &missing) || missing.Near != "ann" {
		t.Errorf("misspelt: %v", err)
	}
}

func TestEvents(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, what := range []string{"a", "b", "c"} {
		if err := s.Record(Event{Who: "ann", What: what, Result: "ok"}); err != nil {
			t.Fatal(err)
		}
	}
	events, err := s.Events(2, nil)
	if err != nil || len(events) != 2 || events[0].What != "b" {
		t.Errorf("%v %v", events, err)
	}
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add([]byte(ann))
	f.Add([]byte("no key"))
	f.Fuzz(func(t *testing.T, b []byte) {
		public, fp, _, _, err := ParsePublicKey(b)
		if err == nil && (strings.Contains(public, "\n") || !strings.HasPrefix(fp, "SHA256:")) {
			t.Errorf("%q %q", public, fp)
		}
	})
}

func TestStore_FollowEvents(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	record := func(app string) {
		if err := s.Record(Event{App: app, What: "x", Result: "ok"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, app := range []string{"a", "b", "a", "c"} {
		record(app)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen, done := make(chan string), make(chan error)
	go func() {
		done <- s.FollowEvents(ctx, 2, func(e Event) bool { return e.App != "b" }, func(e Event) error { seen <- e.App; return nil })
	}()
	for _, want := range []string{"a", "c"} {
		if got := <-seen; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	record("b")
	record("d")
	if got := <-seen; got != "d" {
		t.Errorf("%s, want d", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCheckBranch(t *testing.T) {
	for name, ok := range map[string]bool{"main": true, "release/1.x": true, "": false, "-x": false, "a..b": false, "a/": false, "a b": false, "x.lock": false, ".a": false, "a^": false} {
		if err := CheckBranch(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
