package sshd

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"
)

// securityKey signs as a FIDO key of that type does; see PROTOCOL.u2f of OpenSSH.
type securityKey struct {
	public gossh.PublicKey
	flags  byte // 1: the user was present
	sign   func(digest []byte) []byte
}

const application = "ssh:"

func (k securityKey) PublicKey() gossh.PublicKey { return k.public }

func (k securityKey) Sign(_ io.Reader, data []byte) (*gossh.Signature, error) {
	app, message := sha256.Sum256([]byte(application)), sha256.Sum256(data)
	state := binary.BigEndian.AppendUint32([]byte{k.flags}, 7) // and the counter
	signed := append(append(app[:], state...), message[:]...)
	return &gossh.Signature{Format: k.public.Type(), Blob: k.sign(signed), Rest: state}, nil
}

func securityKeys(t *testing.T, flags byte) []securityKey {
	t.Helper()
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	parse := func(wire []byte) gossh.PublicKey {
		key, err := gossh.ParsePublicKey(wire)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	return []securityKey{
		{flags: flags, public: parse(gossh.Marshal(struct{ Name, Key, Application string }{gossh.KeyAlgoSKED25519, string(edPublic), application})),
			sign: func(b []byte) []byte { return ed25519.Sign(edPrivate, b) }},
		{flags: flags, public: parse(gossh.Marshal(struct{ Name, Curve, Key, Application string }{gossh.KeyAlgoSKECDSA256, "nistp256", string(point), application})),
			sign: func(b []byte) []byte {
				digest := sha256.Sum256(b)
				r, s, err := ecdsa.Sign(rand.Reader, ec, digest[:])
				if err != nil {
					t.Error(err)
				}
				return gossh.Marshal(struct{ R, S *big.Int }{r, s})
			}},
	}
}

// A security key has to be touched: a signature made without is as none.
func TestAuth_SecurityKeys(t *testing.T) {
	b := start(t, Options{})
	for _, k := range securityKeys(t, 1) {
		b.know(k.public, "ann")
		c, err := b.dial(k)
		if err != nil {
			t.Errorf("%s: %v", k.public.Type(), err)
			continue
		}
		if out, _ := open(t, c).Output("whoami"); string(out) != "ann "+gossh.FingerprintSHA256(k.public)+"\n" {
			t.Errorf("%s: %q", k.public.Type(), out)
		}
		c.Close()
	}
	for _, k := range securityKeys(t, 0) {
		b.know(k.public, "ann")
		if c, err := b.dial(k); err == nil {
			c.Close()
			t.Errorf("%s: a signature without a touch was accepted", k.public.Type())
		}
	}
}

// sign has an authority certify a key file, as its owner would, and returns the private key beside the certificate.
func sign(t *testing.T, ca, key string, args ...string) string {
	t.Helper()
	cmd := exec.Command("ssh-keygen", append(append([]string{"-q", "-s", ca, "-I", "ann@example.com"}, args...), key+".pub")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	return key
}

func TestAuth_Certificates(t *testing.T) {
	b := start(t, Options{Handle: func(ctx context.Context, c *Call) int {
		_, certificate := c.Who.Key.(*gossh.Certificate)
		fmt.Fprintf(c.Out, "%s %v %v ", c.Who.Name, certificate, c.Pty != nil)
		return commands(ctx, c)
	}})
	ca := b.key("ca", "")
	certified := func(name string, args ...string) string {
		key := sign(t, ca, b.key(name, ""), args...)
		b.know(readPub(t, key+"-cert.pub"), "certified")
		return key
	}
	t.Run("is looked up as a whole", func(t *testing.T) {
		key := certified("whole", "-n", "ops")
		if got := run(t, b.openssh([]string{key}, "127.0.0.1", "whoami")); got.out != "certified true false certified "+fingerprint(t, key)+"\n" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("that nobody knows is told, and the plain key counts", func(t *testing.T) {
		key := sign(t, ca, b.key("plain", "ann"), "-n", "ops")
		got := run(t, b.openssh([]string{key}, "-o", "CertificateFile="+key+"-cert.pub", "127.0.0.1", "whoami"))
		if got.out != "ann false false ann "+fingerprint(t, key)+"\n" || !strings.HasPrefix(got.err, " !     the key SHA256:") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("that somebody else holds", func(t *testing.T) {
		key := certified("victim", "-n", "ops")
		cert := readPub(t, key+"-cert.pub")
		if c, err := b.dial(thief{public: cert, Signer: signer(t, b.key("thief", ""))}); err == nil {
			c.Close()
			t.Error("a certificate was accepted without its key")
		}
	})
	t.Run("force-command", func(t *testing.T) {
		key := certified("forced", "-n", "ops", "-O", "force-command=exit 7")
		for _, asked := range [][]string{{"whoami"}, nil, {"-s", "sftp"}} {
			args := append([]string{"127.0.0.1"}, asked...)
			if len(asked) == 2 {
				args = []string{"-s", "127.0.0.1", "sftp"}
			}
			if got := run(t, b.openssh([]string{key}, args...)); got.code != 7 {
				t.Errorf("%v: %+v", asked, got)
			}
		}
	})
	t.Run("permit-pty", func(t *testing.T) {
		with, without := certified("pty", "-n", "ops"), certified("nopty", "-n", "ops", "-O", "no-pty")
		if got := run(t, b.openssh([]string{with}, "-tt", "127.0.0.1", "exit 0")); !strings.HasPrefix(got.out, "certified true true ") {
			t.Errorf("got %+v", got)
		}
		if got := run(t, b.openssh([]string{without}, "-tt", "127.0.0.1", "exit 0")); strings.Contains(got.out, "true true") || !strings.Contains(got.err, "PTY allocation request failed") {
			t.Errorf("got %+v", got)
		}
	})
}

// A client that can only sign with SHA-1, or has a DSA key, reads why that is not enough.
func TestAuth_WeakSignaturesAreTold(t *testing.T) {
	b := start(t, Options{})
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gossh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	b.know(plain.PublicKey(), "ann")
	for algorithm, want := range map[string]string{
		gossh.KeyAlgoRSA: "signatures of the type ssh-rsa are refused: they rest on SHA-1", gossh.KeyAlgoRSASHA256: "", gossh.KeyAlgoRSASHA512: "",
	} {
		s, err := gossh.NewSignerWithAlgorithms(plain.(gossh.AlgorithmSigner), []string{algorithm})
		if err != nil {
			t.Fatal(err)
		}
		banner, err := b.banner(s)
		if (err == nil) != (want == "") || !strings.Contains(banner, want) || want == "" && banner != "" {
			t.Errorf("%s: %v, %q", algorithm, err, banner)
		}
	}
	dsa := filepath.Join(b.dir, "dsa")
	if out, err := exec.Command("ssh-keygen", "-q", "-m", "PEM", "-t", "dsa", "-N", "", "-f", dsa).CombinedOutput(); err != nil {
		t.Skipf("this ssh-keygen makes no DSA keys any more: %s", out)
	}
	if banner, err := b.banner(signer(t, dsa)); err == nil || !strings.Contains(banner, "signatures of the type ssh-dss are refused") {
		t.Errorf("dsa: %v, %q", err, banner)
	}
}

// banner logs in, and returns what the server has said meanwhile.
func (b *rig) banner(s gossh.Signer) (text string, err error) {
	c, err := gossh.Dial("tcp", b.addr, &gossh.ClientConfig{
		User: "x", Auth: []gossh.AuthMethod{gossh.PublicKeys(s)},
		HostKeyCallback: gossh.FixedHostKey(b.host.PublicKey()),
		BannerCallback:  func(m string) error { text += m; return nil },
	})
	if err == nil {
		err = c.Close()
	}
	return text, err
}

// A key has its share of the server, from wherever it is used.
func TestLimits_SessionsPerKey(t *testing.T) {
	b := start(t, Options{Limits: Limits{SessionsPerKey: 2}})
	key := signer(t, b.key("ci", "ci"))
	dial := func(s gossh.Signer) *gossh.Client {
		c, err := b.dial(s)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	for range 2 {
		if err := open(t, dial(key)).Start("wait"); err != nil {
			t.Fatal(err)
		}
	}
	third := dial(key)
	if _, err := third.NewSession(); err == nil || !strings.Contains(err.Error(), "too many commands run with your key") {
		t.Errorf("third session: %v", err)
	}
	if err := open(t, b.client()).Run("exit 0"); err != nil {
		t.Errorf("another key: %v", err)
	}
}
