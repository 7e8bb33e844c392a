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
	Stacks        map[string][]string `json:"stacks"`  // stack → roots that it needs
	Native        []string            `json:"native"`  // roots that compiling native code needs in addition
	Exclude       map[string][]string `json:"exclude"` // reason → packages that nobody gets unless a root names them
	Keep          map[string][]string `json:"keep"`    // excluded package → patterns of those that need it all the same
	Merge         map[string][]string `json:"merge"`   // group → packages that must share one prefix
	Clients       map[string]string   `json:"clients"`
	PythonNames   map[string]string   `json:"pythonNames"`

	Runtimes  map[string][]runtimeSpec `json:"runtimes"`  // "java" → its lines, any order
	Npm       map[string]npmSpec       `json:"npm"`       // runtime that is one npm package
	Languages map[string]languageSpec  `json:"languages"` // "ruby" → how its libraries are called
}

// runtimeSpec is one line of a runtime: the version of a package tells which,
// cut to its first parts.
type runtimeSpec struct {
	Package string   `json:"package"`
	Parts   int      `json:"parts"`
	Roots   []string `json:"roots"`
}

// npmSpec is a tool that its authors publish as an npm package.
type npmSpec struct {
	Package string   `json:"package"`
	Lines   []string `json:"lines"` // majors to pin
	Needs   []string `json:"needs"` // Debian packages beside the base
}

// languageSpec says how Debian's libraries of a language are called there:
// prefix and suffix are taken off, Names has what that does not give.
type languageSpec struct {
	Prefix string            `json:"prefix"`
	Suffix string            `json:"suffix"`
	Names  map[string]string `json:"names"`
	Only   bool              `json:"only"` // nothing but Names
}

// runtimeMark stands before the name of a runtime in the roots of a stack.
const runtimeMark = "@"

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
