package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Damaged is an app whose record on the disk cannot be read: a torn file, or
// one of another server's key. The server serves the others. Its folder is not
// touched, its processes run on, and nobody else gets its name.
type Damaged struct {
	Name string
	Err  error
}

func (e *Damaged) Error() string {
	return fmt.Sprintf("the record of %s is damaged: %v", e.Name, e.Err)
}

func (e *Damaged) Unwrap() error { return e.Err }

// Hint says how the app comes back.
func (e *Damaged) Hint() string {
	return "nothing of it was touched: put a good app.json there, or move its folder away and restore a backup; then restart the server"
}

// Damaged returns the apps, and services, that could not be read, by name.
func (s *Store) Damaged() []*Damaged {
	return slices.SortedFunc(maps.Values(s.damaged), func(a, b *Damaged) int { return strings.Compare(a.Name, b.Name) })
}

// whole reports whether the records could be read. Where none could, it is not
// one file that is at fault: such a server must not start and look empty.
func (s *Store) whole() error {
	if len(s.apps) > 0 || len(s.damaged) == 0 {
		return nil
	}
	return s.Damaged()[0]
}
