package sshd

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	gossh "golang.org/x/crypto/ssh"
)

// HostKeyError says why a host key file is not used.
type HostKeyError struct {
	Path   string
	Reason string
	hint   string
}

// Error names the file and the reason.
func (e *HostKeyError) Error() string { return fmt.Sprintf("read host key %s: %s", e.Path, e.Reason) }

// Hint says how to get a host key that is used.
func (e *HostKeyError) Hint() string { return e.hint }

// LoadHostKey reads the ed25519 key at path, in OpenSSH's format. If there is
// no file, it makes one with mode 0600: whole or not at all, and only one even
// if several processes try. A file that others may read, or that holds no
// usable key, is a *HostKeyError and stays as it is: a new key would make
// every client warn of an attack.
func LoadHostKey(path string) (gossh.Signer, error) {
	key, err := readHostKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeHostKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make host key: %w", err)
	}
	return readHostKey(path)
}

// maxHostKey is more than any host key file has: an ed25519 one is 400 bytes.
const maxHostKey = 64 << 10

func readHostKey(path string) (gossh.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read host key: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxHostKey {
		return nil, &HostKeyError{Path: path, Reason: "it is not a key file", hint: "name a file, or a path where one can be made"}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, &HostKeyError{
			Path: path, Reason: fmt.Sprintf("others may read or write it (mode %04o)", mode),
			hint: "chmod 600 " + path + "; if others could read it, make a new one: remove it and start again",
		}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return nil, &HostKeyError{
			Path: path, Reason: fmt.Sprintf("it belongs to user %d", st.Uid),
			hint: "make it yours: chown " + strconv.Itoa(os.Geteuid()) + " " + path,
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read host key: %w", err)
	}
	key, err := gossh.ParsePrivateKey(data)
	if err != nil {
		return nil, &HostKeyError{
			Path: path, Reason: "it holds no usable private key",
			hint: "restore it from a backup; or remove it: a new one is made, and clients must forget the old with ssh-keygen -R",
		}
	}
	if t := key.PublicKey().Type(); t != gossh.KeyAlgoED25519 {
		return nil, &HostKeyError{Path: path, Reason: "it is of type " + t + ", not ed25519", hint: "make one with: ssh-keygen -t ed25519 -N '' -f " + path}
	}
	return key, nil
}

// makeHostKey writes a new key. The link at the end is what makes it exist,
// and fails with fs.ErrExist if another process was faster.
func makeHostKey(path string) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := gossh.MarshalPrivateKey(private, "hop3")
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".hostkey-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // a leftover harms nobody
	if err := writeSynced(tmp, pem.EncodeToMemory(block)); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func writeSynced(f *os.File, data []byte) error {
	_, err := bytes.NewReader(data).WriteTo(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
