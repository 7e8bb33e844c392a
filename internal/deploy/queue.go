package deploy

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A queue lets one thing at a time change an app, in the order of arrival;
// a newer push takes the place of one that still waits. Its zero value is
// ready. It lives and dies with the process, so that no lock is ever stale.
type queue struct {
	mu   sync.Mutex
	apps map[string]*line
}

type line struct {
	holder  *ticket
	waiting []*ticket
}

// A ticket is one wish to change an app.
type ticket struct {
	who, what string // "ann", "a push of 3f2c1aa"
	commit    string // of a push, else ""
	since     time.Time
	ready     chan struct{}
	cancel    context.CancelCauseFunc // ends the wait
	stop      context.CancelCauseFunc // ends the build; nil for what builds nothing
	passed    bool                    // from here on it completes
	yield     context.CancelFunc      // of what makes way for whoever comes; nil for all others
	stopped   bool

	talk *Talk         // of what builds: builds:attach listens to it
	done chan struct{} // closed when it has ended, with err
	err  error
}

// building makes a ticket of something that builds. Whoever makes it calls finish.
func building(who, what string, talk *Talk, stop context.CancelCauseFunc) *ticket {
	return &ticket{who: who, what: what, talk: talk, stop: stop, done: make(chan struct{})}
}

// finish tells those who listen how it ended.
func (t *ticket) finish(err error) {
	t.err = err
	close(t.done)
}

// enter waits until t may change the app, and returns what gives the place
// free. While it waits, wait is told who holds the app. Its error is the
// cause of ctx's end or a [*Superseded].
func (q *queue) enter(ctx context.Context, app string, t *ticket, wait func(holder string)) (leave func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.ready, t.cancel, t.since = make(chan struct{}), cancel, time.Now()
	if holder := q.add(app, t); holder != "" {
		wait(holder)
	}
	leave = func() { q.leave(app, t) }
	select {
	case <-t.ready:
		return leave, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

// add puts t in the line and returns who holds the app, "" if it is t now.
func (q *queue) add(app string, t *ticket) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.apps == nil {
		q.apps = map[string]*line{}
	}
	l := q.apps[app]
	if l == nil {
		l = &line{}
		q.apps[app] = l
	}
	if l.holder == nil {
		l.holder = t
		close(t.ready)
		return ""
	}
	if t.commit != "" {
		l.waiting = slices.DeleteFunc(l.waiting, func(old *ticket) bool {
			if old.commit != "" {
				old.cancel(&Superseded{By: short(t.commit)})
				return true
			}
			return false
		})
	}
	l.waiting = append(l.waiting, t)
	h := l.holder
	if h.yield != nil {
		h.yield()
	}
	return fmt.Sprintf("waiting for %s by %s, since %s", h.what, h.who, h.since.UTC().Format(time.TimeOnly+" UTC"))
}

func (q *queue) leave(app string, t *ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.apps[app]
	if l == nil {
		return
	}
	if l.holder != t {
		l.waiting = slices.DeleteFunc(l.waiting, func(w *ticket) bool { return w == t })
		return
	}
	if len(l.waiting) == 0 {
		delete(q.apps, app)
		return
	}
	l.holder, l.waiting = l.waiting[0], l.waiting[1:]
	l.holder.since = time.Now()
	close(l.holder.ready)
}

// short abbreviates a commit as git does.
func short(commit string) string { return commit[:min(7, len(commit))] }
