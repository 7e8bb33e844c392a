package nix_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hop3/nixtmpl/nix"
)

func TestStore_FilesComeAndGo(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	var files, want []string
	for _, name := range []string{"b.deb", "a.deb"} {
		text := name + w.token
		f := filepath.Join(dir, name)
		if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(text))
		files = append(files, f)
		want = append(want, nix.FixedPath(name, "sha256", hex.EncodeToString(sum[:]), false))
	}
	valid, err := w.Valid(t.Context(), want...)
	if err != nil || valid[want[0]] || valid[want[1]] {
		t.Errorf("before: %v, %v", valid, err)
	}
	got, err := w.AddFixed(t.Context(), "sha256", false, files...)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("added %q, %v; want %q", got, err, want)
	}
	link := filepath.Join(dir, "root")
	if err := w.AddRoot(t.Context(), link, want[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.Delete(t.Context(), want...); err == nil || !strings.Contains(err.Error(), want[0]) {
		t.Errorf("a rooted path was deleted: %v", err)
	}
	valid, err = w.Valid(t.Context(), want...)
	if err != nil || !valid[want[0]] || valid[want[1]] {
		t.Errorf("after deleting both, one of them rooted: %v, %v", valid, err)
	}
	if err := w.RemoveRoot(link); err != nil {
		t.Fatal(err)
	}
	if err := w.RemoveRoot(link); err != nil {
		t.Errorf("removing it again: %v", err)
	}
	if err := w.Delete(t.Context(), want[0]); err != nil {
		t.Errorf("deleting what no root keeps any more: %v", err)
	}
}

func TestStore_RefusesWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	for _, p := range []string{"", "/etc/passwd", "--help", "/nix/store", "/nix/store/../x", "/nix/store/short-x", nix.StoreDir + "/wahynad7884jmn3y32mgp77iigd8y625-x/bin"} {
		if _, err := w.Valid(t.Context(), p); err == nil {
			t.Errorf("Valid(%q): no error", p)
		}
		if _, err := w.Closure(t.Context(), p); err == nil {
			t.Errorf("Closure(%q): no error", p)
		}
		if err := w.Delete(t.Context(), p); err == nil {
			t.Errorf("Delete(%q): no error", p)
		}
		if err := w.AddRoot(t.Context(), filepath.Join(t.TempDir(), "x"), p); err == nil {
			t.Errorf("AddRoot(%q): no error", p)
		}
	}
	gone := nix.FixedPath("gone", "sha256", strings.Repeat("ab", 32), false)
	if _, err := w.Closure(t.Context(), gone); err == nil {
		t.Error("the closure of what is not valid: no error")
	}
	if err := w.AddRoot(t.Context(), filepath.Join(t.TempDir(), "x"), gone); err == nil {
		t.Error("a root for what is not valid: no error")
	}
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddFixed(t.Context(), "sha256", false, file); err == nil {
		t.Error("a file whose name is not legal in the store: no error")
	}
	if _, err := w.AddFixed(t.Context(), "crc32", false, file); err == nil {
		t.Error("an unknown algorithm: no error")
	}
	if err := w.RemoveRoot(file); err == nil {
		t.Error("RemoveRoot removed a file")
	}
}

func TestStore_ClosureHasSizes(t *testing.T) {
	w := newWorld(t)
	r := w.mustBuild(nix.BuildRequest{Layers: []string{"deps"}, Flake: w.flake(`
      deps = run "deps" [ "write" "deps" ];
      default = more { inherit deps; } "app" [ "append" "deps" ];`)})
	closure, err := w.Closure(t.Context(), r.Out)
	if err != nil || !slices.Equal(closure, r.Closure) {
		t.Errorf("closure %q, %v; the build said %q", closure, err, r.Closure)
	}
	size, err := w.Size(t.Context(), r.Out)
	if err != nil || size != r.Size || size <= 0 {
		t.Errorf("size %d, %v; the build said %d", size, err, r.Size)
	}
	infos, err := w.ClosureInfo(t.Context(), r.Out)
	if err != nil || len(infos) != 2 {
		t.Fatalf("infos %+v, %v", infos, err)
	}
	for _, i := range infos {
		if i.Path == r.Out && !slices.Equal(i.References, []string{r.Layers["deps"]}) {
			t.Errorf("references of %s: %q", i.Path, i.References)
		}
	}
}

func TestStore_DryCollectionListsTheDead(t *testing.T) {
	w := newWorld(t)
	r := w.mustBuild(nix.BuildRequest{Flake: w.flake(`default = run "dead" [ "write" "x" ];`)})
	freed, err := w.GC(t.Context(), 0, true)
	if err != nil || !slices.Contains(freed.Paths, r.Out) || freed.Bytes != 0 {
		t.Errorf("%d dead paths without %s, %v", len(freed.Paths), r.Out, err)
	}
	d, err := w.Disk()
	if err != nil || d.Free <= 0 || d.Free > d.Total || d.Inodes < d.FreeInodes {
		t.Errorf("disk %+v, %v", d, err)
	}
}

func TestStore_RootsKeepTheToolchain(t *testing.T) {
	w := newWorld(t)
	root := t.TempDir()
	// The output does not name deps: only its derivation does.
	r := w.mustBuild(nix.BuildRequest{RootDir: root, Flake: w.flake(`
      deps = run "build-time" [ "write" "deps" ];
      default = more { inherit deps; } "app" [ "write" "app" ];`)})
	deps, err := filepath.Glob(nix.StoreDir + "/*-build-time")
	if err != nil || len(deps) == 0 || len(r.Closure) != 1 {
		t.Fatalf("%q, closure %q, %v", deps, r.Closure, err)
	}
	freed, err := w.GC(t.Context(), 0, true)
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.ContainsFunc(deps, func(p string) bool { return !slices.Contains(freed.Paths, p) })
	if slices.Contains(freed.Paths, r.Out) || !kept {
		t.Errorf("a collection would take the output (%v) or what it was built with (%v)", slices.Contains(freed.Paths, r.Out), !kept)
	}
}
