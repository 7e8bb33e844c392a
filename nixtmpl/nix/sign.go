package nix

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readKey reads the signing key in file, and makes one if there is none. It
// returns the public half as nix writes it: NAME:BASE64.
func readKey(file string) (public string, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = newKey(); err == nil {
			err = writeSecret(file, text)
		}
	}
	if err != nil {
		return "", fmt.Errorf("read signing key: %w", err)
	}
	name, encoded, _ := strings.Cut(strings.TrimSpace(string(text)), ":")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || name == "" || len(key) != ed25519.PrivateKeySize {
		return "", &SetupError{
			Problem: file + " is not a signing key of nix",
			Mend:    "restore it from a copy, or remove it: the next start makes another, and releases are signed by that from then on",
		}
	}
	return name + ":" + base64.StdEncoding.EncodeToString(key[ed25519.SeedSize:]), nil
}

// newKey makes a key under a name of its own: who trusts keys of several servers
// tells them apart by it.
func newKey() ([]byte, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "hop3-%s-1:%s\n", hex.EncodeToString(public[:4]), base64.StdEncoding.EncodeToString(key)), nil
}

// writeSecret makes a file that only its owner reads, whole or not at all, and
// never replaces one.
func writeSecret(file string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Link(f.Name(), file)
	}
	return err
}

// PublicKey is the half of the signing key by which other machines check what
// this one has built (trusted-public-keys in nix.conf); "" without a key.
func (n *Nix) PublicKey() string { return n.public }

// Sign puts this machine's signature on the closures of paths, where they do not
// have it. Without a key, or where a daemon takes no signatures from this user,
// it does nothing.
func (n *Nix) Sign(ctx context.Context, paths ...string) error {
	if n.public == "" || !n.trusted || len(paths) == 0 {
		return nil
	}
	if err := checkPaths(paths); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	if _, err := n.output(ctx, n.nix, append([]string{"store", "sign", "--recursive", "--key-file", n.opt.SigningKey}, paths...)...); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	return nil
}

// Integrity is what the store's files are, compared with what they were when
// they came there.
type Integrity struct {
	Paths    int      // of the closure
	Damaged  []string // whose content has changed, sorted
	Unsigned []string // that neither a trusted key nor their own content vouches for, sorted
}

// Check hashes the closure of path again and looks for a signature of this
// machine or of a key that nix.conf trusts on each part of it.
func (n *Nix) Check(ctx context.Context, path string) (Integrity, error) {
	if err := checkPaths([]string{path}); err != nil {
		return Integrity{}, fmt.Errorf("check closure: %w", err)
	}
	closure, err := n.Closure(ctx, path)
	if err != nil {
		return Integrity{}, err
	}
	found := Integrity{Paths: len(closure)}
	args := []string{"store", "verify", "--log-format", "internal-json", "--recursive"}
	if n.public != "" {
		args = append(args, "--sigs-needed", "1", "--option", "extra-trusted-public-keys", n.public)
	} else {
		args = append(args, "--no-trust")
	}
	var last tail
	err = n.run(ctx, invocation{bin: n.nix, args: append(args, path), line: func(line []byte) {
		switch ev := parseEvent(bytes.Clone(line)); {
		case ev.action == actResult && ev.kind == resultCorrupted:
			found.Damaged = append(found.Damaged, ev.str(0))
		case ev.action == actResult && ev.kind == resultUntrusted:
			found.Unsigned = append(found.Unsigned, ev.str(0))
		case ev.action == actMsg && ev.level == maxLevelError:
			last.add(clean(ev.msg))
		}
	}})
	slices.Sort(found.Damaged)
	slices.Sort(found.Unsigned)
	var exit *exitError
	if errors.As(err, &exit) && len(found.Damaged)+len(found.Unsigned) > 0 {
		return found, nil // what it found is its answer
	}
	if err != nil {
		return found, fmt.Errorf("check closure: %w: %s", err, errorText(last.lines()))
	}
	return found, nil
}
