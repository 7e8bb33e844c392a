package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"hop3/internal/thread"
)

// Addresses of the instances: a network that is set aside for measurements (RFC
// 2544), which no machine's own neighbours should use, and one of our own choice
// (RFC 4193). The routing table says which are taken: a route is made only where
// there is none, so that servers on one machine never share one.
var (
	pool4 = netip.MustParsePrefix("198.18.0.0/15")
	pool6 = netip.MustParsePrefix("fd68:6f70:33::/48")
)

// addressTries bounds the search for a free address: far more than instances
// one machine can run beside each other.
const addressTries = 20000

const insideName = "eth0" // what programs expect a machine's link to be called

// mac is the address of both ends of every pair. With that, and no address
// resolution, whatever one end sends is for the other.
var mac = net.HardwareAddr{0x02, 'h', 'o', 'p', '3', 0}

// Attach gives the network namespace of a process, by its pid, what leads out.
// In a closed network that is nothing. It goes away with the namespace.
func (n *Network) Attach(pid int) error {
	if n.rule.Closed {
		return nil
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return fmt.Errorf("open network of instance: %w", err)
	}
	defer ns.Close()
	return n.attach(int(ns.Fd()))
}

func (n *Network) attach(ns int) error {
	host, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("attach instance: %w", err)
	}
	defer host.Close()
	link, number, err := n.pair(host, ns)
	if err != nil {
		return err
	}
	if err := n.connect(host, link, number, ns); err != nil {
		return errors.Join(err, host.LinkDel(link))
	}
	return nil
}

// pair makes the two links; the number is what the name was made of.
func (n *Network) pair(host *netlink.Handle, ns int) (netlink.Link, uint32, error) {
	for range addressTries {
		number := n.next.Add(1) & 0xffff
		a := netlink.NewLinkAttrs()
		a.Name, a.MTU, a.HardwareAddr = fmt.Sprintf("%s-%x", n.id, number), n.mtu, mac
		v := netlink.NewVeth(a)
		v.PeerName, v.PeerHardwareAddr, v.PeerNamespace, v.PeerMTU = insideName, mac, netlink.NsFd(ns), uint32(n.mtu)
		err := host.LinkAdd(v)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			return nil, 0, fmt.Errorf("make link of instance: %w", err)
		}
		return v, number, nil
	}
	return nil, 0, errors.New("make link of instance: every name is taken")
}

func (n *Network) connect(host *netlink.Handle, link netlink.Link, number uint32, ns int) error {
	if err := up(host, link); err != nil {
		return err
	}
	addr, err := n.takeAddress(host, link, number)
	if err != nil {
		return err
	}
	inside, err := netlink.NewHandleAt(vns.NsHandle(ns), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("enter network of instance: %w", err)
	}
	defer inside.Close()
	dev, err := inside.LinkByName(insideName)
	if err != nil {
		return fmt.Errorf("find link of instance: %w", err)
	}
	if err := up(inside, dev); err != nil {
		return err
	}
	// Now that its other end is up, this one may send, once the kernel has looked: asking makes it.
	if _, err := host.LinkByIndex(link.Attrs().Index); err != nil {
		return fmt.Errorf("find link of instance: %w", err)
	}
	for _, a := range addr {
		if err := inside.AddrAdd(dev, &netlink.Addr{IPNet: single(a), Flags: unix.IFA_F_NODAD}); err != nil {
			return fmt.Errorf("give instance an address: %w", err)
		}
		all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if a.Is6() {
			all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		if err := inside.RouteAdd(&netlink.Route{LinkIndex: dev.Attrs().Index, Dst: ipNet(all), Scope: netlink.SCOPE_LINK}); err != nil {
			return fmt.Errorf("give instance a route: %w", err)
		}
	}
	return nil
}

// takeAddress finds addresses that nobody has and routes them to link.
func (n *Network) takeAddress(host *netlink.Handle, link netlink.Link, number uint32) ([]netip.Addr, error) {
	for try := range uint32(addressTries) {
		at := number*2 + try // room for 65536 instances of which every second place is somebody's first choice
		out := []netip.Addr{offset(pool4, at)}
		if n.ipv6 {
			out = append(out, offset(pool6, at))
		}
		err := error(nil)
		for i, a := range out {
			r := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: single(a), Scope: netlink.SCOPE_LINK}
			if err = host.RouteAdd(r); err != nil {
				if i > 0 {
					err = errors.Join(err, host.RouteDel(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: single(out[0]), Scope: netlink.SCOPE_LINK}))
				}
				break
			}
		}
		if err == nil {
			return out, nil
		}
		if !errors.Is(err, unix.EEXIST) {
			return nil, fmt.Errorf("route to instance: %w", err)
		}
	}
	return nil, errors.New("route to instance: every address is taken")
}

// offset is the n-th usable address of p; the first of all is nobody's.
func offset(p netip.Prefix, n uint32) netip.Addr {
	b := p.Addr().AsSlice()
	n = n%(1<<17-2) + 1
	for i := len(b) - 1; n > 0; i-- {
		n += uint32(b[i])
		b[i] = byte(n)
		n >>= 8
	}
	a, _ := netip.AddrFromSlice(b) // of the length that it came from
	return a
}

// up raises a link that asks nobody for addresses.
func up(h *netlink.Handle, l netlink.Link) error {
	if err := errors.Join(h.LinkSetARPOff(l), h.LinkSetUp(l)); err != nil {
		return fmt.Errorf("raise link of instance: %w", err)
	}
	return nil
}

func single(a netip.Addr) *net.IPNet { return ipNet(netip.PrefixFrom(a, a.BitLen())) }

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// links counts the links of the server id.
func links(id string) (int, error) {
	all, err := netlink.LinkList()
	if err != nil {
		return 0, fmt.Errorf("list links: %w", err)
	}
	count := 0
	for _, l := range all {
		if strings.HasPrefix(l.Attrs().Name, id+"-") {
			count++
		}
	}
	return count, nil
}

// uplinkMTU is what the narrowest link of a default route carries; 0 where
// there is none.
func uplinkMTU() int {
	mtu := 0
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return 0
	}
	for _, r := range routes {
		if r.Dst != nil && !r.Dst.IP.IsUnspecified() {
			continue
		}
		l, err := netlink.LinkByIndex(r.LinkIndex)
		if err == nil && (mtu == 0 || l.Attrs().MTU < mtu) {
			mtu = l.Attrs().MTU
		}
	}
	return mtu
}

// tryTime bounds the attempt of Open: a kernel that does not answer is none to
// build on.
const tryTime = 10 * time.Second

// try attaches a network namespace that nobody uses, and lets go of it.
func (n *Network) try() error {
	done := make(chan error, 1)
	go func() {
		var err error
		thread.Do(func() bool {
			if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
				err = &Error{What: "the kernel gives no network namespace", Err: err, Fix: "run hop3 outside of the container"}
				return true
			}
			if err = n.Attach(unix.Gettid()); err != nil {
				err = &Error{What: "no link can be given to apps", Err: err, Fix: "use a kernel with veth (modprobe veth)"}
			}
			return false // the namespace ends with the thread
		})
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(tryTime):
		return &Error{What: "the kernel does not answer about networks", Fix: "look at its log"}
	}
}
