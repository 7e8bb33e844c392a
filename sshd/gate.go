package sshd

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Why the gate lets a connection not in. The texts go to the client.
var (
	errTooManyStartups = errors.New("hop3: too many connections are logging in, try again in a few seconds")
	errTooManyConns    = errors.New("hop3: too many connections from your address")
	errBackOff         = errors.New("hop3: too many failed logins from your address, try again later")
)

// maxOffenders bounds the memory for failed addresses. When it is full, the
// one whose penalty ends first is forgotten.
const maxOffenders = 4096

// gate counts connections, in all and per address, and refuses those that are
// too many or whose address keeps failing to log in.
type gate struct {
	limits Limits
	now    func() time.Time

	mu        sync.Mutex
	preAuth   int
	addrs     map[netip.Prefix]*counts
	offenders map[netip.Prefix]*offence
	keys      map[string]int // sessions by fingerprint
}

type counts struct{ preAuth, all int }

type offence struct {
	failures int
	until    time.Time // refused until then
	forget   time.Time // forgiven then
}

func newGate(l Limits, now func() time.Time) *gate {
	return &gate{limits: l, now: now, addrs: map[netip.Prefix]*counts{}, offenders: map[netip.Prefix]*offence{}, keys: map[string]int{}}
}

// begin counts a session of the key, unless it has as many as it may.
func (g *gate) begin(fingerprint string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keys[fingerprint] >= g.limits.SessionsPerKey {
		return false
	}
	g.keys[fingerprint]++
	return true
}

// ended takes back what begin has counted.
func (g *gate) ended(fingerprint string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keys[fingerprint]--; g.keys[fingerprint] == 0 {
		delete(g.keys, fingerprint)
	}
}

// seat is the place of one connection in the gate. Its methods are idempotent.
type seat struct {
	gate *gate
	addr netip.Prefix // invalid: exempt from the limits per address

	// guarded by gate.mu
	authed, left bool
}

// enter takes a seat for a connection from remote, or says why there is none.
func (g *gate) enter(remote net.Addr) (*seat, error) {
	st := &seat{gate: g, addr: g.group(remote)}
	g.mu.Lock()
	defer g.mu.Unlock()
	if st.addr.IsValid() {
		if o := g.offenders[st.addr]; o != nil && g.now().Before(o.until) {
			return nil, errBackOff
		}
		if c := g.addrs[st.addr]; c != nil && (c.all >= g.limits.ConnsPerAddr || c.preAuth >= g.limits.PreAuthPerAddr) {
			return nil, errTooManyConns
		}
	}
	if g.preAuth >= g.limits.PreAuth {
		return nil, errTooManyStartups
	}
	g.preAuth++
	if st.addr.IsValid() {
		c := g.addrs[st.addr]
		if c == nil {
			c = &counts{}
			g.addrs[st.addr] = c
		}
		c.preAuth++
		c.all++
	}
	return st, nil
}

// group is the unit in which addresses are counted: an IPv4 address, or the
// /64 that an IPv6 customer gets. The zero value stands for exempt.
func (g *gate) group(remote net.Addr) netip.Prefix {
	ap, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return netip.Prefix{} // a unix socket: the file's mode is its limit
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.IsLoopback() && !g.limits.LimitLoopback {
		return netip.Prefix{}
	}
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // cannot fail: bits fit the family
	return p
}

// login moves the seat from those before to those after authentication.
func (st *seat) login() {
	g := st.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if st.authed || st.left {
		return
	}
	st.authed = true
	g.preAuth--
	if c := g.addrs[st.addr]; c != nil {
		c.preAuth--
	}
	delete(g.offenders, st.addr)
}

// leave gives the seat back. failed says that the client tried to log in, or
// only held the line, without success.
func (st *seat) leave(failed bool) {
	g := st.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if st.left {
		return
	}
	st.left = true
	if !st.authed {
		g.preAuth--
	}
	c := g.addrs[st.addr]
	if c == nil {
		return
	}
	if !st.authed {
		c.preAuth--
	}
	if c.all--; c.all == 0 {
		delete(g.addrs, st.addr)
	}
	if failed && !st.authed {
		g.punish(st.addr)
	}
}

// punish counts one failed connection of addr. Callers hold g.mu.
func (g *gate) punish(addr netip.Prefix) {
	now := g.now()
	o := g.offenders[addr]
	if o == nil || now.After(o.forget) {
		g.makeRoom(now)
		o = &offence{}
		g.offenders[addr] = o
	}
	o.failures++
	if over := o.failures - g.limits.FreeFailures; over > 0 {
		wait := g.limits.PenaltyMax
		if doublings := over - 1; doublings < 16 { // beyond, any penalty is past the maximum
			wait = min(wait, g.limits.Penalty<<doublings)
		}
		o.until = now.Add(wait)
	}
	o.forget = now.Add(2 * g.limits.PenaltyMax)
}

// makeRoom forgets offenders until one more fits. Callers hold g.mu.
func (g *gate) makeRoom(now time.Time) {
	if len(g.offenders) < maxOffenders {
		return
	}
	var mildest netip.Prefix
	var least time.Time
	for a, o := range g.offenders {
		if now.After(o.forget) {
			delete(g.offenders, a)
			continue
		}
		if !mildest.IsValid() || o.until.Before(least) {
			mildest, least = a, o.until
		}
	}
	if len(g.offenders) >= maxOffenders {
		delete(g.offenders, mildest)
	}
}
