package shim

import (
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	var b budget
	at := time.Now()
	lines := func() (n int) {
		for b.take(at, 0) {
			n++
		}
		return n
	}
	if n := lines(); n != logBurst/recordCost {
		t.Errorf("%d empty lines at once", n)
	}
	if at = at.Add(10 * time.Millisecond); b.take(at, 0) {
		t.Error("a flood goes on in single lines")
	}
	at = at.Add(990 * time.Millisecond)
	if n := lines(); n < logRate/recordCost-2 || n > logRate/recordCost {
		t.Errorf("%d empty lines a second later", n)
	}
	if at = at.Add(24 * time.Hour); !b.take(at, MaxText) || b.spent != MaxText+recordCost {
		t.Errorf("a day later %d bytes are spent", b.spent)
	}
	if b.take(at.Add(-time.Hour), 0); b.spent != MaxText+2*recordCost {
		t.Errorf("a clock set back: %d bytes are spent", b.spent)
	}
}
