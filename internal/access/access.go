// Package access says who the holder of a proved key or certificate is, and what they may do: the one answer for every call.
//
// A plain key is looked up among the keys of the server. A user certificate of OpenSSH is worth what its principals say, if
// an authority that server.toml names has signed it: the first principal that is a row of the table principals, or else the
// name of a key, decides. The certificate can only take away from that: by its validity and its critical options.
package access

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"hop3/internal/state"
)

// Authorities are who may certify callers. The zero value is nobody.
type Authorities struct {
	CAs        []gossh.PublicKey
	Principals map[string]Rights // what a certificate with that principal may do
}

// Rights are what a principal of a certificate stands for.
type Rights struct {
	Role state.Role
	Apps []string // empty: all
}

// Access answers for one server. Several goroutines use it.
type Access struct {
	keys        *state.Keys
	authorities atomic.Pointer[Authorities]
	now         func() time.Time
}

// New returns the access of a server with those keys.
func New(keys *state.Keys) *Access {
	a := &Access{keys: keys, now: time.Now}
	a.authorities.Store(&Authorities{})
	return a
}

// Trust replaces the authorities.
func (a *Access) Trust(t *Authorities) { a.authorities.Store(t) }

// A Refused says why a proved key or certificate lets nobody in.
type Refused struct {
	What string
	Mend string
}

func (r *Refused) Error() string { return r.What }

// Hint says what to do.
func (r *Refused) Hint() string { return r.Mend }

// Find returns the rights of who holds key, proved from remote. An error is a *Refused, or that the keys cannot be read.
func (a *Access) Find(key gossh.PublicKey, remote net.Addr) (state.Key, error) {
	from, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return state.Key{}, &Refused{What: fmt.Sprintf("the address %s is no address of a network", remote)}
	}
	if cert, ok := key.(*gossh.Certificate); ok {
		return a.certified(cert, from.Addr().Unmap())
	}
	fp := gossh.FingerprintSHA256(key)
	k, ok, err := a.keys.ByFingerprint(fp)
	if err != nil {
		return state.Key{}, err
	}
	if !ok {
		return state.Key{}, unknown(fp)
	}
	return k, a.usable(k, from.Addr())
}

func unknown(fp string) *Refused {
	return &Refused{"hop3 does not know this key: " + fp,
		"an admin adds it with: ssh -p PORT hop3@HOST keys:add NAME < key.pub\n       or on the server itself: hop3 admin add NAME < key.pub"}
}

func (a *Access) usable(k state.Key, from netip.Addr) error {
	switch {
	case k.Usable(from, a.now()):
		return nil
	case !k.Expires.IsZero() && a.now().After(k.Expires):
		return &Refused{fmt.Sprintf("the key %s has expired: %s", k.Name, k.Fingerprint), "an admin removes it and adds it anew: keys:remove, keys:add"}
	}
	return &Refused{fmt.Sprintf("the key %s is not accepted from %s: %s", k.Name, from.Unmap(), k.Fingerprint), "an admin has limited it with keys:add --from"}
}

// honoured are the critical options of a certificate that this server keeps to: source-address here, force-command where the
// command is taken. Others, verify-required among them, cannot be checked and are refused.
var honoured = []string{"source-address", "force-command"}

// signatures are the types of which an authority's may be; none rests on SHA-1.
var signatures = []string{
	gossh.KeyAlgoED25519, gossh.KeyAlgoSKED25519, gossh.KeyAlgoECDSA256, gossh.KeyAlgoECDSA384, gossh.KeyAlgoECDSA521,
	gossh.KeyAlgoSKECDSA256, gossh.KeyAlgoRSASHA256, gossh.KeyAlgoRSASHA512,
}

