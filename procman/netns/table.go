package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
)

// Names of the chains of a server's table.
const (
	forwardChain = "outgoing"
	refuseChain  = "refuse"
	guardChain   = "guard" // its presence says that forwarding was off before hop3
)

// forwarding files of the kernel (ip-sysctl.rst).
const (
	forward4 = "/proc/sys/net/ipv4/ip_forward"
	forward6 = "/proc/sys/net/ipv6/conf/all/forwarding"
)

// forward finds out what the machine routes, and has it route IPv4; a machine
// that did not do that before goes on to route for nobody but instances.
// IPv6 is left as it is: turned on, a machine stops to listen to the router
// that it has its own addresses from.
func (n *Network) forward() error {
	n.ipv6 = enabled(forward6)
	if enabled(forward4) {
		return nil
	}
	n.guard = true
	if err := n.rules(); err != nil {
		return &Error{What: "the rules of nftables cannot be written", Err: err, Fix: nftFix}
	}
	if err := os.WriteFile(forward4, []byte("1"), 0); err != nil {
		return errors.Join(&Error{What: "packets of apps cannot be forwarded", Err: err, Fix: "set net.ipv4.ip_forward = 1"}, dropTable(n.id))
	}
	return nil
}

func enabled(file string) bool {
	b, err := os.ReadFile(file)
	return err == nil && strings.TrimSpace(string(b)) == "1"
}

// rules writes the table anew, in one step.
func (n *Network) rules() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, err := nftables.New()
	if err != nil {
		return err
	}
	t := &nftables.Table{Name: n.id, Family: nftables.TableFamilyINet}
	c.AddTable(t) // or there might be none to delete
	c.DelTable(t)
	c.AddTable(t)
	for _, ch := range n.chains() {
		chain := &nftables.Chain{Name: ch.name, Table: t, Type: ch.kind, Hooknum: ch.hook, Priority: ch.priority}
		if policy := nftables.ChainPolicyAccept; ch.hook != nil {
			chain.Policy = &policy
		}
		c.AddChain(chain)
		for _, r := range ch.rules {
			c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: r, UserData: n.note()})
		}
	}
	return c.Flush()
}

// readable tells whether this machine has nftables.
func readable() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	_, err = c.ListChains()
	return err
}

// note is the comment that each rule carries: whose it is.
func (n *Network) note() []byte {
	text := noteStart + n.data
	if len(text) > maxNote {
		return nil
	}
	return userdata.AppendString(nil, userdata.TypeComment, text)
}

const (
	noteStart = "hop3 server of "
	maxNote   = 127 // NFTNL_UDATA_COMMENT_MAXLEN
)

func dropTable(id string) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("remove rules: %w", err)
	}
	c.DelTable(&nftables.Table{Name: id, Family: nftables.TableFamilyINet})
	if err := c.Flush(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove rules: %w", err)
	}
	return nil
}

// sweep removes the tables of servers whose folder is gone, and finds out what
// an earlier run of this one has left. Links need none: they go with their
// namespaces.
func (n *Network) sweep() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return err
	}
	guards := map[string]bool{}
	for _, ch := range chains {
		guards[ch.Table.Name] = guards[ch.Table.Name] || ch.Name == guardChain
	}
	for _, ch := range chains {
		switch {
		case !strings.HasPrefix(ch.Table.Name, linkPrefix):
		case ch.Table.Name == n.id:
			n.guard = n.guard || ch.Name == guardChain
		case ch.Name == forwardChain:
			rules, err := c.GetRules(ch.Table, ch)
			if err != nil || len(rules) == 0 {
				continue // it is just being changed, by its living owner
			}
			text, _ := userdata.GetString(rules[0].UserData, userdata.TypeComment)
			data, ok := strings.CutPrefix(text, noteStart)
			if _, err := os.Stat(data); ok && errors.Is(err, fs.ErrNotExist) {
				// The last guard of the machine is left to it, unless this server guards it from now on.
				if left, err := links(ch.Table.Name); err == nil && left == 0 && (!guards[ch.Table.Name] || !n.rule.Closed) {
					n.guard = n.guard || guards[ch.Table.Name]
					c.DelTable(ch.Table)
				}
			}
		}
	}
	if err := c.Flush(); err != nil && !errors.Is(err, fs.ErrNotExist) { // somebody else was faster
		return err
	}
	return nil
}

// others tells whether another server has a table.
func (n *Network) others() (bool, error) {
	c, err := nftables.New()
	if err != nil {
		return false, fmt.Errorf("look for other servers: %w", err)
	}
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return false, fmt.Errorf("look for other servers: %w", err)
	}
	return slices.ContainsFunc(tables, func(t *nftables.Table) bool {
		return t.Name != n.id && strings.HasPrefix(t.Name, linkPrefix)
	}), nil
}

// foreign finds other firewalls that would stop what the rule allows.
func (n *Network) foreign() []*Error {
	if !n.table || n.rule.Closed {
		return nil
	}
	c, err := nftables.New()
	if err != nil {
		return nil
	}
	chains, err := c.ListChains()
	if err != nil {
		return nil
	}
	var out []*Error
	for _, ch := range chains {
		if ch.Hooknum == nil || *ch.Hooknum != *nftables.ChainHookForward || ch.Policy == nil || *ch.Policy != nftables.ChainPolicyDrop {
			continue
		}
		if ch.Table.Family == nftables.TableFamilyIPv6 && !n.ipv6 {
			continue
		}
		out = append(out, &Error{
			What: fmt.Sprintf("another firewall drops forwarded packets (table %s, chain %s): apps may not reach the outside", ch.Table.Name, ch.Name),
			Fix:  "let it accept what comes from and goes to the links " + linkPrefix + "*; with Docker: iptables -I DOCKER-USER -i h3-+ -j ACCEPT, and the same with -o",
		})
	}
	return out
}
