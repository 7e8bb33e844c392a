package proxy

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A rareLife ends a rare exchange when its backend or the router is cut: a
// websocket with a word to its client, everything else at once.
type rareLife struct {
	router *Router
	cancel context.CancelFunc
	rec    *recorder
	wake   func(time.Time) error // of the connection to the app, once there is one
	ended  atomic.Bool

	mu     sync.Mutex
	socket *socket // nil: there is no websocket yet
	timer  *time.Timer
}

// upgrade takes over the app's side of a websocket.
func (l *rareLife) upgrade(res *http.Response) {
	s := upgraded(res, l.wake)
	if s == nil {
		return
	}
	res.Body = s
	l.mu.Lock()
	defer l.mu.Unlock()
	l.socket = s
	l.router.sockets.Add(1)
}

func (l *rareLife) end() {
	if l.ended.Swap(true) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.socket == nil {
		l.cancel()
		return
	}
	l.socket.end()
	l.timer = time.AfterFunc(closeGrace, func() {
		l.cancel()
		l.rec.closeHijacked()
	})
}

// stop is for an exchange that has ended.
func (l *rareLife) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.socket != nil && l.router.sockets.Add(-1) == 0 {
		select {
		case l.router.noSockets <- struct{}{}:
		default:
		}
	}
}
