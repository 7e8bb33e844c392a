package sshd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// lastWords is how long calls may take to end once their context was
	// cancelled by Shutdown: enough to print a sentence and unwind.
	lastWords = 2 * time.Second
	// farewell is how long clients may take to hang up after their last call
	// ended. Closing at once could reset the socket under an exit status.
	farewell = time.Second
)

// Shutdown stops accepting connections and sessions, waits until the running
// calls have ended, and closes everything. If ctx ends first, the calls are
// cancelled with ErrStopping and their connections closed, and the error says
// so. Calls that only follow something can watch Call.Stopping and end early.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopAccepting()
	ended := done(&s.calls)
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = fmt.Errorf("wait for ssh calls: %w", context.Cause(ctx))
		s.cancelAll()
		wait(ended, lastWords)
	}
	gone := done(&s.work)
	if err == nil {
		s.closeIdle()
		wait(gone, farewell)
	}
	s.closeAll()
	if !wait(ended, lastWords) || !wait(gone, lastWords) {
		err = errors.Join(err, errors.New("an ssh call ignored its cancellation"))
	}
	return err
}

func (s *Server) stopAccepting() {
	s.mu.Lock()
	first := !s.stopped
	s.stopped = true
	listeners := make([]net.Listener, 0, len(s.listeners))
	for l := range s.listeners {
		listeners = append(listeners, l)
	}
	s.mu.Unlock()
	if first {
		close(s.stopping)
	}
	for _, l := range listeners {
		_ = l.Close() // its Serve returns either way
	}
	s.closeIdle()
}

// closeIdle closes the connections on which no session is open, those before
// authentication among them.
func (s *Server) closeIdle() {
	for _, c := range s.connections() {
		if c.sessions.Load() == 0 {
			c.end()
		}
	}
}

func (s *Server) cancelAll() {
	for _, c := range s.connections() {
		c.cancel(ErrStopping)
	}
}

func (s *Server) closeAll() {
	for _, c := range s.connections() {
		c.end()
	}
}

func (s *Server) connections() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	return all
}

// beginCall registers a call that is about to start, unless the server stops.
func (s *Server) beginCall() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.calls.Add(1)
	return true
}

// beginWork registers a goroutine that serves a connection.
func (s *Server) beginWork() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.work.Add(1)
	return true
}

// done returns a channel that is closed when wg is through.
func done(wg *sync.WaitGroup) <-chan struct{} {
	ch := make(chan struct{})
	go func() {
		wg.Wait()
		close(ch)
	}()
	return ch
}

// wait reports whether ch was closed within d.
func wait(ch <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ch:
		return true
	case <-t.C:
		return false
	}
}
