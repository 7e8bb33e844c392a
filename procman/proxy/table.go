package proxy

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A Route says what the hosts of an app get. Point takes it; it must not be
// changed afterwards.
//
// What answers a request is, in this order: Maintenance, Hold, Static, Backends.
// A route without any of them answers 503.
type Route struct {
	App   string
	Hosts []string
	// Backends are the ready instances; a request goes to the one with the
	// fewest requests in flight.
	Backends []*Backend
	// Static, when set, is served by the router itself.
	Static *Static
	// Hold, when positive, makes requests wait this long for the next Point of
	// the app, and answers 503 if there was none.
	Hold time.Duration
	// Maintenance, when not empty, is shown on a 503 page in place of the app.
	Maintenance string
	// MaxBody is the largest request body in bytes; 0 is without limit.
	MaxBody int64
	// ResponseTimeout, when positive, takes the place of Limits.ResponseHeader.
	ResponseTimeout time.Duration
}

// HostTakenError reports that Point was asked for a host of another app.
type HostTakenError struct{ Host, App string }

// Error names the host, and the app that has it.
func (e *HostTakenError) Error() string {
	return fmt.Sprintf("point route: host %s belongs to app %s", e.Host, e.App)
}

// Hint says what can be done about it.
func (e *HostTakenError) Hint() string {
	return fmt.Sprintf("remove it there first: domains:remove %s %s", e.App, e.Host)
}

// A table is the routes at one moment; it never changes once it is stored.
type table struct {
	hosts map[string]*route
	apps  map[string]*route
}

// A route is a Route in the table.
type route struct {
	Route
	app      *app
	hosts    []string // normalised, without repetition
	site     *site
	direct   bool          // every request goes to a backend
	replaced chan struct{} // closed when the route has left the table
}

func newTable() *table {
	return &table{hosts: map[string]*route{}, apps: map[string]*route{}}
}

func newRoute(rt Route) (*route, error) {
	if rt.App == "" {
		return nil, errors.New("point route: no app named")
	}
	next := &route{Route: rt, replaced: make(chan struct{})}
	for _, h := range rt.Hosts {
		n := normalizeHost(h)
		if n == "" {
			return nil, fmt.Errorf("point route: %q is not a host name", h)
		}
		if !slices.Contains(next.hosts, n) {
			next.hosts = append(next.hosts, n)
		}
	}
	for _, b := range rt.Backends {
		if b.closed.Load() {
			return nil, fmt.Errorf("point route: backend %s is closed", b.name)
		}
	}
	if rt.Static == nil {
		next.direct = len(rt.Backends) > 0 && rt.Hold == 0 && rt.Maintenance == ""
		return next, nil
	}
	var err error
	if next.site, err = openSite(*rt.Static); err != nil {
		return nil, fmt.Errorf("point route: %w", err)
	}
	return next, nil
}

// with returns the table that has next in place of its app's route, and that
// route, which is nil for a new app.
func (t *table) with(next *route) (tbl *table, prev *route, err error) {
	for _, h := range next.hosts {
		if owner := t.hosts[h]; owner != nil && owner.App != next.App {
			return nil, nil, &HostTakenError{Host: h, App: owner.App}
		}
	}
	tbl, prev = t.without(next.App)
	if prev == nil {
		tbl = t.clone()
	}
	tbl.apps[next.App] = next
	for _, h := range next.hosts {
		tbl.hosts[h] = next
	}
	return tbl, prev, nil
}

// without returns the table that does not know the app, and the route that the
// app had; nil, nil when it had none.
func (t *table) without(name string) (tbl *table, prev *route) {
	if prev = t.apps[name]; prev == nil {
		return nil, nil
	}
	tbl = t.clone()
	delete(tbl.apps, name)
	for _, h := range prev.hosts {
		delete(tbl.hosts, h)
	}
	return tbl, prev
}

func (t *table) clone() *table {
	return &table{hosts: maps.Clone(t.hosts), apps: maps.Clone(t.apps)}
}

// retire ends a route that has left the table: backends that next does not
// name take no more requests, and who was held looks again.
func (rt *route) retire(next *route) {
	if rt == nil {
		return
	}
	for _, b := range rt.Backends {
		if next == nil || !slices.Contains(next.Backends, b) {
			b.retire()
		}
	}
	close(rt.replaced)
}

// normalizeHost returns the form in which hosts are compared: lower case, no
// port, no trailing dot. It returns "" for what cannot be a host name or address.
func normalizeHost(h string) string {
	if strings.HasPrefix(h, "[") {
		return normalizeIPv6(h)
	}
	if i := strings.IndexByte(h, ':'); i >= 0 {
		if !validPort(h[i:]) {
			return ""
		}
		h = h[:i]
	}
	h = strings.TrimSuffix(h, ".")
	if len(h) == 0 || len(h) > 253 || h[len(h)-1] == '.' {
		return ""
	}
	upper := false
	for i := range len(h) {
		switch c := h[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case 'A' <= c && c <= 'Z':
			upper = true
		case c == '.':
			if i == 0 || h[i-1] == '.' {
				return ""
			}
		default:
			return ""
		}
	}
	if upper {
		return strings.ToLower(h)
	}
	return h
}

// normalizeIPv6 is normalizeHost for an address in brackets.
func normalizeIPv6(h string) string {
	end := strings.IndexByte(h, ']')
	if end < 0 || !validPort(h[end+1:]) {
		return ""
	}
	a, err := netip.ParseAddr(h[1:end])
	if err != nil || !a.Is6() || a.Zone() != "" {
		return ""
	}
	return "[" + a.String() + "]"
}

// validPort reports whether s is empty or a colon and at most five digits.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) > 6 {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
