package state

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// An Event is one line of events.jsonl: who did what, from where, with which
// result. It never holds a value of a setting.
type Event struct {
	At     time.Time `json:"at"`
	Who    string    `json:"who"`
	From   string    `json:"from,omitempty"`
	App    string    `json:"app,omitempty"`
	What   string    `json:"what"`
	Detail string    `json:"detail,omitempty"` // what about: a key's name and rights, a commit, names of settings
	Result string    `json:"result"`           // "ok" or the error
}

const eventsFile = "events.jsonl"

type eventLog struct {
	mu   sync.Mutex
	f    *os.File
	more chan struct{} // closed and replaced at each event
}

func openEventLog(path string) (*eventLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the events: %w", err)
	}
	return &eventLog{f: f, more: make(chan struct{})}, nil
}

func (l *eventLog) close() error { return l.f.Close() }

// Record appends an event and syncs it to the disk.
func (s *Store) Record(e Event) error { return s.events.record(e) }

func (l *eventLog) record(e Event) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("record event: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.f.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("record event: %w", err)
	}
	close(l.more)
	l.more = make(chan struct{})
	return l.f.Sync()
}

// RecordBeside appends an event to those in the data folder dir, whose server may be running: a line is written at once.
func RecordBeside(dir string, e Event) error {
	l, err := openEventLog(filepath.Join(dir, eventsFile))
	if err != nil {
		return err
	}
	return errors.Join(giveToOwner(l.f, dir), l.record(e), l.close())
}

// next is closed at the next event.
func (l *eventLog) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.more
}

// Events returns the last n events for which want is true, oldest first; nil
// wants all.
func (s *Store) Events(n int, want func(Event) bool) ([]Event, error) {
	r, err := s.openEvents()
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.last(n, want)
}

// FollowEvents hands the last n events for which want is true to emit, and
// then new ones as they are recorded, until ctx ends or emit fails.
func (s *Store) FollowEvents(ctx context.Context, n int, want func(Event) bool, emit func(Event) error) error {
	r, err := s.openEvents()
	if err != nil {
		return err
	}
	defer r.close()
	for first := true; ; first = false {
		more := s.events.next() // before the look, so that nothing falls between
		limit := n
		if !first {
			limit = math.MaxInt
		}
		events, err := r.last(limit, want)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := emit(e); err != nil {
				return err
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		}
	}
}

// An eventReader reads the file from where it stopped the last time.
type eventReader struct {
	f    *os.File
	r    *bufio.Reader
	rest []byte // of a line that is not whole yet
}

func (s *Store) openEvents() (*eventReader, error) {
	f, err := os.Open(s.events.f.Name())
	if err != nil {
		return nil, fmt.Errorf("read the events: %w", err)
	}
	return &eventReader{f: f, r: bufio.NewReader(f)}, nil
}

func (r *eventReader) close() { _ = r.f.Close() } // only read

// last reads to the end and returns the last n events that are wanted.
func (r *eventReader) last(n int, want func(Event) bool) ([]Event, error) {
	var events []Event
	for {
		line, err := r.r.ReadBytes('\n')
		r.rest = append(r.rest, line...)
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the events: %w", err)
		}
		var e Event
		err = json.Unmarshal(r.rest, &e)
		r.rest = r.rest[:0]
		if err != nil || want != nil && !want(e) {
			continue // a line that a full disk cut short, or one for others
		}
		if events = append(events, e); len(events) > n {
			events = events[1:]
		}
	}
}
