package netns

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// blocked addresses are nobody's business in the outside world, or answer with
// the machine's own secrets: link-local ones with the metadata services of most
// clouds among them, and those of Alibaba, Azure and Oracle that are elsewhere.
var blocked = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fd00:ec2::/32"),
	netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("192.0.0.192/32"),
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("224.0.0.0/4"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("ff00::/8"), pool4, pool6,
}

const domainPort = 53

type chain struct {
	name     string
	kind     nftables.ChainType
	hook     *nftables.ChainHook
	priority *nftables.ChainPriority
	rules    [][]expr.Any
}

// chains are the whole table. From the top: what an instance began may be
// answered; nobody reaches in; an instance reaches nothing of the machine but
// the router, no other instance, and outside what the rule says.
func (n *Network) chains() []chain {
	from, to := n.id+"-", n.id+"-"
	known := state(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	machine := [][]expr.Any{rule(accept, in(from), known)}
	out := [][]expr.Any{
		rule(accept, in(from), known), rule(accept, outTo(to), known), rule(refuse, outTo(to)),
		rule(drop, in(from), state(expr.CtStateBitINVALID)), // what is not tracked is not translated
		rule(refuse, in(from), outTo(linkPrefix)),
	}
	if !n.rule.Closed {
		for _, p := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			for _, a := range n.dns {
				dns := rule(accept, in(from), destination(netip.PrefixFrom(a, a.BitLen())), ports(p, domainPort, domainPort))
				machine, out = append(machine, dns), append(out, dns)
			}
		}
	}
	if !n.rule.Closed && len(n.rule.Allow) == 0 {
		for _, p := range n.public {
			machine = append(machine, rule(accept, in(from), ports(unix.IPPROTO_TCP, p, p)))
		}
	}
	machine = append(machine, rule(refuse, in(from)))
	for _, p := range blocked {
		out = append(out, rule(refuse, in(from), destination(p)))
	}
	out = append(out, n.rule.rules(from)...)
	chains := []chain{
		{name: refuseChain, rules: refusals}, // before those that go to it
		{"machine", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter, machine},
		{forwardChain, nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter, out},
		{"incoming", nftables.ChainTypeFilter, nftables.ChainHookOutput, nftables.ChainPriorityFilter, [][]expr.Any{rule(accept, outTo(to), known), rule(refuse, outTo(to))}},
		{"translate", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource, [][]expr.Any{
			rule(masquerade, source(pool4), notOutTo(linkPrefix)), rule(masquerade, source(pool6), notOutTo(linkPrefix)),
		}},
	}
	if n.guard {
		chains = append(chains, chain{guardChain, nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter, [][]expr.Any{
			rule(accept, in(linkPrefix)), rule(accept, outTo(linkPrefix)), rule(drop),
		}})
	}
	return chains
}

// rules are what becomes of a packet that nothing else has decided about.
func (r Rule) rules(from string) [][]expr.Any {
	var out [][]expr.Any
	if !r.Closed && len(r.Allow) == 0 {
		return append(out, rule(accept, in(from)))
	}
	for _, a := range r.Allow {
		if a.First == 0 {
			out = append(out, rule(accept, in(from), destination(a.Net)))
			continue
		}
		for _, p := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
			out = append(out, rule(accept, in(from), destination(a.Net), ports(p, a.First, a.Last)))
		}
	}
	return append(out, rule(refuse, in(from)))
}

// refusals answer a reset where they can: the kernel sends other refusals at a
// limited rate only.
var refusals = [][]expr.Any{
	{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Reject{Type: unix.NFT_REJECT_TCP_RST},
	},
	{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED}},
}

// The verdicts. Refusing tells the caller at once; an app that waits for a
// timeout looks broken.
var (
	accept     = []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}
	drop       = []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}
	refuse     = []expr.Any{&expr.Verdict{Kind: expr.VerdictGoto, Chain: refuseChain}}
	masquerade = []expr.Any{&expr.Masq{}}
)

func rule(verdict []expr.Any, conditions ...[]expr.Any) []expr.Any {
	var out []expr.Any
	for _, c := range conditions {
		out = append(out, c...)
	}
	return append(out, verdict...)
}

func in(prefix string) []expr.Any       { return device(expr.MetaKeyIIFNAME, expr.CmpOpEq, prefix) }
func outTo(prefix string) []expr.Any    { return device(expr.MetaKeyOIFNAME, expr.CmpOpEq, prefix) }
func notOutTo(prefix string) []expr.Any { return device(expr.MetaKeyOIFNAME, expr.CmpOpNeq, prefix) }

// device compares the beginning of a link's name.
func device(key expr.MetaKey, op expr.CmpOp, prefix string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: []byte(prefix)}}
}

func state(bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binary.NativeEndian.AppendUint32(nil, bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

func source(p netip.Prefix) []expr.Any {
	if p.Addr().Is4() {
		return address(p, 12) // RFC 791
	}
	return address(p, 8) // RFC 8200
}

func destination(p netip.Prefix) []expr.Any {
	if p.Addr().Is4() {
		return address(p, 16)
	}
	return address(p, 24)
}

func address(p netip.Prefix, offset uint32) []expr.Any {
	family, size := byte(unix.NFPROTO_IPV4), uint32(p.Addr().BitLen()/8)
	if p.Addr().Is6() {
		family = unix.NFPROTO_IPV6
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: size, Mask: ipNet(p).Mask, Xor: make([]byte, size)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}
}

// ports compares the destination's, which TCP and UDP have at the same place.
func ports(protocol byte, first, last uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: binary.BigEndian.AppendUint16(nil, first), ToData: binary.BigEndian.AppendUint16(nil, last)},
	}
}
