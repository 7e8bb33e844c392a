package nixtmpl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

const hashesVersion = 1

// A HashStore keeps what fixed outputs were found to be, by the digest of the lock files that decide them. It is one JSON
// file, written atomically. It is safe for concurrent use within one process.
type HashStore struct {
	path string

	mu sync.Mutex // guards the file
}

// NewHashStore returns the store in the file at path, which is made when the first hash is kept.
func NewHashStore(path string) *HashStore { return &HashStore{path: path} }

type hashFile struct {
	Version int                  `json:"version"`
	Hashes  map[string]hashEntry `json:"hashes"` // by name of fixed output
}

type hashEntry struct {
	Lock string `json:"lock"` // digest of the lock files
	Hash string `json:"hash"` // SRI
}

// lookup returns the hashes that are known, by name. The whole digest must agree, not only the part in the name.
func (s *HashStore) lookup(fixed []FixedOutput) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.read()
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	for _, o := range fixed {
		if e := f.Hashes[o.Name]; e.Lock == o.LockDigest && e.Hash != "" {
			known[o.Name] = e.Hash
		}
	}
	return known, nil
}

func (s *HashStore) store(fixed []FixedOutput, found map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.read()
	if err != nil {
		return err
	}
	for _, o := range fixed {
		if h := found[o.Name]; h != "" {
			f.Hashes[o.Name] = hashEntry{Lock: o.LockDigest, Hash: h}
		}
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("encode hashes: %w", err)
	}
	return writeAtomic(s.path, append(b, '\n'))
}

func (s *HashStore) read() (hashFile, error) {
	f := hashFile{Version: hashesVersion, Hashes: map[string]hashEntry{}}
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("read hashes: %w", err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("read hashes: %s: %w", s.path, err)
	}
	if f.Version != hashesVersion || f.Hashes == nil {
		return f, fmt.Errorf("read hashes: %s has version %d, not %d", s.path, f.Version, hashesVersion)
	}
	return f, nil
}

// writeAtomic replaces the file at path: after a crash it is the old one or the new one.
func writeAtomic(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil // renamed; only the folder's own durability is open
	}
	return errors.Join(d.Sync(), d.Close())
}
