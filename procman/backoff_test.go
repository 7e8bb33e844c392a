package procman

import (
	"testing"
	"time"
)

func TestCrashes_DelayDoublesToFiveMinutes(t *testing.T) {
	want := []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
		1600 * time.Millisecond, 3200 * time.Millisecond, 6400 * time.Millisecond, 12800 * time.Millisecond,
		25600 * time.Millisecond, 51200 * time.Millisecond, 102400 * time.Millisecond, 204800 * time.Millisecond,
		5 * time.Minute, 5 * time.Minute,
	}
	var c crashes
	for i, w := range want {
		var got time.Duration
		c, got = c.next(time.Second, 0.5)
		if got != w {
			t.Errorf("crash %d: delay %v, want %v", i+1, got, w)
		}
		state := Exited
		if i+1 >= 10 {
			state = Crashed
		}
		if c.state() != state {
			t.Errorf("crash %d: state %v, want %v", i+1, c.state(), state)
		}
	}
}

func TestCrashes_JitterStaysWithinAQuarter(t *testing.T) {
	for _, tc := range []struct {
		jitter float64
		want   time.Duration
	}{{0, 75 * time.Millisecond}, {0.5, 100 * time.Millisecond}, {1, 125 * time.Millisecond}} {
		if _, got := crashes(0).next(0, tc.jitter); got != tc.want {
			t.Errorf("jitter %v: %v, want %v", tc.jitter, got, tc.want)
		}
	}
	if _, got := crashes(1000).next(0, 1); got > 5*time.Minute*5/4 {
		t.Errorf("after 1000 crashes: %v", got)
	}
}

func TestCrashes_ForgottenAfterAMinuteUp(t *testing.T) {
	for _, tc := range []struct {
		up   time.Duration
		want crashes
	}{{0, 8}, {59 * time.Second, 8}, {60 * time.Second, 1}, {time.Hour, 1}} {
		if got, _ := crashes(7).next(tc.up, 0.5); got != tc.want {
			t.Errorf("up %v: %d crashes, want %d", tc.up, got, tc.want)
		}
	}
}
