package deploy

import (
	"testing"

	"hop3/procman"
	"hop3/procman/proxy"
)

func TestJump(t *testing.T) {
	stats := func(requests, failed uint64) proxy.Stats { return proxy.Stats{Requests: requests, Errors: failed} }
	for _, c := range []struct {
		name               string
		before, since, now proxy.Stats
		want               string
	}{
		{"too few answers to tell", stats(1000, 0), stats(1000, 0), stats(1019, 19), ""},
		{"all of them fail", stats(1000, 0), stats(1000, 0), stats(1020, 20), "20 of 20 requests failed (0 % of them before)"},
		{"as many as before", stats(1000, 500), stats(1000, 500), stats(1100, 550), ""},
		{"more than before", stats(1000, 500), stats(1000, 500), stats(1100, 580), "80 of 100 requests failed (50 % of them before)"},
		{"a few", stats(1000, 0), stats(1000, 0), stats(1100, 20), ""},
		{"failures of the swap itself are the old release's", stats(1000, 0), stats(1030, 30), stats(1060, 30), ""},
		{"no requests before", stats(0, 0), stats(0, 0), stats(40, 30), "30 of 40 requests failed (0 % of them before)"},
	} {
		if got := jump(c.before, c.since, c.now); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCrashLoop(t *testing.T) {
	list := []procman.Instance{
		{Name: "web.1", Release: 2, State: procman.Ready, Restarts: 2},
		{Name: "worker.1", Release: 1, State: procman.Exited, Restarts: 9}, // carried over: not this release's fault
	}
	if got := crashLoop(list, 2); got != "" {
		t.Error(got)
	}
	list[0].Restarts = 3
	if got := crashLoop(list, 2); got != "web.1 crashed 3 times" {
		t.Error(got)
	}
	if got := crashLoop([]procman.Instance{{Name: "web.1", Release: 2, State: procman.Crashed}}, 2); got != "web.1 crashed 1 times" {
		t.Error(got)
	}
}
