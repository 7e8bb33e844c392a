package main

import (
	"errors"
	"net/netip"
	"strconv"

	"github.com/sirupsen/logrus"

	"hop3/internal/config"
	"hop3/procman/netns"
)

// openNetwork prepares the networks of apps; nil without an error says that they share the machine's. A rule of outgoing
// traffic that could not be kept is an error, never dropped.
func openNetwork(c config.Config, log logrus.FieldLogger) (*netns.Network, error) {
	o, err := networkOptions(c)
	if err != nil {
		return nil, &usageError{err.Error(), `for example: outgoing = ["10.0.0.0/8", "192.0.2.7:5432"]`}
	}
	open := !o.Rule.Closed && len(o.Rule.Allow) == 0
	if c.Network == "host" {
		if !open {
			return nil, &usageError{"the rule of outgoing traffic needs private networks, and network is \"host\"", "take one of the two settings out of server.toml"}
		}
		return nil, nil
	}
	n, err := netns.Open(o)
	if err == nil {
		for _, p := range n.Problems() {
			log.WithField("fix", p.Hint()).Warn(p.Error())
		}
		return n, nil
	}
	if c.Network == "private" || !open {
		return nil, &usageError{"apps cannot have private networks: " + err.Error(), hintOfNetwork(err)}
	}
	log.WithField("fix", hintOfNetwork(err)).Warn("apps share the machine's network: " + err.Error())
	return nil, nil
}

func networkOptions(c config.Config) (netns.Options, error) {
	o := netns.Options{Data: c.Data}
	var err error
	if o.Rule, err = netns.ParseRule(c.Outgoing); err != nil {
		return o, errors.New("outgoing: " + err.Error())
	}
	for _, s := range c.DNS {
		a, err := netip.ParseAddr(s)
		if err != nil || a.IsLoopback() {
			return o, errors.New("dns: " + strconv.Quote(s) + " is not the address of a server that apps can reach")
		}
		o.DNS = append(o.DNS, a)
	}
	return o, nil
}

func hintOfNetwork(err error) string {
	if e, ok := errors.AsType[*netns.Error](err); ok {
		return e.Hint()
	}
	return ""
}

// routerPorts tells the network where everybody may call.
func (s *server) routerPorts() {
	if s.network == nil {
		return
	}
	var ports []uint16
	for _, addr := range []string{s.pipeline.HTTPAddr, s.pipeline.HTTPSAddr} {
		if a, err := netip.ParseAddrPort(addr); err == nil { // the second is empty without HTTPS
			ports = append(ports, a.Port())
		}
	}
	if err := s.network.Public(ports...); err != nil {
		s.log.WithError(err).Warn("apps cannot call each other by their public names")
	}
}

// closeNetwork removes what no process needs any more.
func (s *server) closeNetwork() error {
	if s.network == nil {
		return nil
	}
	return s.network.Close()
}

// checkNetwork is what doctor says of the networks of apps.
func checkNetwork(c config.Config) []check {
	o, err := networkOptions(c)
	if err != nil {
		return []check{{"network", "fail", err.Error(), "correct it in server.toml"}}
	}
	if c.Network == "host" {
		return []check{{"network", "ok", "apps share the machine's network, as server.toml says", ""}}
	}
	problems, err := netns.Check(o)
	if err != nil {
		return []check{{"network", "warn", "apps share the machine's network: " + err.Error(), hintOfNetwork(err)}}
	}
	checks := []check{{"network", "ok", "apps have private networks, outgoing traffic is " + o.Rule.String(), ""}}
	for _, p := range problems {
		checks = append(checks, check{"network", "warn", p.Error(), p.Hint()})
	}
	return checks
}
