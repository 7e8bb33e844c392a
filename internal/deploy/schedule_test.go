package deploy

import (
	"strings"
	"testing"
	"time"
)

// TestSchedule_ClocksThatAreChanged looks at the days of 2026 on which Berlin's clock goes from 2:00 to 3:00 and from 3:00 to
// 2:00, and at Santiago's, which changes at midnight.
func TestSchedule_ClocksThatAreChanged(t *testing.T) {
	for _, c := range []struct{ schedule, from, want string }{
		{"30 2 * * *", "2026-03-28T01:00:00Z", "2026-03-28T02:30:00Z 2026-03-29T02:30:00Z 2026-03-30T02:30:00Z"},
		{"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-28T00:00:00Z", "2026-03-28T01:30:00Z 2026-03-29T01:00:00Z 2026-03-30T00:30:00Z"},
		{"CRON_TZ=Europe/Berlin 0,30 2 * * *", "2026-03-28T02:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"},
		{"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-24T00:00:00Z", "2026-10-24T00:30:00Z 2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"},
		{"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z"},
		{"CRON_TZ=Europe/Berlin 0 3 * * *", "2026-10-24T12:00:00Z", "2026-10-25T02:00:00Z 2026-10-26T02:00:00Z"},
		{"CRON_TZ=Europe/Berlin 30 * * * *", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z 2026-10-25T02:30:00Z"},
		{"CRON_TZ=Europe/Berlin */30 2 * * *", "2026-10-24T23:50:00Z", "2026-10-25T00:00:00Z 2026-10-25T00:30:00Z 2026-10-25T01:00:00Z 2026-10-25T01:30:00Z"},
		{"CRON_TZ=Europe/Berlin @hourly", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z 2026-03-29T02:00:00Z"},
		{"CRON_TZ=America/Santiago @daily", "2026-09-05T03:00:00Z", "2026-09-05T04:00:00Z 2026-09-06T04:00:00Z 2026-09-07T03:00:00Z"},
		{"CRON_TZ=Asia/Kolkata 30 2 * * *", "2026-01-01T00:00:00Z", "2026-01-01T21:00:00Z 2026-01-02T21:00:00Z"},
		{"CRON_TZ=Europe/Berlin 0 0 30 2 *", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
		{"0 12 * * MON", "2026-11-24T00:00:00Z", "2026-11-30T12:00:00Z"},
	} {
		s, err := parseSchedule(c.schedule)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range strings.Fields(c.want) {
			at = s.Next(at)
			got = append(got, at.UTC().Format(time.RFC3339))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s after %s: %v, want %s", c.schedule, c.from, got, c.want)
		}
	}
}

// FuzzSchedule: what is accepted comes later than the time that it is asked from, and never ends in a panic.
func FuzzSchedule(f *testing.F) {
	for _, s := range []string{"* * * * *", "@daily", "@every 1s", "CRON_TZ=Europe/Berlin 30 2 * * *", "TZ=UTC 0 0 30 2 *", "CRON_TZ=", "61 * * * *", "CRON_TZ=Europe/Berlin", "0 0 * * 7"} {
		f.Add(s, int64(1774746000))
	}
	f.Fuzz(func(t *testing.T, text string, from int64) {
		s, err := parseSchedule(text)
		if err != nil {
			return
		}
		at := time.Unix(from%(1<<33), 0)
		if next := s.Next(at); !next.IsZero() && !next.After(at) {
			t.Errorf("%q after %v: %v", text, at, next)
		}
	})
}
