package packages

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

//go:embed spec.json
var specJSON []byte

// spec says what the set is made of; it is resolved against the mirror's index
// into a lock.
type spec struct {
	Suite         string              `json:"suite"`
	PatchelfSuite string              `json:"patchelfSuite"` // its patchelf 0.14 is sound, 0.18 breaks programs that are not position independent
	Roots         map[string][]string `json:"roots"`
	Stacks        map[string][]string `json:"stacks"` // stack → roots that it needs
	Native        []string            `json:"native"` // roots that compiling native code needs in addition
	Exclude       map[string][]string `json:"exclude"`
	Merge         map[string][]string `json:"merge"` // group → packages that must share one prefix
	Clients       map[string]string   `json:"clients"`
	PythonNames   map[string]string   `json:"pythonNames"`
}

func loadSpec() (spec, error) {
	var s spec
	if err := json.Unmarshal(specJSON, &s); err != nil {
		return s, fmt.Errorf("read spec: %w", err)
	}
	return s, nil
}

// specDigest tells locks of different specs apart.
func specDigest() string {
	sum := sha256.Sum256(specJSON)
	return hex.EncodeToString(sum[:8])
}