func (a *Access) certified(cert *gossh.Certificate, from netip.Addr) (state.Key, error) {
	trust := a.authorities.Load()
	fp := gossh.FingerprintSHA256(cert.Key)
	refuse := func(what, do string) (state.Key, error) {
		return state.Key{}, &Refused{fmt.Sprintf("the certificate of %s is refused: %s", fp, what), do}
	}
	trusted := func(ca gossh.PublicKey) bool {
		return slices.ContainsFunc(trust.CAs, func(k gossh.PublicKey) bool { return bytes.Equal(k.Marshal(), ca.Marshal()) })
	}
	if !trusted(cert.SignatureKey) {
		return refuse("this server does not trust its authority "+gossh.FingerprintSHA256(cert.SignatureKey),
			"log in with a key that is known here; or the operator names the authority in server.toml: user_ca = \"/etc/hop3/user_ca.pub\"")
	}
	if cert.CertType != gossh.UserCert {
		return refuse("it is one of a host", "sign one for a user: ssh-keygen -s CA -I NAME -n PRINCIPAL key.pub")
	}
	if cert.Signature == nil || !slices.Contains(signatures, cert.Signature.Format) {
		return refuse("its signature is of a weak type", "sign it with a newer ssh-keygen, or another authority's key: ssh-keygen -t ed25519")
	}
	if len(cert.ValidPrincipals) == 0 {
		return refuse("it names no principal", "sign it with some: ssh-keygen -s CA -I NAME -n PRINCIPAL key.pub")
	}
	checker := gossh.CertChecker{SupportedCriticalOptions: honoured, Clock: a.now}
	if err := checker.CheckCert(cert.ValidPrincipals[0], cert); err != nil {
		return refuse(strings.TrimPrefix(err.Error(), "ssh: "), "have it signed anew")
	}
	if list, ok := cert.CriticalOptions["source-address"]; ok && !inRanges(from, list) {
		return refuse(fmt.Sprintf("%s is not in its source-address %s", from, list), "have it signed for your address")
	}
	k, err := a.principal(trust, cert, from)
	if err != nil {
		return refuse(err.Error(), "known are the principals in server.toml and the names that keys lists")
	}
	k.Fingerprint, k.Public = fp, ""
	if end := expiry(cert); !end.IsZero() && (k.Expires.IsZero() || end.Before(k.Expires)) {
		k.Expires = end
	}
	return k, nil
}

// principal returns the rights of the first principal that is known here.
func (a *Access) principal(trust *Authorities, cert *gossh.Certificate, from netip.Addr) (state.Key, error) {
	list, err := a.keys.List()
	if err != nil {
		return state.Key{}, err
	}
	for _, name := range cert.ValidPrincipals {
		if r, ok := trust.Principals[name]; ok {
			return state.Key{Name: holder(name, cert.KeyId), Role: r.Role, Apps: r.Apps, AddedBy: "user_ca"}, nil
		}
		if i := slices.IndexFunc(list, func(k state.Key) bool { return k.Name == name }); i >= 0 {
			return list[i], a.usable(list[i], from)
		}
	}
	return state.Key{}, fmt.Errorf("nothing is known here of %s", strings.Join(cert.ValidPrincipals, ", "))
}

// holder names who holds a certificate for events and talk: the principal, and whom the authority says that it has certified.
func holder(principal, id string) string {
	id = strings.Map(func(r rune) rune {
		if r > ' ' && r < 127 {
			return r
		}
		return '_'
	}, id)
	const most = 64 // of a certificate's identity, which may be as long as the whole
	return strings.TrimSuffix(principal+":"+id[:min(len(id), most)], ":")
}

func expiry(cert *gossh.Certificate) time.Time {
	if cert.ValidBefore >= 1<<62 { // gossh.CertTimeInfinity, and what overflows as a time
		return time.Time{}
	}
	return time.Unix(int64(cert.ValidBefore), 0).UTC()
}

// inRanges reads the option source-address: addresses and CIDR prefixes, separated by commas.
func inRanges(addr netip.Addr, list string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(s string) bool {
		if p, err := netip.ParsePrefix(s); err == nil {
			return p.Contains(addr)
		}
		one, err := netip.ParseAddr(s)
		return err == nil && one.Unmap() == addr
	})
}

// ReadCAs reads a file of public keys, one a line.
func ReadCAs(file string) ([]gossh.PublicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read user_ca: %w", err)
	}
	var keys []gossh.PublicKey
	for len(bytes.TrimSpace(text)) > 0 {
		key, _, options, rest, err := gossh.ParseAuthorizedKey(text)
		if err != nil && len(keys) > 0 { // only comments are left
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read user_ca %s: no public key is in it: %w", file, err)
		}
		if len(options) > 0 {
			return nil, fmt.Errorf("read user_ca %s: options before a key (%s) are not kept", file, options[0])
		}
		if err := state.CheckKey(key); err != nil {
			return nil, fmt.Errorf("read user_ca %s: %w", file, err)
		}
		keys, text = append(keys, key), rest
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("read user_ca %s: %w", file, errors.New("it is empty"))
	}
	return keys, nil
}
