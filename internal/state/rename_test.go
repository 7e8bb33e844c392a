package state

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func renamed(t *testing.T) (*Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"blog", "shop"} {
		if _, err := s.Create(name, "ann", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Update("blog", func(a *App) error { a.Config["A"] = "secret"; return nil }); err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func reopen(t *testing.T, s *Store, dir string) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func wantRenamed(t *testing.T, s *Store) {
	t.Helper()
	a, err := s.App("journal")
	if err != nil || a.Config["A"] != "secret" || a.RenamedFrom != "blog" {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := s.App("blog"); err == nil {
		t.Error("the old name is still there")
	}
	if to, err := os.Readlink(s.AppDir("blog")); err != nil || to != "journal" {
		t.Errorf("the old folder leads to %q, %v", to, err)
	}
}

func TestStore_Rename(t *testing.T) {
	s, dir := renamed(t)
	if _, err := s.Rename("blog", "shop"); !isConflict(err) {
		t.Errorf("a name in use: %v", err)
	}
	if _, err := s.Rename("blog", "journal"); err != nil {
		t.Fatal(err)
	}
	wantRenamed(t, s)
	if _, err := s.Create("blog", "ann", time.Now()); !isConflict(err) {
		t.Errorf("the old name is free too early: %v", err)
	}
	s = reopen(t, s, dir)
	wantRenamed(t, s)
	if err := s.FinishRename("journal"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create("blog", "ann", time.Now()); err != nil {
		t.Errorf("the old name is not free: %v", err)
	}
	s = reopen(t, s, dir)
	if len(s.Apps()) != 3 {
		t.Errorf("%v", s.Apps())
	}
}

func isConflict(err error) bool { var c *Conflict; return errors.As(err, &c) }

// The server ends when the record is written and the folder not yet moved.
func TestStore_RenameAfterCrash(t *testing.T) {
	s, dir := renamed(t)
	a, err := s.App("blog")
	if err != nil {
		t.Fatal(err)
	}
	next := a.clone()
	next.Name, next.RenamedFrom = "journal", "blog"
	if err := s.saveAppIn(s.AppDir("blog"), next); err != nil {
		t.Fatal(err)
	}
	wantRenamed(t, reopen(t, s, dir))
}

func TestStore_RenameBack(t *testing.T) {
	s, dir := renamed(t)
	for _, names := range [][2]string{{"blog", "journal"}, {"journal", "blog"}} {
		if _, err := s.Rename(names[0], names[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.FinishRename("blog"); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s, dir)
	left, err := filepath.Glob(filepath.Join(dir, "apps", "*"))
	if a, aerr := s.App("blog"); err != nil || aerr != nil || a.RenamedFrom != "" || len(left) != 2 {
		t.Errorf("%+v, %v, %v", a, aerr, left)
	}
}

func TestKeys_RenameApp(t *testing.T) {
	s, _ := renamed(t)
	defer s.Close()
	public, fingerprint, _, _, err := ParsePublicKey([]byte(ann))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keys().Add(Key{Name: "ann", Role: Deploy, Apps: []string{"shop", "blog"}, Public: public, Fingerprint: fingerprint}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rename("blog", "journal"); err != nil {
		t.Fatal(err)
	}
	keys, err := s.Keys().List()
	if err != nil || !slices.Equal(keys[0].Apps, []string{"shop", "journal"}) {
		t.Errorf("%+v, %v", keys, err)
	}
}
