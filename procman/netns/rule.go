package netns

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Rule says where instances may connect to. The zero value lets them reach
// every address but those that Open always keeps from them: the machine itself,
// other instances, link-local addresses and the metadata services of clouds.
type Rule struct {
	Closed bool    // nowhere
	Allow  []Allow // only there, if there is any; and the name servers
}

// Allow is one place that instances may connect to.
type Allow struct {
	Net   netip.Prefix
	First uint16 // ports, both ends included; 0 is all ports and protocols
	Last  uint16
}

// ParseRule reads "open", "closed", or a list of ADDRESS, CIDR, ADDRESS:PORT,
// CIDR:PORT or CIDR:FIRST-LAST; IPv6 with a port stands in brackets.
func ParseRule(words []string) (Rule, error) {
	if len(words) == 1 {
		switch words[0] {
		case "open":
			return Rule{}, nil
		case "closed":
			return Rule{Closed: true}, nil
		}
	}
	r := Rule{Closed: len(words) == 0}
	for _, w := range words {
		a, err := parseAllow(w)
		if err != nil {
			return Rule{}, fmt.Errorf("parse %q: %w", w, err)
		}
		r.Allow = append(r.Allow, a)
	}
	return r, nil
}

func parseAllow(w string) (Allow, error) {
	host, ports := w, ""
	if rest, ok := strings.CutPrefix(w, "["); ok {
		var found bool
		if host, ports, found = strings.Cut(rest, "]"); !found {
			return Allow{}, fmt.Errorf("the bracket is not closed")
		}
		if ports, found = strings.CutPrefix(ports, ":"); !found {
			return Allow{}, fmt.Errorf("want [ADDRESS]:PORT")
		}
	} else if strings.Count(w, ":") == 1 {
		host, ports, _ = strings.Cut(w, ":")
	}
	var a Allow
	var err error
	if a.Net, err = parseNet(host); err != nil {
		return Allow{}, err
	}
	if ports == "" {
		if host != w {
			return Allow{}, fmt.Errorf("a port is missing")
		}
		return a, nil
	}
	first, last, ok := strings.Cut(ports, "-")
	if !ok {
		last = first
	}
	f, err1 := strconv.ParseUint(first, 10, 16)
	l, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || f == 0 || f > l {
		return Allow{}, fmt.Errorf("%q is not a port or a range of ports", ports)
	}
	a.First, a.Last = uint16(f), uint16(l)
	return a, nil
}

func parseNet(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" && !addr.Is4In6() {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("want an address or a network such as 10.0.0.0/8, with a port or without: names can change and are not taken")
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%s has bits behind its length: %s is meant?", p, p.Masked())
	}
	return p, nil
}

// String words the rule as the setting does.
func (r Rule) String() string {
	switch {
	case r.Closed:
		return "closed"
	case len(r.Allow) == 0:
		return "open"
	}
	var out []string
	for _, a := range r.Allow {
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}

func (a Allow) String() string {
	s := a.Net.String()
	if a.First == 0 {
		return s
	}
	if a.Net.Addr().Is6() {
		s = "[" + s + "]"
	}
	s += ":" + strconv.Itoa(int(a.First))
	if a.Last != a.First {
		s += "-" + strconv.Itoa(int(a.Last))
	}
	return s
}
