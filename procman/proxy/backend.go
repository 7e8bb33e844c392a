package proxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// errClosed is returned for a connection wanted of a backend that is closed or cut.
var errClosed = errors.New("backend closed")

// A Backend is one instance of an app: an address, the requests in flight
// there, and the idle connections to it. One Backend stays the same value
// for as long as its instance runs, through any number of routes.
type Backend struct {
	name    string
	connect Dial

	inflight     atomic.Int64
	retired      atomic.Bool
	closed       atomic.Bool
	suspectUntil atomic.Int64 // unix nanoseconds
	zero         chan struct{}

	life context.Context // ends when everything is cut
	cut  context.CancelFunc

	rare rareTransports

	mu     sync.Mutex
	idle   []*upConn            // oldest first
	conns  map[*upConn]struct{} // all, idle or not
	reaper *time.Timer
}

// A Dial makes one connection to a backend. It ends when ctx does, whose
// deadline is Limits.Dial away. It may run in several goroutines at once.
type Dial func(ctx context.Context) (net.Conn, error)

// NewBackend returns the backend that listens at addr, "host:port" or
// "unix:/path". The name, such as "web.1", appears in the access log.
func NewBackend(name, addr string) *Backend {
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	d := net.Dialer{KeepAlive: -1} // the peer is on this machine and its end is seen
	return NewBackendDial(name, func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, network, addr) })
}

// NewBackendDial is NewBackend for what cannot be reached by an address of this
// network namespace.
func NewBackendDial(name string, dial Dial) *Backend {
	b := &Backend{name: name, connect: dial, zero: make(chan struct{}, 1), conns: map[*upConn]struct{}{}}
	b.life, b.cut = context.WithCancel(context.Background()) // ended by Close, or by Drain when its time is over
	return b
}

// Name returns the name that the backend was made with.
func (b *Backend) Name() string { return b.name }

// InFlight returns the number of requests, upgraded connections included, that
// the backend has been given and has not finished.
func (b *Backend) InFlight() int { return int(b.inflight.Load()) }

// Drain waits until the backend has no request in flight. It is for a backend
// that no route names any more; from its call on no new request can reach the
// backend, unless a later Point names it again. When ctx ends first, all that
// is left, as a rule upgraded connections and streams, is closed, and the error
// says how much that was and wraps ctx's.
func (b *Backend) Drain(ctx context.Context) error {
	b.retire()
	for b.inflight.Load() > 0 {
		select {
		case <-b.zero:
			if b.inflight.Load() == 0 { // else it tells of an earlier time
				b.signalZero() // for others who drain the same backend
			}
		case <-ctx.Done():
			left := b.inflight.Load()
			if left == 0 {
				return nil
			}
			b.Close()
			return fmt.Errorf("drain %s: cut %d requests: %w", b.name, left, context.Cause(ctx))
		}
	}
	b.closeIdle(0)
	return nil
}

// Close closes every connection to the backend at once. Requests in flight
// fail. A closed backend cannot be pointed at again.
func (b *Backend) Close() {
	b.closed.Store(true)
	b.retire()
	b.cut()
	b.mu.Lock()
	conns := slices.Collect(maps.Keys(b.conns))
	b.idle = nil
	clear(b.conns)
	if b.reaper != nil {
		b.reaper.Stop()
	}
	b.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
	b.rare.close()
}

// retire keeps new requests away. It is undone by Point.
func (b *Backend) retire() {
	b.retired.Store(true)
	if b.inflight.Load() == 0 {
		b.signalZero()
	}
}

// claim counts one request in, unless the backend is retired. The look comes
// after the counting: either this request sees that the backend was retired, or
// who retired it sees this request.
func (b *Backend) claim() bool {
	b.inflight.Add(1)
	if b.retired.Load() {
		b.release()
		return false
	}
	return true
}

func (b *Backend) release() {
	if b.inflight.Add(-1) == 0 && b.retired.Load() {
		b.signalZero()
	}
}

func (b *Backend) signalZero() {
	select {
	case b.zero <- struct{}{}:
	default:
	}
}

func (b *Backend) suspect() { b.suspectUntil.Store(time.Now().Add(suspectFor).UnixNano()) }

func (b *Backend) isSuspect() bool {
	until := b.suspectUntil.Load()
	return until != 0 && time.Now().UnixNano() < until
}

// pick returns the claimed backend with the fewest requests in flight, not
// taking avoid, and those that lately refused a connection only if there is no
// other. Ties rotate. It returns nil when none can be claimed.
func pick(backends []*Backend, turn uint64, avoid *Backend) *Backend {
	if len(backends) == 1 && avoid == nil { // the usual case
		if backends[0].claim() {
			return backends[0]
		}
		return nil
	}
	var best *Backend
	var least int64
	for i := range backends {
		b := backends[(turn+uint64(i))%uint64(len(backends))]
		if b == avoid || b.retired.Load() {
			continue
		}
		n := b.inflight.Load()
		if b.isSuspect() {
			n += 1 << 32
		}
		if best == nil || n < least {
			best, least = b, n
		}
	}
	if best == nil || !best.claim() {
		return nil
	}
	return best
}

// rareTransports are the net/http transports for upgrades and gRPC, made when
// they are first needed because most backends never need them.
type rareTransports struct {
	mu            sync.Mutex
	upgrade, grpc *http.Transport
}

func (t *rareTransports) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tr := range []*http.Transport{t.upgrade, t.grpc} {
		if tr != nil {
			tr.CloseIdleConnections()
		}
	}
}

func (b *Backend) dial(ctx context.Context, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return b.connect(ctx)
}
