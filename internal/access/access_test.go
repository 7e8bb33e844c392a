package access

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"hop3/internal/state"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func newSigner(t *testing.T) gossh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := gossh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rig is a server's access at noon: ann has a key that operates blog from one network, ca certifies, deployers may push.
func rig(t *testing.T) (a *Access, ca, ann gossh.Signer) {
	t.Helper()
	keys, err := state.OpenKeys(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ca, ann = newSigner(t), newSigner(t)
	err = keys.Add(state.Key{
		Name: "ann", Role: state.Operate, Apps: []string{"blog"}, Fingerprint: gossh.FingerprintSHA256(ann.PublicKey()),
		From: []string{"192.0.2.0/24", "2001:db8::/32"}, Expires: noon.Add(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	a = New(keys)
	a.now = func() time.Time { return noon }
	a.Trust(&Authorities{
		CAs:        []gossh.PublicKey{newSigner(t).PublicKey(), ca.PublicKey()},
		Principals: map[string]Rights{"deployers": {Role: state.Deploy, Apps: []string{"blog"}}},
	})
	return a, ca, ann
}

var home = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711}

func TestFind_Keys(t *testing.T) {
	a, _, ann := rig(t)
	if k, err := a.Find(ann.PublicKey(), home); err != nil || k.Name != "ann" || k.Role != state.Operate {
		t.Errorf("%+v, %v", k, err)
	}
	away := &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 1}
	for name, c := range map[string]struct {
		key  gossh.PublicKey
		from net.Addr
		now  time.Time
		want string
	}{
		"unknown":        {newSigner(t).PublicKey(), home, noon, "hop3 does not know this key: SHA256:"},
		"elsewhere":      {ann.PublicKey(), away, noon, "the key ann is not accepted from 198.51.100.1: SHA256:"},
		"mapped address": {ann.PublicKey(), &net.TCPAddr{IP: net.ParseIP("::ffff:198.51.100.1"), Port: 1}, noon, "not accepted from 198.51.100.1"},
		"expired":        {ann.PublicKey(), home, noon.Add(25 * time.Hour), "the key ann has expired: SHA256:"},
		"no network":     {ann.PublicKey(), &net.UnixAddr{Name: "/x"}, noon, "no address of a network"},
	} {
		a.now = func() time.Time { return c.now }
		if _, err := a.Find(c.key, c.from); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFind_Certificates(t *testing.T) {
	a, ca, ann := rig(t)
	bob := newSigner(t)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	old, err := gossh.NewSignerFromKey(weak)
	if err != nil {
		t.Fatal(err)
	}
	sha1, err := gossh.NewSignerWithAlgorithms(old.(gossh.AlgorithmSigner), []string{gossh.KeyAlgoRSA})
	if err != nil {
		t.Fatal(err)
	}
	trust := a.authorities.Load()
	trust.CAs = append(trust.CAs, old.PublicKey())
	for name, c := range map[string]struct {
		change func(*gossh.Certificate)
		by     gossh.Signer
		want   string // the name, or in the error
		role   state.Role
	}{
		"principal of the table":  {want: "deployers:bob@example.com", role: state.Deploy},
		"principal named as key":  {change: func(c *gossh.Certificate) { c.ValidPrincipals = []string{"ann"} }, want: "ann", role: state.Operate},
		"first that is known":     {change: func(c *gossh.Certificate) { c.ValidPrincipals = []string{"x", "ann", "deployers"} }, want: "ann", role: state.Operate},
		"from here":               {change: option("source-address", "198.51.100.1,192.0.2.0/28"), want: "deployers:bob@example.com", role: state.Deploy},
		"strange identity":        {change: func(c *gossh.Certificate) { c.KeyId = "a b\n\x1b" + strings.Repeat("x", 99) }, want: "deployers:a_b__" + strings.Repeat("x", 59), role: state.Deploy},
		"forced":                  {change: option("force-command", "ps blog"), want: "deployers:bob@example.com", role: state.Deploy},
		"from elsewhere":          {change: option("source-address", "198.51.100.0/24"), want: "192.0.2.7 is not in its source-address 198.51.100.0/24"},
		"from nonsense":           {change: option("source-address", "everywhere"), want: "is not in its source-address"},
		"option that is not kept": {change: option("verify-required", ""), want: `unsupported critical option "verify-required"`},
		"other authority":         {by: bob, want: "this server does not trust its authority SHA256:"},
		"of a host":               {change: func(c *gossh.Certificate) { c.CertType = gossh.HostCert }, want: "it is one of a host"},
		"no principal":            {change: func(c *gossh.Certificate) { c.ValidPrincipals = nil }, want: "it names no principal"},
		"unknown principal":       {change: func(c *gossh.Certificate) { c.ValidPrincipals = []string{"root", "x"} }, want: "nothing is known here of root, x"},
		"expired":                 {change: func(c *gossh.Certificate) { c.ValidBefore = uint64(noon.Unix()) - 1 }, want: "expired"},
		"not yet valid":           {change: func(c *gossh.Certificate) { c.ValidAfter = uint64(noon.Unix()) + 9 }, want: "not yet valid"},
		"signed with SHA-1":       {by: sha1, want: "its signature is of a weak type"},
		"changed afterwards":      {want: "signature", by: changing{ca}},
	} {
		cert := &gossh.Certificate{
			Key: bob.PublicKey(), KeyId: "bob@example.com", CertType: gossh.UserCert, ValidPrincipals: []string{"deployers"},
			ValidBefore: uint64(noon.Add(time.Hour).Unix()), Permissions: gossh.Permissions{CriticalOptions: map[string]string{}},
		}
		if c.change != nil {
			c.change(cert)
		}
		if c.by == nil {
			c.by = ca
		}
		if err := cert.SignCert(rand.Reader, c.by); err != nil {
			t.Fatal(err)
		}
		k, err := a.Find(cert, home)
		if c.role != state.NoRole {
			if err != nil || k.Name != c.want || k.Role != c.role || !k.May(c.role, "blog") || k.May(state.View, "other") ||
				k.Fingerprint != gossh.FingerprintSHA256(bob.PublicKey()) || !k.Expires.Equal(noon.Add(time.Hour)) {
				t.Errorf("%s: %+v, %v", name, k, err)
			}
			continue
		}
		if refused, ok := errors.AsType[*Refused](err); !ok || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "the certificate of SHA256:") || refused.Mend == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A key's own limits hold for who is certified under its name.
	cert := &gossh.Certificate{Key: bob.PublicKey(), CertType: gossh.UserCert, ValidPrincipals: []string{"ann"}, ValidBefore: gossh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Find(cert, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}); err == nil || !strings.Contains(err.Error(), "the key ann is not accepted from 10.0.0.1") {
		t.Errorf("from elsewhere: %v", err)
	}
	if k, err := a.Find(cert, home); err != nil || !k.Expires.Equal(noon.Add(24*time.Hour)) {
		t.Errorf("without an end: %+v, %v", k, err)
	}
	a.Trust(&Authorities{})
	if _, err := a.Find(cert, home); err == nil {
		t.Error("a certificate was accepted without any authority")
	}
	if _, err := a.Find(ann.PublicKey(), home); err != nil {
		t.Error(err)
	}
}

func option(name, value string) func(*gossh.Certificate) {
	return func(c *gossh.Certificate) { c.CriticalOptions[name] = value }
}

// changing signs something else than it is given.
type changing struct{ gossh.Signer }

func (c changing) Sign(r io.Reader, data []byte) (*gossh.Signature, error) {
	return c.Signer.Sign(r, append([]byte("x"), data...))
}

func TestReadCAs(t *testing.T) {
	key := string(gossh.MarshalAuthorizedKey(newSigner(t).PublicKey()))
	for name, c := range map[string]struct {
		text string
		n    int
		want string
	}{
		"two":     {"# ours\n" + key + "\n" + key + "# end\n", 2, ""},
		"empty":   {"\n", 0, "it is empty"},
		"private": {"-----BEGIN OPENSSH PRIVATE KEY-----\n", 0, "no public key is in it"},
		"options": {"cert-authority " + key, 0, "options before a key (cert-authority) are not kept"},
	} {
		file := filepath.Join(t.TempDir(), "ca.pub")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		keys, err := ReadCAs(file)
		if len(keys) != c.n || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d, %v", name, len(keys), err)
		}
	}
}
