package receive_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"hop3/receive"
)

// stored pushes a hand-made commit into a fresh repository.
func stored(t *testing.T, entries ...treeEntry) (*receive.Repo, string) {
	t.Helper()
	h := newHost(t)
	c, objs := app(entries...)
	if a := raw(t, h, commands(wireCaps, create(c.id()))+string(pack(objs...)), true); a.err != nil || a.report[0] != "unpack ok" {
		t.Fatalf("%+v", a)
	}
	return h.repo, c.id()
}

func TestTree_IsAFileSystem(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	write(t, filepath.Join(dir, "a.go"), "x")
	write(t, filepath.Join(dir, "a", "b", "c"), "deep")
	write(t, filepath.Join(dir, "a-b"), "sorts before a/ in git")
	write(t, filepath.Join(dir, "empty"), "")
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "run"), []byte("#!/bin/sh\n"), 0o755), os.Symlink("a/b", filepath.Join(dir, "link")))
	if err != nil {
		t.Fatal(err)
	}
	id := h.commit(dir, ".gitattributes", "a export-ignore\n*.go export-subst text eol=crlf\n")
	h.deploy = func(ctx context.Context, p *receive.Push) error {
		tree, err := p.Tree(ctx)
		if err != nil {
			return err
		}
		err = fstest.TestFS(tree, "README", "a.go", "a/b/c", "a-b", "run", "link", "empty")
		if err != nil {
			t.Error(err)
		}
		return err
	}
	h.git(dir, 0, "push", "-q", "hop3", "main")
	if err := h.errors(); err != nil {
		t.Fatal(err)
	}
	tree, err := h.repo.Tree(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := fs.Stat(tree, "run"); err != nil || info.Mode() != 0o755 {
		t.Errorf("run: %v, %v", info, err)
	}
	if info, err := fs.Stat(tree, "link"); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("link: %v, %v", info, err)
	}
	if to, err := fs.ReadLink(tree, "link"); err != nil || to != "a/b" {
		t.Errorf("link leads to %q, %v", to, err)
	}
	for _, name := range []string{"link/c", "nothing"} {
		if _, err := fs.ReadFile(tree, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := fs.ReadFile(tree, "link"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("reading a symlink: %q, %v", b, err)
	}
	dst := filepath.Join(t.TempDir(), "x")
	if err := h.repo.Export(t.Context(), id, dst, receive.ExportLimits{}); err != nil {
		t.Fatal(err)
	}
	wantSameFiles(t, tree, dst)
	if err := h.repo.Export(t.Context(), id, dst, receive.ExportLimits{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("exporting over it: %v", err)
	}
}

// wantSameFiles compares an export with the tree that it came from.
func wantSameFiles(t *testing.T, tree fs.FS, dst string) {
	t.Helper()
	n := 0
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		n++
		want, _ := d.Info()
		got, err := os.Lstat(filepath.Join(dst, name))
		if err != nil || name != "." && got.Mode() != want.Mode() {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want.Mode())
			return nil
		}
		if d.Type().IsRegular() {
			a, err1 := fs.ReadFile(tree, name)
			b, err2 := os.ReadFile(filepath.Join(dst, name))
			if string(a) != string(b) {
				t.Errorf("%s is %q, want %q", name, b, a)
			}
			return errors.Join(err1, err2)
		}
		return nil
	})
	m := 0
	err = errors.Join(err, filepath.WalkDir(dst, func(string, fs.DirEntry, error) error { m++; return nil }))
	if err != nil || n != m {
		t.Errorf("%d entries, want %d, %v", m, n, err)
	}
}

