package state

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	Result string    `json:"result"` // "ok" or the error
}

type eventLog struct {
	mu sync.Mutex
	f  *os.File
}

func openEventLog(path string) (*eventLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the events: %w", err)
	}
	return &eventLog{f: f}, nil
}

func (l *eventLog) close() error { return l.f.Close() }

// maxResult bounds what an event says of an error: a line of the file must
// stay short enough to be read as one.
const maxResult = 1000

// Record appends an event and syncs it to the disk.
func (s *Store) Record(e Event) error {
	e.Result = e.Result[:min(len(e.Result), maxResult)]
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("record event: %w", err)
	}
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	if _, err := s.events.f.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("record event: %w", err)
	}
	return s.events.f.Sync()
}

// Events returns the last n events, oldest first.
func (s *Store) Events(n int) ([]Event, error) {
	f, err := os.Open(s.events.f.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the events: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	var events []Event
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		var e Event
		if json.Unmarshal(sc.Bytes(), &e) != nil {
			continue // a line that a full disk cut short
		}
		if events = append(events, e); len(events) > n {
			events = events[1:]
		}
	}
	if err := sc.Err(); err != nil {
		return events, fmt.Errorf("read the events: %w", err)
	}
	return events, nil
}
