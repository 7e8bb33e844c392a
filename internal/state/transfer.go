package state

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// trustedKeys is the folder of other servers' secret keys: what they have sealed this server may open.
const trustedKeys = "trusted"

// A Portable is an app's record on its way to another name or server. Its settings are sealed; Seal proves that the record
// was written by who has that key, and not by whoever had the archive.
type Portable struct {
	Version int             `json:"version"`
	Key     string          `json:"key"` // names the secret key
	Record  json.RawMessage `json:"record"`
	Seal    []byte          `json:"seal"`
}

// A ForeignError is a record that none of this server's keys has sealed.
type ForeignError struct{ Key, Dir string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("the backup was not sealed by a server that this one trusts (key %s)", e.Key)
}

// Hint says how to trust it.
func (e *ForeignError) Hint() string {
	return fmt.Sprintf("copy secret.key of the server that made it to %s, and try again", filepath.Join(e.Dir, trustedKeys, e.Key+".key"))
}

// Export returns the record of an app, for Import.
func (s *Store) Export(name string) (Portable, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a, ok := s.apps[name]
	if !ok {
		return Portable{}, &NotFound{Kind: "app", Name: name}
	}
	file, err := s.seal(a)
	if err != nil {
		return Portable{}, err
	}
	return s.portable(exportLabel, file)
}

// Labels bind the proof of an exported record to its purpose.
const (
	exportLabel = "export"
	keysLabel   = "export/keys"
)

func (s *Store) portable(label string, v any) (Portable, error) {
	record, err := json.Marshal(v)
	if err != nil {
		return Portable{}, fmt.Errorf("export: %w", err)
	}
	sum := sha256.Sum256(record)
	seal, err := s.sealer.seal(label, sum[:])
	return Portable{Version: appVersion, Key: s.sealer.id, Record: record, Seal: seal}, err
}

// ExportKeys returns who may call this server, for ImportKeys.
func (s *Store) ExportKeys() (Portable, error) {
	list, err := s.keys.List()
	if err != nil {
		return Portable{}, err
	}
	return s.portable(keysLabel, list)
}

// ImportKeys proves that a server that this one trusts has written the record, and returns its keys.
func (s *Store) ImportKeys(p Portable) ([]Key, error) {
	if _, err := s.prove(keysLabel, p); err != nil {
		return nil, err
	}
	var list []Key
	if err := json.Unmarshal(p.Record, &list); err != nil {
		return nil, fmt.Errorf("import keys: %w", err)
	}
	return list, nil
}

// Import makes an app called name of a record, with a user id of its own. The app's folder may be there already, with
// everything but the record. Domains that other apps have are left out. Errors are a *ForeignError, and as of Create.
func (s *Store) Import(name string, p Portable) (*App, error) {
	a, err := s.open(p)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.free(name); err != nil {
		return nil, err
	}
	if a.UID, err = s.takeUID(); err != nil {
		return nil, err
	}
	a.Name, a.RenamedFrom, a.Lock = name, "", nil
	a.Domains = slices.DeleteFunc(a.Domains, func(d string) bool {
		other := &App{Name: name, Domains: []string{d}}
		return s.checkDomains(other) != nil
	})
	if err := os.MkdirAll(s.AppDir(name), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of %s: %w", name, err)
	}
	if err := s.saveApp(a); err != nil {
		return nil, err
	}
	s.apps[name] = a
	return a, nil
}

// prove checks who has sealed a record, and that it was for this purpose.
func (s *Store) prove(label string, p Portable) (*sealer, error) {
	if p.Version != appVersion {
		return nil, fmt.Errorf("import: version %d is not known", p.Version)
	}
	sealer, err := s.trusted(p.Key)
	if err != nil {
		return nil, err
	}
	var sum []byte
	if err := sealer.open(label, p.Seal, &sum); err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	if got := sha256.Sum256(p.Record); !slices.Equal(got[:], sum) {
		return nil, &Invalid{What: "the record in the backup is not the one that was sealed", Rule: "a backup is restored as backup wrote it"}
	}
	return sealer, nil
}

// open proves and unseals a record.
func (s *Store) open(p Portable) (*App, error) {
	sealer, err := s.prove(exportLabel, p)
	if err != nil {
		return nil, err
	}
	var f appFile
	if err := json.Unmarshal(p.Record, &f); err != nil {
		return nil, fmt.Errorf("import app: %w", err)
	}
	if f.Version != appVersion || f.App == nil {
		return nil, fmt.Errorf("import app: version %d of a record is not known", f.Version)
	}
	return f.App, f.unseal(sealer)
}

var keyID = regexp.MustCompile(`^[0-9a-f]{16}$`)

// trusted returns the sealer of the key called id: this server's, or one in the folder trusted.
func (s *Store) trusted(id string) (*sealer, error) {
	if id == s.sealer.id {
		return s.sealer, nil
	}
	if !keyID.MatchString(id) {
		return nil, fmt.Errorf("import app: %q names no key", id)
	}
	key, err := os.ReadFile(filepath.Join(s.dir, trustedKeys, id+".key"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, &ForeignError{Key: id, Dir: s.dir}
	}
	if err != nil {
		return nil, fmt.Errorf("import app: %w", err)
	}
	other, err := newSealer(key)
	if err == nil && other.id != id {
		err = errors.New("it is another key")
	}
	if err != nil {
		return nil, fmt.Errorf("import app: trusted key %s: %w", id, err)
	}
	return other, nil
}

func newSealer(key []byte) (*sealer, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte("hop3 key id\x00"), key...))
	return &sealer{aead, hex.EncodeToString(sum[:8])}, nil
}
