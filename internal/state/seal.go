package state

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"
)

// keyFile holds the 32 random bytes that encrypt what is secret at rest.
const keyFile = "secret.key"

// A sealer encrypts with XChaCha20-Poly1305, whose nonces of 24 bytes may be
// drawn at random. The label binds a sealed value to its place, so that it
// cannot be moved to another app's file.
type sealer struct {
	aead cipher.AEAD
	id   string // names the key, and tells nothing of it
}

// openSealer reads the key in dir and makes one at the first start.
func openSealer(dir string) (*sealer, error) {
	path := filepath.Join(dir, keyFile)
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, chacha20poly1305.KeySize)
		if _, err := rand.Read(key); err != nil {
			return nil, fmt.Errorf("make the secret key: %w", err)
		}
		err = WriteFile(path, key, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("open the secret key: %w", err)
	}
	s, err := newSealer(key)
	if err != nil {
		return nil, fmt.Errorf("open the secret key %s: %w", path, err)
	}
	return s, nil
}

func (s *sealer) seal(label string, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", label, err)
	}
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("seal %s: %w", label, err)
	}
	return s.aead.Seal(nonce, nonce, plain, []byte(label)), nil
}

func (s *sealer) open(label string, sealed []byte, v any) error {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return fmt.Errorf("open %s: the sealed value is cut short", label)
	}
	plain, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(label))
	if err != nil {
		return fmt.Errorf("open %s: the secret key does not fit: %w", label, err)
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("open %s: %w", label, err)
	}
	return nil
}
