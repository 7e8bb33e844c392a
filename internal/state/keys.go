package state

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// A Role is what a key may do. The zero value may do nothing.
type Role int

const (
	NoRole  Role = iota
	View         // see own apps
	Deploy       // and push to them
	Operate      // and configure, scale, run and roll back
	Admin        // everything
)

var roleNames = []string{"none", "view", "deploy", "operate", "admin"}

func (r Role) String() string { return roleNames[r] }

// MarshalText writes the role's name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role's name.
func (r *Role) UnmarshalText(b []byte) error {
	role, err := ParseRole(string(b))
	*r = role
	return err
}

// ParseRole reads one of admin, operate, deploy and view.
func ParseRole(name string) (Role, error) {
	if i := slices.Index(roleNames, name); i > 0 {
		return Role(i), nil
	}
	return NoRole, &Invalid{What: fmt.Sprintf("%q is not a role", name), Rule: "one of admin, operate, deploy, view"}
}

// A Key is a public key that may call this server.
type Key struct {
	Name        string    `json:"name"`
	Role        Role      `json:"role"`
	Apps        []string  `json:"apps,omitempty"` // empty: all apps
	Fingerprint string    `json:"fingerprint"`    // SHA256:…, as OpenSSH prints it
	Public      string    `json:"public"`         // one line of an authorized_keys file, without options
	Expires     time.Time `json:"expires,omitzero"`
	From        []string  `json:"from,omitempty"` // CIDR prefixes; empty: any address
	Added       time.Time `json:"added"`
	AddedBy     string    `json:"added_by"`
}

// May reports whether the key has the role for the app; app is "" for what
// belongs to no app.
func (k Key) May(role Role, app string) bool {
	if role == NoRole || k.Role < role {
		return false
	}
	return app == "" || len(k.Apps) == 0 || slices.Contains(k.Apps, app)
}

// Usable reports whether the key is accepted from addr at that time.
func (k Key) Usable(addr netip.Addr, now time.Time) bool {
	if !k.Expires.IsZero() && now.After(k.Expires) {
		return false
	}
	return len(k.From) == 0 || slices.ContainsFunc(k.From, func(p string) bool {
		prefix, err := netip.ParsePrefix(p)
		return err == nil && prefix.Contains(addr.Unmap())
	})
}

var keyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@._-]{0,62}$`)

// ParsePublicKey reads the first key of an authorized_keys file and returns
// it as one line, with its fingerprint and comment.
func ParsePublicKey(text []byte) (public, fingerprint, comment string, rest []byte, err error) {
	key, comment, options, rest, err := gossh.ParseAuthorizedKey(text)
	if err == nil && len(options) > 0 {
		return "", "", "", nil, &Invalid{What: "this key has options (" + options[0] + "), which hop3 does not keep", Rule: "give the key alone, and limits by flags: keys:add --from, --app, --expires"}
	}
	if err != nil {
		return "", "", "", nil, &Invalid{What: "that is not an OpenSSH public key", Rule: "one line like: ssh-ed25519 AAAA… name, as in ~/.ssh/id_ed25519.pub"}
	}
	if err := CheckKey(key); err != nil {
		return "", "", "", nil, err
	}
	line := string(gossh.MarshalAuthorizedKey(key))
	return line[:len(line)-1], gossh.FingerprintSHA256(key), comment, rest, nil
}

// minRSABits is the least that is accepted of an RSA key: NIST SP 800-131A.
const minRSABits = 2048

// CheckKey refuses a key that the SSH server would not let log in.
func CheckKey(key gossh.PublicKey) error {
	const mend = "make a new key: ssh-keygen -t ed25519"
	if _, ok := key.(*gossh.Certificate); ok {
		return &Invalid{What: "this is a certificate, not a public key", Rule: "name who has signed it in server.toml: user_ca = \"/etc/hop3/user_ca.pub\"; or give the key itself"}
	}
	if key.Type() == "ssh-dss" { // RFC 4253; the library has deprecated its name for it
		return &Invalid{What: "this is a DSA key, which is too weak", Rule: mend}
	}
	if ck, ok := key.(gossh.CryptoPublicKey); ok {
		if pub, ok := ck.CryptoPublicKey().(*rsa.PublicKey); ok && pub.N.BitLen() < minRSABits {
			return &Invalid{What: fmt.Sprintf("this RSA key has %d bits, %d are the least", pub.N.BitLen(), minRSABits), Rule: mend}
		}
	}
	return nil
}

type keyFileJSON struct {
	Version int   `json:"version"`
	Keys    []Key `json:"keys"`
}

// Keys are the keys of one server. The file is the truth, so that
// `hop3 admin` on the server's machine and the server itself can both change
// it: each change locks it and reads it first, each look-up sees a newer file.
type Keys struct {
	path string

	mu   sync.Mutex
	keys []Key
	read os.FileInfo // of the file that keys were read from, nil if there was none
}

// OpenKeys reads the keys in the data folder dir.
func OpenKeys(dir string) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	k := &Keys{path: filepath.Join(dir, "keys.json")}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k, k.refresh()
}

// refresh needs mu.
func (k *Keys) refresh() error {
	info, err := os.Stat(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		k.keys, k.read = nil, nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	if k.read != nil && os.SameFile(k.read, info) && k.read.ModTime().Equal(info.ModTime()) {
		return nil
	}
	var f keyFileJSON
	if _, err := readJSON(k.path, &f); err != nil {
		return err
	}
	if f.Version != 1 {
		return fmt.Errorf("read %s: version %d, want 1", k.path, f.Version)
	}
	k.keys, k.read = f.Keys, info
	return nil
}

// List returns all keys in the order in which they were added.
func (k *Keys) List() ([]Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.refresh()
	return k.keys, err
}

// ByFingerprint returns the key with that fingerprint.
func (k *Keys) ByFingerprint(fingerprint string) (Key, bool, error) {
	keys, err := k.List()
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Fingerprint == fingerprint })
	if err != nil || i < 0 {
		return Key{}, false, err
	}
	return keys[i], true, nil
}

// Add adds a key. A name or a key that is in use is a [*Conflict].
func (k *Keys) Add(key Key) error {
	if !keyName.MatchString(key.Name) {
		return &Invalid{What: fmt.Sprintf("%q is not a legal name for a key", key.Name), Rule: "1 to 63 letters, digits and @ . _ -, starting with a letter or digit"}
	}
	if key.Role == NoRole {
		return &Invalid{What: "a key needs a role", Rule: "one of admin, operate, deploy, view"}
	}
	for _, p := range key.From {
		if _, err := netip.ParsePrefix(p); err != nil {
			return &Invalid{What: fmt.Sprintf("%q is not an address range", p), Rule: "a CIDR prefix like 192.0.2.0/24"}
		}
	}
	return k.change(func(keys []Key) ([]Key, error) {
		for _, old := range keys {
			if old.Name == key.Name {
				return nil, &Conflict{What: fmt.Sprintf("a key named %s exists already", key.Name), Mend: "remove it first: keys:remove " + key.Name}
			}
			if old.Fingerprint == key.Fingerprint {
				return nil, &Conflict{What: fmt.Sprintf("this key is known already, as %s", old.Name), Mend: "remove it first: keys:remove " + old.Name}
			}
		}
		return append(slices.Clone(keys), key), nil
	})
}

// Remove removes a key. The last admin stays: removing it is a [*Conflict].
func (k *Keys) Remove(name string) error {
	return k.change(func(keys []Key) ([]Key, error) {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
		if i < 0 {
			var names []string
			for _, k := range keys {
				names = append(names, k.Name)
			}
			return nil, &NotFound{Kind: "key", Name: name, Near: Nearest(name, names)}
		}
		rest := slices.Delete(slices.Clone(keys), i, i+1)
		if keys[i].Role == Admin && !slices.ContainsFunc(rest, func(k Key) bool { return k.Role == Admin }) {
			return nil, &Conflict{What: name + " is the last key with the role admin", Mend: "add another admin first: keys:add NAME --role admin"}
		}
		return rest, nil
	})
}

func (k *Keys) change(edit func([]Key) ([]Key, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	lock, err := os.OpenFile(k.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the keys: %w", err)
	}
	defer lock.Close() //nolint:errcheck // closing gives the lock free
	if err := giveToOwner(lock, filepath.Dir(k.path)); err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock the keys: %w", err)
	}
	if err := k.refresh(); err != nil {
		return err
	}
	keys, err := edit(k.keys)
	if err != nil {
		return err
	}
	if err := writeJSON(k.path, keyFileJSON{Version: 1, Keys: keys}); err != nil {
		return err
	}
	return k.refresh()
}
