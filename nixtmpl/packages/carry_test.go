package packages

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// A part is one entry of an archive.
type part struct {
	name string
	body []byte
}

func readParts(t *testing.T, archive []byte) []part {
	t.Helper()
	var parts []part
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return parts
		} else if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{h.Name, b})
	}
}

func writeParts(t *testing.T, parts []part) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, p := range parts {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: p.name, Size: int64(len(p.body)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func exportAll(t *testing.T, s *Set, needs ...Need) []byte {
	t.Helper()
	var buf bytes.Buffer
	if _, err := s.Export(t.Context(), &buf, needs...); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// emptyMachine is another machine: a folder and a store of its own, no mirror.
func emptyMachine(t *testing.T) *Set {
	t.Helper()
	s, err := Open(t.TempDir(), chrootStore{t.TempDir()}, Options{DebMirror: "http://127.0.0.1:1", SecurityMirror: "-", NpmRegistry: "http://127.0.0.1:1", GoProxy: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What one machine exports is all that another one, which reaches no mirror,
// needs for the stack.
func TestExport_CarriesAStackToAnotherMachine(t *testing.T) {
	s := openReal(t)
	need := Need{Stack: "static"}
	prefetch(t, s, need)
	archive := exportAll(t, s, need)
	if !bytes.Equal(archive, exportAll(t, s, need)) {
		t.Error("two exports differ")
	}
	other := emptyMachine(t)
	if stored(t, other, need) {
		t.Fatal("the other machine has it already")
	}
	var out lines
	c, err := other.Import(t.Context(), bytes.NewReader(archive), &out)
	if err != nil {
		t.Fatal(err)
	}
	if c.Added != c.Files || c.Files < 5 || c.Lock {
		t.Errorf("got %+v", c)
	}
	if !stored(t, other, need) {
		t.Error("the other machine cannot build the stack")
	}
	if c, err = other.Import(t.Context(), bytes.NewReader(archive), &out); err != nil || c.Added != 0 {
		t.Errorf("again: %+v, %v", c, err)
	}
}

func TestImport_RefusesWhatIsNotTheLocksOwn(t *testing.T) {
	s := openReal(t)
	prefetch(t, s, Need{Stack: "static"})
	whole := exportAll(t, s, Need{Stack: "static"})
	parts := readParts(t, whole)
	change := func(f func([]part) []part) []byte {
		copied := make([]part, len(parts))
		for i, p := range parts {
			copied[i] = part{p.name, bytes.Clone(p.body)}
		}
		return writeParts(t, f(copied))
	}
	last := len(parts) - 1
	for _, c := range []struct {
		name, want string
		archive    []byte
	}{
		{"nothing", "does not begin with a lock", nil},
		{"no tar", "does not begin with a lock", []byte(strings.Repeat("hello", 1000))},
		{"no lock", "does not begin with a lock", change(func(p []part) []part { return p[1:] })},
		{"cut off", "cut off or damaged", whole[:len(whole)-20000]},
		{"a changed file", "is not what its lock names", change(func(p []part) []part { p[last].body[0]++; return p })},
		{"a changed shell", "stage0 is not what its lock names", change(func(p []part) []part { p[2].body[999]++; return p })},
		{"a further name of the shell", "stage0 is not what its lock names", change(func(p []part) []part { p[1].body = append(p[1].body, "../../x\n"...); return p })},
		{"a file that is not in the lock", "does not name", change(func(p []part) []part { return append(p, part{"files/../../evil", nil}) })},
		{"a file twice", "does not name", change(func(p []part) []part { return append(p, p[last]) })},
		{"a lock of another version", "another version of hop3", change(func(p []part) []part {
			p[0].body = bytes.Replace(p[0].body, []byte(specDigest()), []byte(strings.Repeat("0", len(specDigest()))), 1)
			return p
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Import(t.Context(), bytes.NewReader(c.archive), io.Discard)
			var refused *CarryError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || refused.Hint() == "" {
				t.Errorf("got %v, want one that says %q", err, c.want)
			}
		})
	}
}

// The date of a lock never goes back, and none comes from the future.
func TestImport_LocksByDate(t *testing.T) {
	s := openReal(t)
	first := s.current()
	with := func(d time.Time) *lock {
		l := *first
		l.Dates = map[string]time.Time{"trixie": d}
		return &l
	}
	now := time.Now()
	for _, c := range []struct {
		name         string
		mine, theirs time.Time
		want         string
	}{
		{"newer", now.Add(-2 * time.Hour), now.Add(-time.Hour), ""},
		{"the same", now.Add(-time.Hour), now.Add(-time.Hour), ""},
		{"older", now.Add(-time.Hour), now.Add(-2 * time.Hour), "older than this machine's"},
		{"of the future", now.Add(-time.Hour), now.Add(48 * time.Hour), "in the future"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.lock = with(c.mine)
			err := s.takesLock(with(c.theirs))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzImport(f *testing.F) {
	s, err := Open(f.TempDir(), execStore{}, Options{})
	if err != nil {
		f.Fatal(err)
	}
	lock, err := s.current().encode()
	if err != nil {
		f.Fatal(err)
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, p := range []part{{carryLock, lock}, {carryApplets, []byte("ls\nsh\n")}, {carryProgram, []byte("x")}, {"files/a.deb", []byte("y")}} {
		if err := writePart(w, p.name, int64(len(p.body)), bytes.NewReader(p.body)); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add(buf.Bytes()[:len(lock)+600])
	f.Fuzz(func(t *testing.T, archive []byte) {
		if c, err := s.Import(t.Context(), bytes.NewReader(archive), io.Discard); c.Added > 0 {
			t.Errorf("took %+v, %v", c, err)
		}
	})
}
