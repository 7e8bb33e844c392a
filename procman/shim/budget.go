package shim

import "time"

// The work of a log is the shim's and not under the app's limits: a flood of
// empty lines would cost more processor and disk than the app may use itself.
// The burst lets a start or a failure of any usual length through whole.
const (
	logBurst   = 16 << 20  // bytes that may come at once
	logRate    = 1 << 20   // bytes a second that may come for ever
	logResume  = 128 << 10 // after a flood: how much must be free again; more than one record
	recordCost = 64        // what a line costs besides its text
)

// A budget is what an instance may still log. The zero value is a full one.
type budget struct {
	spent   int
	at      time.Time // when spent was right
	flooded bool
}

// take tells whether a line of n bytes that came at the given time fits, and
// then takes it off.
func (b *budget) take(at time.Time, n int) bool {
	if back := int(min(at.Sub(b.at).Seconds(), logBurst/logRate) * logRate); back > 0 {
		b.spent, b.at = max(b.spent-back, 0), at
	}
	if b.flooded = b.spent+n+recordCost > logBurst || b.flooded && b.spent > logBurst-logResume; b.flooded {
		return false
	}
	b.spent += n + recordCost
	return true
}
