package nix_test

import (
	"os"
	"slices"
	"testing"

	"hop3/nixtmpl/nix"
)

func TestVerify(t *testing.T) {
	w := newWorld(t)
	dir := w.flake(`
    deps = run "blog-deps" [ "write" "deps" ];
    default = more { inherit deps; } "blog" [ "append" "deps" ];`)
	request := nix.BuildRequest{Flake: dir, Layers: []string{"deps"}}
	out := w.mustBuild(request).Out
	v, err := w.Verify(t.Context(), request, out)
	if err != nil || v.Out != out || v.Missing || len(v.Differ) > 0 {
		t.Errorf("%+v, %v", v, err)
	}

	clock := nix.BuildRequest{Flake: w.flake(`default = run "clock" [ "now" "" ];`)}
	first := w.mustBuild(clock).Out
	v, err = w.Verify(t.Context(), clock, first)
	if err != nil || !slices.Equal(v.Differ, []string{"clock"}) || len(v.Files) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := os.Lstat(first + ".check"); err == nil {
		t.Error("the other output was left in the store")
	}

	if v, err = w.Verify(t.Context(), clock, out); err != nil || v.Out != first || len(v.Differ) > 0 {
		t.Errorf("another recipe: %+v, %v", v, err)
	}
	gone := nix.StoreDir + "/00000000000000000000000000000000-gone"
	if v, err = w.Verify(t.Context(), clock, gone); err != nil || !v.Missing {
		t.Errorf("an output that is gone: %+v, %v", v, err)
	}
	if _, err = w.Verify(t.Context(), clock, "/etc/passwd"); err == nil {
		t.Error("a path outside of the store was accepted")
	}
}
