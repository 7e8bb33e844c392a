package detect

import (
	"testing"
	"time"

	"hop3/detect/constraint"
)

// TestLifetimes_Table holds the form of the table: known runtimes, lines in order, days that are past, nothing twice.
func TestLifetimes_Table(t *testing.T) {
	for name, l := range lifetimes() {
		if readers()[name] == nil {
			t.Errorf("%s is a runtime that no stack has", name)
		}
		seen := map[string]bool{}
		for _, v := range l.live {
			seen[v] = true
		}
		if len(l.live) == 0 || len(seen) != len(l.live) {
			t.Errorf("%s: %q live", name, l.live)
		}
		last := "0"
		for _, c := range l.ended {
			if day, err := time.Parse(time.DateOnly, c.date); err != nil || day.Format(time.DateOnly) != c.date || c.date > lifetimesAsOf {
				t.Errorf("%s %s: %q is no day in the past", name, c.line, c.date)
			}
			if constraint.Compare(c.line, last) <= 0 || seen[c.line] {
				t.Errorf("%s %s stands after %s, or is live too", name, c.line, last)
			}
			last = c.line
		}
		if newest := newestLine(l); constraint.Compare(last, newest) >= 0 {
			t.Errorf("%s: no live line is newer than %s", name, last)
		}
	}
}
