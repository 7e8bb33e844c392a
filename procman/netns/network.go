// Package netns gives the instances of apps networks of their own.
//
// An instance runs in a network namespace whose loopback device nobody else
// has; the router reaches in by a socket made inside (package shim). Unless the
// server's rule closes it, a pair of links leads from there to the machine,
// which routes and translates what the rule allows. Nothing leads the other
// way: not from outside, not from the machine, not from another instance.
//
// All that is left on the machine is one nftables table per server and a link
// per instance, which the kernel takes away with the namespace. They need no
// server to go on working.
//
// A routed pair for each instance was chosen over a bridge, on which instances
// would be neighbours that a rule has to keep apart, and over a network stack
// in user space, which would copy every byte and end with the server.
package netns

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// linkPrefix begins the names of all links of all hop3 servers on a machine;
// the table of a server is called like its links, without the last dash.
const linkPrefix = "h3-"

// Network is where the instances of one server are attached. Its methods may
// be called from several goroutines.
type Network struct {
	id     string // "h3-abcde"
	data   string // the server's folder, for who reads the table
	rule   Rule
	dns    []netip.Addr
	search string // lines of resolv.conf besides the servers
	ipv6   bool
	mtu    int
	table  bool // the machine has nftables and our table in it

	next   atomic.Uint32
	mu     sync.Mutex // rules change one after the other
	public []uint16
	guard  bool // forwarding was off before hop3: nobody else's packets pass
}

// Options make a Network.
type Options struct {
	Data   string       // the server's folder: servers on one machine differ in it
	Rule   Rule         // where instances may connect to
	DNS    []netip.Addr // name servers; none: those of the machine
	Resolv []string     // files to look for the machine's in; none: the usual ones
}

// Open prepares the machine. Without an error Attach will work: it has been
// tried. An *Error says what the machine lacks and how to get it; nothing is
// left of the attempt then.
func Open(o Options) (*Network, error) {
	n, err := look(o)
	if err != nil {
		return nil, err
	}
	if err := n.prepare(); err != nil && !n.rule.Closed {
		return nil, err
	}
	return n, nil
}

// Check says what Open would, and what instances would miss, and changes nothing.
func Check(o Options) ([]*Error, error) {
	n, err := look(o)
	if err != nil {
		return nil, err
	}
	if !n.rule.Closed {
		if err := readable(); err != nil {
			return nil, &Error{What: "the rules of nftables cannot be read", Err: err, Fix: nftFix}
		}
		n.table, n.ipv6 = true, enabled(forward6)
	}
	return n.Problems(), nil
}

// look finds out whether the machine has namespaces and links.
func look(o Options) (*Network, error) {
	sum := sha256.Sum256([]byte(o.Data))
	n := &Network{
		id:   linkPrefix + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:5]),
		data: o.Data, rule: o.Rule,
	}
	if err := mayMakeNetworks(); err != nil {
		return nil, err
	}
	n.next.Store(uint32(os.Getpid()) << 4) // so that servers do not all try the same addresses first
	if err := n.readResolv(o); err != nil {
		return nil, err
	}
	return n, n.try()
}

// prepare makes what leads out. For a closed network it only sees to it that
// instances of an earlier, more open server are cut off, as far as that can be.
func (n *Network) prepare() error {
	if n.rule.Closed {
		if left, err := links(n.id); err == nil && left == 0 {
			return dropTable(n.id)
		}
	}
	n.mtu = uplinkMTU()
	if err := n.sweep(); err != nil {
		return &Error{What: "the rules of nftables cannot be read", Err: err, Fix: nftFix}
	}
	if !n.rule.Closed {
		if err := n.forward(); err != nil {
			return err
		}
	}
	if err := n.rules(); err != nil {
		return &Error{What: "the rules of nftables cannot be written", Err: err, Fix: nftFix}
	}
	n.table = true
	return nil
}

const nftFix = "use a kernel with nf_tables, its NAT and connection tracking, and give the server CAP_NET_ADMIN"

// Public tells on which ports of the machine everybody may call: instances may
// too. Those are the router's; all others of the machine are closed to them.
func (n *Network) Public(ports ...uint16) error {
	n.mu.Lock()
	n.public = ports
	n.mu.Unlock()
	if !n.table {
		return nil
	}
	if err := n.rules(); err != nil {
		return fmt.Errorf("allow public ports: %w", err)
	}
	return nil
}

// Rule is where instances may connect to.
func (n *Network) Rule() Rule { return n.rule }

// Close removes the table, if no instance is attached any more. Forwarding that
// hop3 turned on is turned off first; as long as another server needs it, the
// table stays and guards the machine.
func (n *Network) Close() error {
	if !n.table {
		return nil
	}
	left, err := links(n.id)
	if err != nil || left > 0 {
		return err
	}
	if n.guard {
		if others, err := n.others(); err != nil || others {
			return err
		}
		if err := os.WriteFile(forward4, []byte("0"), 0); err != nil {
			return fmt.Errorf("stop forwarding: %w", err)
		}
	}
	return dropTable(n.id)
}

// Error is a network that this machine cannot give.
type Error struct {
	What string
	Err  error
	Fix  string
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.What
	}
	return e.What + ": " + e.Err.Error()
}

// Hint says how to get it.
func (e *Error) Hint() string { return e.Fix }

// Unwrap gives the kernel's answer.
func (e *Error) Unwrap() error { return e.Err }

func mayMakeNetworks() error {
	if os.Geteuid() != 0 {
		return &Error{What: "only root can give apps networks of their own", Fix: "run hop3 as root"}
	}
	for _, c := range []struct {
		bit  uint
		name string
	}{{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}, {unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}} {
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&hdr, &data[0]); err != nil {
			return fmt.Errorf("read capabilities: %w", err)
		}
		if data[c.bit/32].Effective&(1<<(c.bit%32)) == 0 {
			return &Error{What: "root without " + c.name + " cannot give apps networks of their own", Fix: "run hop3 outside of the container, or give it " + c.name}
		}
	}
	return nil
}
