package sshd

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	gossh "golang.org/x/crypto/ssh"
)

// The client offers a key that the server knows, cannot prove it, and logs in
// with its own. Whoever writes down what is offered makes it an admin.
func TestAuth_OfferedKeyGivesNothing(t *testing.T) {
	b := start(t, Options{})
	admin := b.key("admin", "admin")
	mallory := b.key("mallory", "mallory")
	stranger := b.key("stranger", "")
	if err := os.Remove(admin); err != nil { // admin.pub stays: ssh offers it from there
		t.Fatal(err)
	}
	adminPub := readPub(t, admin+".pub")

	t.Run("openssh", func(t *testing.T) {
		got := run(t, b.openssh([]string{admin + ".pub", mallory}, "-v", "127.0.0.1", "whoami"))
		if !strings.Contains(got.err, "Server accepts key: "+admin+".pub") {
			t.Fatalf("the client did not offer admin's key:\n%s", got.err)
		}
		if want := "mallory " + fingerprint(t, mallory) + "\n"; got.out != want || got.code != 0 {
			t.Errorf("got %+v, want %q", got.out, want)
		}
	})
	t.Run("openssh with nothing else", func(t *testing.T) {
		if got := run(t, b.openssh([]string{admin + ".pub"}, "127.0.0.1", "whoami")); got.code != 255 || got.out != "" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("after the own key", func(t *testing.T) {
		if got := run(t, b.openssh([]string{stranger, admin + ".pub"}, "127.0.0.1", "whoami")); got.code != 255 || got.out != "" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("malicious signer", func(t *testing.T) {
		forged := thief{public: adminPub, Signer: signer(t, mallory)}
		if c, err := b.dial(forged); err == nil {
			c.Close()
			t.Error("a signature with another key was accepted")
		}
		if c, err := b.dial(forged, signer(t, mallory)); err == nil {
			out, _ := open(t, c).Output("whoami")
			c.Close()
			if !strings.HasPrefix(string(out), "mallory ") {
				t.Errorf("mallory is %q", out)
			}
		}
	})
	t.Run("signer that gives up", func(t *testing.T) {
		c, err := b.dial(thief{public: adminPub}, signer(t, mallory))
		if err != nil {
			return // the library's client stops at a signer's error
		}
		defer c.Close()
		if out, _ := open(t, c).Output("whoami"); !strings.HasPrefix(string(out), "mallory ") {
			t.Errorf("mallory is %q", out)
		}
	})
}

// thief signs with another key than the one it shows, or not at all.
type thief struct {
	public gossh.PublicKey
	gossh.Signer
}

func (f thief) PublicKey() gossh.PublicKey { return f.public }

func (f thief) Sign(r io.Reader, data []byte) (*gossh.Signature, error) {
	if f.Signer == nil {
		return nil, errors.New("no private key")
	}
	return f.Signer.Sign(r, data)
}

func readPub(t testing.TB, path string) gossh.PublicKey {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pub, _, _, _, err := gossh.ParseAuthorizedKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// With no handler of its own set, the library switches authentication off,
// whatever the configuration callback says.
func TestAuth_NoneAndPasswordAreRefused(t *testing.T) {
	b := start(t, Options{})
	for name, auth := range map[string][]gossh.AuthMethod{
		"none":     nil,
		"password": {gossh.Password("")},
		"keyboard": {gossh.KeyboardInteractive(func(string, string, []string, []bool) ([]string, error) { return nil, nil })},
	} {
		c, err := gossh.Dial("tcp", b.addr, &gossh.ClientConfig{
			User: "root", Auth: auth, HostKeyCallback: gossh.FixedHostKey(b.host.PublicKey()),
		})
		if err == nil {
			c.Close()
			t.Errorf("%s: logged in", name)
		}
	}
	got := run(t, b.openssh(nil, "-o", "PreferredAuthentications=none,password,keyboard-interactive", "127.0.0.1", "whoami"))
	if got.code != 255 || !strings.Contains(got.err, "Permission denied (publickey)") {
		t.Errorf("got %+v", got)
	}
}

func TestAuth_UnknownKey(t *testing.T) {
	b := start(t, Options{})
	unknown, second, known := b.key("unknown", ""), b.key("second", ""), b.key("known", "ann")
	message := func(key string) string {
		return " !     the key " + fingerprint(t, key) + " is not known here\n       an admin adds it: keys:add NAME\n"
	}
	t.Run("is told its fingerprint", func(t *testing.T) {
		got := run(t, b.openssh([]string{unknown}, "127.0.0.1", "whoami"))
		if got.code != 255 || !strings.HasPrefix(got.err, message(unknown)) || !strings.Contains(got.err, "Permission denied (publickey)") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("each of several", func(t *testing.T) {
		got := run(t, b.openssh([]string{unknown, second}, "127.0.0.1", "whoami"))
		if got.code != 255 || !strings.HasPrefix(got.err, message(unknown)+message(second)) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("does not keep a known one out", func(t *testing.T) {
		got := run(t, b.openssh([]string{unknown, known}, "127.0.0.1", "whoami"))
		if want := (result{"ann " + fingerprint(t, known) + "\n", message(unknown), 0}); got != want {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("is told once to whom has another", func(t *testing.T) {
		got := run(t, b.openssh([]string{unknown, known}, "127.0.0.1", "whoami"))
		if got.code != 0 || got.err != "" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("out of an agent", func(t *testing.T) {
		third := b.key("third", "")
		socket := agent(t, third, known)
		got := run(t, b.openssh(nil, "-o", "IdentityAgent="+socket, "-o", "IdentitiesOnly=no", "127.0.0.1", "whoami"))
		if want := (result{"ann " + fingerprint(t, known) + "\n", message(third), 0}); got != want {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("behind a passphrase", func(t *testing.T) {
		locked := b.key("locked", "")
		if out, err := exec.Command("ssh-keygen", "-q", "-p", "-N", "secret", "-f", locked).CombinedOutput(); err != nil {
			t.Fatalf("%s%v", out, err)
		}
		got := run(t, b.openssh([]string{locked, known}, "127.0.0.1", "whoami"))
		if got.code != 0 || !strings.HasPrefix(got.out, "ann ") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("six are the most", func(t *testing.T) {
		var keys []string
		for _, n := range strings.Fields("a b c d e f") {
			keys = append(keys, b.key(n, ""))
		}
		got := run(t, b.openssh(append(keys, known), "127.0.0.1", "whoami"))
		if got.code != 255 || !strings.Contains(got.err, "Too many authentication failures") && !strings.Contains(got.err, "too many authentication failures") {
			t.Errorf("got %+v", got)
		}
	})
	if !strings.Contains(b.log.String(), fingerprint(t, unknown)) {
		t.Error("the refused fingerprint is not in the log")
	}
}

func TestAuth_RemovedKeyStartsNothingMore(t *testing.T) {
	b := start(t, Options{})
	c := b.client()
	if err := open(t, c).Run("exit 0"); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	clear(b.known)
	b.mu.Unlock()
	if _, err := c.NewSession(); err == nil || !strings.Contains(err.Error(), "not known here any more") {
		t.Errorf("got %v", err)
	}
}

func TestAuth_ShortRSAKeyIsRefusedWithReason(t *testing.T) {
	b := start(t, Options{})
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	s, err := gossh.NewSignerFromKey(short)
	if err != nil {
		t.Fatal(err)
	}
	b.know(s.PublicKey(), "ann")
	var banner string
	_, err = gossh.Dial("tcp", b.addr, &gossh.ClientConfig{
		User: "x", Auth: []gossh.AuthMethod{gossh.PublicKeys(s)},
		HostKeyCallback: gossh.FixedHostKey(b.host.PublicKey()),
		BannerCallback:  func(m string) error { banner += m; return nil },
	})
	if err == nil || !strings.Contains(banner, "1024 bits, 2048 are the least") {
		t.Errorf("err %v, banner %q", err, banner)
	}
}

func TestAuth_LookupThatPanicsDeniesAndServes(t *testing.T) {
	var first atomic.Bool
	b := start(t, Options{Lookup: func(gossh.PublicKey, net.Addr) (string, error) {
		if first.CompareAndSwap(false, true) {
			panic("boom")
		}
		return "ann", nil
	}})
	key := signer(t, b.key("id", ""))
	if c, err := b.dial(key); err == nil {
		c.Close()
		t.Error("logged in")
	}
	c, err := b.dial(key)
	if err != nil {
		t.Fatalf("the server does not serve any more: %v", err)
	}
	c.Close()
}
