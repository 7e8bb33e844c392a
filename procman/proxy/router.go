// Package proxy is hop3's HTTP router: it maps host names to the instances of
// an app and carries each request there and its response back.
//
// The front is net/http (HTTP/1.1, HTTP/2 over TLS, h2c by prior knowledge), and
// before it a fast path for the plainest HTTP/1.1, which leaves everything else
// to net/http with all that is unread: see fastConn.
// The back is a transport of its own that is driven from the goroutine of
// the request: no goroutine and no channel per request, a keep-alive pool per
// [Backend], bodies that are streamed both ways. httputil.ReverseProxy was
// considered for everything; it lost because it costs twice the time per
// request, and stays for what is rare and intricate: upgrades and gRPC.
//
// What is routed where is one immutable table behind an atomic pointer.
// [Router.Point] replaces all hosts of an app at once. A request claims its
// backend by counting itself in and then looking whether the backend has been
// retired meanwhile, so a swap under load loses nothing: [Backend.Drain] returns
// when the last request that claimed the old backend is answered.
package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

// Options are what a Router is made from. The zero value works.
type Options struct {
	// TrustedProxies are the peers whose X-Forwarded-*, Forwarded, X-Real-IP
	// and X-Request-Start headers are believed. From all others they are stripped.
	TrustedProxies []netip.Prefix
	// AccessLog is called once per request of an app, after it, with one line
	// that ends in a newline. The line is valid only during the call.
	AccessLog func(app string, line []byte)
	// Log takes what the operator should know; nil is silent.
	Log logrus.FieldLogger
	// TLS is the configuration that ServeTLS uses; its certificates come from
	// GetCertificate as a rule.
	TLS *tls.Config
	// HSTS, when positive, is how long browsers are told to use https only.
	HSTS time.Duration
	// Challenge answers plain requests below /.well-known/acme-challenge/,
	// whatever their host; where it returns false it has written nothing.
	Challenge func(http.ResponseWriter, *http.Request) bool
	// Changed is called after Hosts may have changed.
	Changed func()
	// Limits bounds clients and apps; each zero field has a default.
	Limits Limits
}

// A Router is an http.Handler that forwards each request to the app that owns
// its host. It is safe for concurrent use. New makes it; Shutdown ends it.
type Router struct {
	opts   Options
	limits Limits
	log    logrus.FieldLogger
	table  atomic.Pointer[table]
	server *http.Server
	handed *handedListener
	served sync.WaitGroup // of server
	begin  sync.Once
	conns  connSet
	hsts   string

	draining  atomic.Bool
	life      context.Context // ends when Shutdown's time is over
	cut       context.CancelFunc
	sockets   atomic.Int64           // websockets that are open
	noSockets chan struct{}          // has a value when there were none once
	httpsPort atomic.Pointer[string] // nil: plain requests are served

	mu   sync.Mutex // serialises changes of the table
	apps map[string]*app
}

// New returns a Router without any route.
func New(o Options) *Router {
	r := &Router{opts: o, limits: o.Limits.withDefaults(), log: o.Log, hsts: hstsValue(o.HSTS), apps: map[string]*app{}}
	if r.log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		r.log = silent
	}
	r.noSockets = make(chan struct{}, 1)
	r.life, r.cut = context.WithCancel(context.Background()) // ended by Shutdown
	r.table.Store(newTable())
	r.conns.init(r.limits.ConnsPerAddress, o.TrustedProxies)
	r.server, r.handed = r.newServer(), newHandedListener()
	return r
}

// Point makes rt the route of its app: from its return on, every request for
// one of rt.Hosts gets what rt says and no host of an earlier route of the app
// is known any more. Backends that only the earlier route named take no new
// request from then on, and can be drained. It fails with *HostTakenError when
// another app has one of the hosts, and then changes nothing.
func (r *Router) Point(rt Route) error {
	next, err := newRoute(rt)
	if err != nil {
		return err
	}
	defer r.changed() // without the lock
	r.mu.Lock()
	defer r.mu.Unlock()
	tbl, prev, err := r.table.Load().with(next)
	if err != nil {
		return err
	}
	if next.app = r.apps[rt.App]; next.app == nil {
		next.app = &app{name: rt.App}
		r.apps[rt.App] = next.app
	}
	for _, b := range rt.Backends {
		b.retired.Store(false)
	}
	r.table.Store(tbl)
	prev.retire(next)
	return nil
}

// Remove forgets the app and its hosts. Requests that are under way finish;
// requests that are held get the page for an app that is not ready.
func (r *Router) Remove(name string) {
	defer r.changed() // without the lock
	r.mu.Lock()
	defer r.mu.Unlock()
	tbl, prev := r.table.Load().without(name)
	if prev == nil {
		return
	}
	delete(r.apps, name)
	r.table.Store(tbl)
	prev.retire(nil)
}

// Hosts returns the names for which there is a route, in no order.
func (r *Router) Hosts() []string { return slices.Collect(maps.Keys(r.table.Load().hosts)) }

func (r *Router) changed() {
	if r.opts.Changed != nil {
		r.opts.Changed()
	}
}

// Stats returns what the router has counted for the app since it was first
// pointed; ok is false for an app that has no route.
func (r *Router) Stats(name string) (s Stats, ok bool) {
	r.mu.Lock()
	a := r.apps[name]
	r.mu.Unlock()
	if a == nil {
		return Stats{}, false
	}
	return a.snapshot(), true
}

// ServeHTTP answers one request. It panics with http.ErrAbortHandler when a
// response that has begun cannot be completed, which makes net/http end the
// connection so that the client cannot take the part for the whole.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if r.draining.Load() {
		w.Header().Set("Connection", "close") // on HTTP/2 net/http turns it into GOAWAY
	}
	x := &exchange{router: r, w: w, req: req}
	if g := takeBegun(req.Context()); g != nil {
		x.takeOver(g)
		return
	}
	x.start, x.id = time.Now(), acceptRequestID(req.Header)
	if why := refuse(req); why != "" {
		x.page(pageBadRequest, why)
		return
	}
	if r.challenge(w, req) {
		return
	}
	host := normalizeHost(req.Host)
	rt := r.table.Load().hosts[host]
	if rt == nil {
		x.page(pageUnknownHost, "")
		return
	}
	x.app, x.host = rt.app, host
	x.app.begin()
	defer x.finish()
	if !x.toHTTPS() {
		x.serve(rt)
	}
}
