package procman

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"hop3/procman/shim"
)

// recordVersion is written to each record; older ones are read, newer ones refused.
const recordVersion = 1

// recordName is the file in RunDir that says which shims exist.
const recordName = "record.json"

// maxRecord bounds what is read back: an instance takes about 300 bytes.
const maxRecord = 4 << 20

// record is what a supervisor leaves for its successor. It is written before each start and after each change. It
// holds no secrets: of the environment only a hash.
type record struct {
	Version   int              `json:"version"`
	App       string           `json:"app"`
	Instances []recordInstance `json:"instances"`
}

type recordInstance struct {
	ID       string         `json:"id"` // also its folder in RunDir
	Type     string         `json:"type"`
	Index    int            `json:"index"`
	Release  int            `json:"release"`
	Hash     string         `json:"hash"`
	Port     int            `json:"port,omitempty"`
	State    State          `json:"state"`
	Restarts int            `json:"restarts,omitempty"`
	Identity *shim.Identity `json:"identity,omitempty"` // nil: was about to be started
}

// instanceID is the form of an instance's id: short, for the path of its socket is limited to 107 bytes.
var instanceID = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// parseRecord reads a record and checks every field that becomes part of a path.
func parseRecord(b []byte) (*record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("parse record: %w", err)
	}
	if r.Version < 1 || r.Version > recordVersion {
		return nil, fmt.Errorf("parse record: version %d is not known", r.Version)
	}
	seen := map[string]bool{}
	for _, i := range r.Instances {
		switch {
		case !instanceID.MatchString(i.ID) || seen[i.ID]:
			return nil, fmt.Errorf("parse record: instance id %q is not legal", i.ID)
		case !typeName.MatchString(i.Type) || i.Index < 1:
			return nil, fmt.Errorf("parse record: process %q.%d is not legal", i.Type, i.Index)
		case i.Port < 0 || i.Port > 65535:
			return nil, fmt.Errorf("parse record: port %d is not legal", i.Port)
		}
		seen[i.ID] = true
	}
	return &r, nil
}

// readRecord reads the record in dir; a folder without one gives an empty record.
func readRecord(dir string) (*record, error) {
	path := filepath.Join(dir, recordName)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &record{Version: recordVersion}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	if info.Size() > maxRecord {
		return nil, fmt.Errorf("read record: %d bytes are too many", info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	return parseRecord(b)
}

// writeRecord replaces the record in dir in one step. It is not synced: it matters to the next supervisor of the same
// boot only, and after a power loss none of its processes is left.
func writeRecord(dir string, r *record) error {
	r.Version = recordVersion
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	temp := filepath.Join(dir, recordName+".new") // one writer per app: its owner goroutine
	if err := os.WriteFile(temp, b, 0o600); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	if err := os.Rename(temp, filepath.Join(dir, recordName)); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return nil
}
