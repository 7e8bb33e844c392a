package deploy

import (
	"slices"
	"testing"

	"hop3/internal/state"
)

func TestReplaced(t *testing.T) {
	old := state.Release{Closure: []string{"/nix/store/a"}, Processes: []state.Process{{Type: "web", Command: "x"}, {Type: "clock", Command: "c"}}}
	next := state.Release{Closure: []string{"/nix/store/a"}, Processes: []state.Process{{Type: "web", Command: "x"}, {Type: "worker", Command: "w"}, {Type: "idle", Command: "i"}}}
	before, after := map[string]int{"web": 1, "clock": 1}, map[string]int{"web": 2, "worker": 1}
	got := replaced(before, old, after, next)
	want := []string{"web=2 would go on unchanged", "worker=1 would be started", "idle=0", "clock would be stopped"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	next.Config = map[string]string{"A": "1"}
	if got := replaced(before, old, after, next); got[0] != "web=2 would be replaced" {
		t.Errorf("%q", got)
	}
}
