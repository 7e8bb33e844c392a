package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// resolvFiles tell the machine's name servers. Where the first names only a
// server on the machine's own loopback, which no instance can reach, the second
// has those that systemd-resolved asks in turn.
var resolvFiles = []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}

// maxServers is how many the C library asks (resolv.conf(5)).
const maxServers = 3

func (n *Network) readResolv(o Options) error {
	if n.dns = o.DNS; len(n.dns) > 0 {
		return nil
	}
	files := o.Resolv
	if len(files) == 0 {
		files = resolvFiles
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("find name servers: %w", err)
		}
		if n.dns, n.search = parseResolv(string(b)); len(n.dns) > 0 {
			return nil
		}
	}
	return nil
}

// parseResolv returns the servers that can be reached from another namespace,
// and the lines about anything else.
func parseResolv(text string) (servers []netip.Addr, rest string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "nameserver":
			a, err := netip.ParseAddr(f[1])
			if err == nil && !a.IsLoopback() && !a.IsUnspecified() && a.Zone() == "" && len(servers) < maxServers {
				servers = append(servers, a)
			}
		case "search", "domain", "options":
			rest += strings.Join(f, " ") + "\n"
		}
	}
	return servers, rest
}

// NoServers is the resolv.conf of who reaches none: the C library then asks the
// loopback device, where nobody answers, and fails at once.
const NoServers = "# outgoing traffic is closed\n"

// Resolv is the resolv.conf of an instance.
func (n *Network) Resolv() string {
	if n.rule.Closed {
		return NoServers
	}
	var b strings.Builder
	for _, a := range n.dns {
		fmt.Fprintf(&b, "nameserver %s\n", a)
	}
	return b.String() + n.search
}

// Problems says what instances will miss.
func (n *Network) Problems() []*Error {
	var out []*Error
	if len(n.dns) == 0 && !n.rule.Closed {
		out = append(out, &Error{What: "no name server that apps can reach: the machine's own listens on its loopback only", Fix: `set dns = ["ADDRESS"] in server.toml`})
	}
	if !n.ipv6 && !n.rule.Closed && slices.ContainsFunc(n.rule.Allow, func(a Allow) bool { return a.Net.Addr().Is6() }) {
		out = append(out, &Error{What: "apps have no IPv6 to the outside, which the rule of outgoing traffic names", Fix: ipv6Fix})
	}
	return append(out, n.foreign()...)
}

const ipv6Fix = "set net.ipv6.conf.all.forwarding = 1 (and accept_ra = 2 on a link that takes its route from advertisements) and restart hop3"
