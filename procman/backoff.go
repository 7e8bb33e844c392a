package procman

import "time"

// The restart policy (PRODUCT.md section 6): a crash of something outside, a database say, must heal by itself, so
// restarts never end unless the type has a limit; they only become rare.
const (
	backoffFirst = 100 * time.Millisecond
	backoffMax   = 5 * time.Minute
	backoffSpan  = 0.25 // jitter, as a part of the delay to either side
	// backoffReset is how long an instance must have been up for its crashes to be forgotten.
	backoffReset = 60 * time.Second
	// crashedAfter is the number of crashes in a row from which the state says so.
	crashedAfter = 10
)

// crashes counts the crashes in a row of one instance; the zero value has none.
type crashes int

// next returns the count after one more crash and the time to wait before the restart. up is how long the instance
// was ready, jitter a number in [0,1).
func (c crashes) next(up time.Duration, jitter float64) (crashes, time.Duration) {
	if up >= backoffReset {
		c = 0
	}
	delay := backoffMax
	if c < 12 { // 0.1 s · 2^12 is beyond the maximum
		delay = min(backoffMax, backoffFirst<<c)
	}
	factor := 1 - backoffSpan + 2*backoffSpan*jitter
	return c + 1, time.Duration(float64(delay) * factor)
}

// state is what an instance with c crashes in a row shows while it waits for its restart.
func (c crashes) state() State {
	if c >= crashedAfter {
		return Crashed
	}
	return Exited
}
