package procman

import (
	"context"
	"errors"
	"fmt"
)

// Rename gives the app old the name r.App, with all that runs of it. move is called once, when nothing of the app is
// changing, and moves its folders: from its success on the app's record and logs are at r's, and its route is the new
// app's. The folders' old paths must lead to the new ones until a Swap with Wait has replaced the processes, whose
// shims know only those. An error of move, or of a name that is in use, changes nothing.
func (s *Supervisor) Rename(ctx context.Context, old string, r Release, move func() error) error {
	s.mu.Lock()
	a, taken := s.apps[old], s.apps[r.App]
	s.mu.Unlock()
	if taken != nil && len(s.Instances(r.App)) > 0 {
		return fmt.Errorf("rename %s: %s runs processes", old, r.App)
	}
	if a == nil {
		return move()
	}
	if err := a.take(ctx); err != nil {
		return fmt.Errorf("rename %s: %w", old, err)
	}
	defer a.give()
	var err error
	off := a.do(func() {
		if err = move(); err != nil {
			return
		}
		a.label.Store(&r.App)
		if a.dir != "" {
			a.dir, a.logs = r.RunDir, r.LogDir
		}
		if a.release != nil {
			moved := *a.release
			moved.App, moved.RunDir, moved.LogDir, moved.DataDir = r.App, r.RunDir, r.LogDir, r.DataDir
			a.release = &moved
		}
		err = s.o.Router.Rename(old, r.App)
		s.mu.Lock() // held by nobody who waits for an owner
		delete(s.apps, old)
		s.apps[r.App] = a
		s.mu.Unlock()
	})
	return errors.Join(off, err)
}