func TestExport_Limits(t *testing.T) {
	repo, id := stored(t, file("a"), file("b"))
	dst := t.TempDir()
	for _, l := range []receive.ExportLimits{{Files: 1}, {Bytes: 11}} {
		if err := repo.Export(t.Context(), id, dst, l); err == nil || !strings.Contains(err.Error(), "too") {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if left, err := os.ReadDir(dst); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if err := repo.Export(t.Context(), id, dst, receive.ExportLimits{Files: 2, Bytes: 12}); err != nil {
		t.Error(err)
	}
}

func TestExport_SubmodulesAreNamed(t *testing.T) {
	repo, id := stored(t, file("a"), treeEntry{"160000", "vendor", obj{kind: 0}})
	err := repo.Export(t.Context(), id, t.TempDir(), receive.ExportLimits{})
	var tree *receive.TreeError
	if !errors.As(err, &tree) || tree.Reason() != "submodules are not fetched: vendor" || !strings.Contains(tree.Hint(), "git add PATH") {
		t.Errorf("error is %v", err)
	}
}

func TestExport_LinksInsideStay(t *testing.T) {
	sub := treeObj(link("self", "./x/../up"), link("up", "../a"))
	h := newHost(t)
	root := treeObj(file("a"), treeEntry{"40000", "s", sub}, link("to", "s//up"))
	c := commitObj(root)
	var links []obj
	for _, to := range []string{"../a", "s//up"} {
		links = append(links, obj{kind: 3, data: to})
	}
	send := commands(wireCaps, create(c.id())) + string(pack(append(links, c, root, sub, hello1, obj{kind: 3, data: "./x/../up"})...))
	a := raw(t, h, send, true)
	if got := fmt.Sprint(a.report); !strings.Contains(got, "s/self -> ./x/../up") || strings.Contains(got, "s/up") {
		t.Errorf("only a link through what does not exist may be refused: %s", got)
	}
	repo, id := stored(t, file("a"), link("b", "a"), link("c", "./nothing"))
	if err := repo.Export(t.Context(), id, t.TempDir(), receive.ExportLimits{}); err != nil {
		t.Error(err)
	}
}

func TestTree_EndsWithItsContext(t *testing.T) {
	repo, id := stored(t, file("a"))
	ctx, cancel := context.WithCancel(t.Context())
	tree, err := repo.Tree(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.ReadFile(tree, "a"); err != nil {
		t.Error(err)
	}
	cancel()
	if _, err := fs.ReadDir(tree, "."); err != nil {
		t.Errorf("the names are there anyway: %v", err)
	}
}

func TestRepo_Errors(t *testing.T) {
	if _, err := receive.Open(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no repository: %v", err)
	}
	repo, id := stored(t, file("a"))
	if again, err := receive.Init(repo.Dir()); err != nil || again.Dir() != repo.Dir() {
		t.Errorf("again: %v", err)
	}
	if err := repo.UpdateRef("refs/heads/main", hello1.id(), ""); err == nil {
		t.Error("a ref was deleted by a wrong old value")
	}
	if err := repo.UpdateRef("main", "", id); err == nil {
		t.Error("a bad ref name was taken")
	}
	for _, bad := range []string{"", "main", "--all", hello1.id(), strings.Repeat("0", 39) + "x"} {
		if _, err := repo.Commit(t.Context(), bad); err == nil {
			t.Errorf("%q is a commit", bad)
		}
		if _, err := repo.Tree(t.Context(), bad); err == nil && bad != hello1.id() {
			t.Errorf("%q is a tree", bad)
		}
	}
	write(t, filepath.Join(repo.Dir(), "config"), "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n")
	var format *receive.FormatError
	if _, err := receive.Open(repo.Dir()); !errors.As(err, &format) {
		t.Errorf("sha256: %v", err)
	}
}

func TestRepo_Sweep(t *testing.T) {
	repo, id := stored(t, file("a"))
	before := snapshot(t, repo.Dir())
	write(t, filepath.Join(repo.Dir(), "incoming-123", "objects", "pack", "tmp_pack_1"), "x")
	if err := repo.Sweep(); err != nil {
		t.Fatal(err)
	}
	if after := snapshot(t, repo.Dir()); len(after) != len(before) {
		t.Error("something was left, or too much removed")
	}
	if _, err := repo.Commit(t.Context(), id); err != nil {
		t.Error(err)
	}
}
