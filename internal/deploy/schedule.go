package deploy

import (
	"errors"
	"strings"
	"time"
	_ "time/tzdata" // CRON_TZ= also where the machine has no files of time zones

	"github.com/robfig/cron/v3"
)

// parseSchedule reads cron's five fields and the @ forms. Times are UTC unless CRON_TZ= says otherwise.
//
// Where a zone's clock is put forward or back, entries of fixed hours and minutes run once a day all the same, as with
// Debian's cron: those of the hour that is left out when it would have begun, those of the hour that comes twice the first
// time. Entries with a * for the hour or the minute go by the time that passes.
func parseSchedule(text string) (cron.Schedule, error) {
	if zone, _, more := strings.Cut(text, " "); !more && strings.Contains(zone, "TZ=") {
		return nil, errors.New("a time zone, and no schedule") // the library panics
	}
	s, err := cron.ParseStandard(text)
	spec, ok := s.(*cron.SpecSchedule)
	if !ok || err != nil {
		return s, err
	}
	if spec.Location == time.Local {
		spec.Location = time.UTC // the same on every server
	}
	if spec.Location == time.UTC || !fixed(text) {
		return spec, nil
	}
	zone := spec.Location
	spec.Location = time.UTC
	return wallSchedule{spec, zone}, nil
}

// fixed reports whether an entry that could be parsed names its hours and minutes.
func fixed(text string) bool {
	f := strings.Fields(text)
	if f = f[1:]; len(f) < 2 { // the zone comes first
		return f[0] != "@hourly"
	}
	return !strings.HasPrefix(f[0], "*") && !strings.HasPrefix(f[1], "*")
}

// wallSchedule goes by the clock on a wall in a zone.
type wallSchedule struct {
	fields *cron.SpecSchedule // read as UTC: a clock that is never put forward or back
	zone   *time.Location
}

// Next returns the first time after t, zero where there is none.
func (s wallSchedule) Next(t time.Time) time.Time {
	for wall := onWall(t.In(s.zone)); ; {
		if wall = s.fields.Next(wall); wall.IsZero() {
			return wall
		}
		if at := s.when(wall); at.After(t) {
			return at
		}
	}
}

// onWall is what a clock shows, as a time in UTC.
func onWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// when is the first moment at which the clock shows wall, or leaves it out.
func (s wallSchedule) when(wall time.Time) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, s.zone)
	begins, ends := at.ZoneBounds()
	switch shown := onWall(at); {
	case shown.After(wall): // it is left out, and was read as of the zone before
		return begins
	case shown.Before(wall):
		return ends
	case begins.IsZero():
		return at
	}
	_, now := at.Zone()
	_, before := begins.Add(-1).Zone()
	if first := at.Add(time.Duration(now-before) * time.Second); first.Before(begins) { // it is shown twice
		return first
	}
	return at
}
