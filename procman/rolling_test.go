package procman

import (
	"slices"
	"strings"
	"testing"
)

// TestSwap_RollsWhereMemoryIsShort replaces three instances where there is memory for four: never more run at once, none is
// missing at the end, visitors see one release at a time, and a failure brings all of the old back.
func TestSwap_RollsWhereMemoryIsShort(t *testing.T) {
	w := newWorld(t)
	const each = 64 << 20
	release := func(processes ...string) Release {
		r := w.release(processes...)
		r.Formation["web"] = 3
		for n := range r.Processes {
			r.Processes[n].Limits.MemoryBytes = each
		}
		return r
	}
	w.swap(release("web: web"), SwapOptions{})
	w.sup.o.SwapMemory = 4 * each // nothing reads it between two swaps
	most := 0
	counting := counter(func() {
		n := 0
		for _, i := range w.sup.Instances("blog") {
			if i.Pid != 0 {
				n++
			}
		}
		most = max(most, n)
	})
	w.swap(release("web: web"), SwapOptions{Progress: counting, Wait: true, Commit: func() error {
		if _, body := w.get("/"); !strings.HasPrefix(body, "v1 ") {
			t.Errorf("before the commit %q answers", body)
		}
		return nil
	}})
	if most != 4 {
		t.Errorf("%d ran at once, want 4", most)
	}
	names := func() []string {
		var out []string
		for range 30 {
			_, body := w.get("/")
			out = append(out, body)
		}
		return slices.Compact(slices.Sorted(slices.Values(out)))
	}
	if got := names(); !slices.Equal(got, []string{"v2 web.1", "v2 web.2", "v2 web.3"}) {
		t.Errorf("%v answer", got)
	}
	var out output
	if _, err := w.sup.Swap(t.Context(), release("web: web", "worker: exit 1"), SwapOptions{Progress: &out}); err == nil {
		t.Fatal("no error")
	}
	if !strings.Contains(out.String(), "web.3 is back\n") {
		t.Errorf("progress %q", out.String())
	}
	w.until("the old set", func(all []Instance) bool {
		return len(all) == 3 && all[0].State == Ready && all[1].State == Ready && all[2].State == Ready
	})
	if got := names(); !slices.Equal(got, []string{"v2 web.1", "v2 web.2", "v2 web.3"}) {
		t.Errorf("%v answer", got)
	}
}

// A counter is a Progress that looks at something with each line.
type counter func()

func (c counter) Write(p []byte) (int, error) { c(); return len(p), nil }
