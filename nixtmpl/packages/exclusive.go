package packages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	exclusiveName = "exclusive.lock"
	scratchPrefix = "scratch-"
	// exclusiveEvery is how often a held lock is tried again; the kernel offers
	// no wait for it that a context could end.
	exclusiveEvery = 100 * time.Millisecond
)

// exclusive takes the folder's lock, which spans processes: who fetches or locks
// does so alone, and who waits finds the work done. What a killed holder left
// behind is removed, and the lock file of another process is read again.
func (s *Set) exclusive(ctx context.Context, progress io.Writer) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, exclusiveName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock package set: %w", diskError(s.dir, err))
	}
	if err := waitLock(ctx, f, progress); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	unlock = func() { _ = f.Close() } // closing gives the lock back; nothing was written
	if err := s.refresh(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func waitLock(ctx context.Context, f *os.File, progress io.Writer) error {
	t := time.NewTicker(exclusiveEvery)
	defer t.Stop()
	for said := false; ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("lock package set: %w", err)
		}
		if !said {
			said = true
			say(progress, "waiting for packages that are being fetched already")
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// refresh removes leftovers and reads the lock that another process may have
// written.
func (s *Set) refresh() error {
	old, err := filepath.Glob(filepath.Join(s.dir, scratchPrefix+"*"))
	if err != nil {
		return fmt.Errorf("list leftovers: %w", err)
	}
	for _, d := range old {
		if err := os.RemoveAll(d); err != nil {
			return fmt.Errorf("remove leftovers: %w", err)
		}
	}
	b, err := os.ReadFile(filepath.Join(s.flakeDir(), lockName))
	if err != nil {
		return fmt.Errorf("read lock: %w", err)
	}
	l, err := parseLock(b)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock = l
	return nil
}
