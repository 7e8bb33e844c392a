package packages

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hop3/nixtmpl/nix"
)

// lockVersion is the version of lock.json's shape; another one is refused.
const lockVersion = 1

// lock is lock.json: every file that the set may need, by hash. The flake reads
// the same file.
type lock struct {
	Version  int                  `json:"version"`
	Suite    string               `json:"suite"`
	Spec     string               `json:"spec"`            // digest of the spec that it was resolved from
	Dates    map[string]time.Time `json:"dates,omitempty"` // suite → date of the index it was locked from; never goes back
	Stage0   stage0Pin            `json:"stage0"`
	Patchelf debPin               `json:"patchelf"`
	Clients  map[string]debPin    `json:"clients"` // packages that only tell an address, see clients.go
	Groups   map[string]group     `json:"groups"`
	Go       map[string]goPin     `json:"go"`   // "1.24"
	Node     map[string]nodePin   `json:"node"` // "22"

	Languages map[string]map[string]string `json:"languages"` // "python" → name of a library there → group
	Npm       map[string]map[string]npmPin `json:"npm"`       // "pnpm" → "10"
}

// group is one store path: a Debian package, or several that cannot be apart.
type group struct {
	Version string   `json:"version"`
	Debs    []debPin `json:"debs"`
	Deps    []string `json:"deps"`
}

// debPin is one .deb.
type debPin struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Archive string `json:"archive"`        // key of the mirror in config.json
	Path    string `json:"path"`           // below the mirror's base
	File    string `json:"file,omitempty"` // name in the store; on disk only if Path does not tell
	SHA256  string `json:"sha256"`
	Size    int64  `json:"size"`
}

// stage0Pin is the static busybox that unpacks everything else.
type stage0Pin struct {
	Deb  debPin `json:"deb"`
	Hash string `json:"hash"` // SRI of the unpacked folder's NAR
}

// goPin is one Go toolchain of the module proxy. SHA256 is empty until the zip
// was fetched once and checked against the checksum database.
type goPin struct {
	Version string `json:"version"`
	Path    string `json:"path"`
	File    string `json:"file"`
	SHA256  string `json:"sha256"`
	Size    int64  `json:"size"`
}

// nodePin is one Node release with the npm that belongs to it.
type nodePin struct {
	Node npmPin `json:"node"`
	Npm  npmPin `json:"npm"`
}

type npmPin struct {
	Version string `json:"version"`
	Path    string `json:"path"`
	File    string `json:"file"`
	Hash    string `json:"hash"` // SRI, sha512
	Size    int64  `json:"size"`
}

var errLockVersion = errors.New("unknown version")

func parseLock(b []byte) (*lock, error) {
	var l lock
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, fmt.Errorf("read lock: %w", err)
	}
	if l.Version != lockVersion {
		return nil, fmt.Errorf("read lock: %w: %d, want %d", errLockVersion, l.Version, lockVersion)
	}
	l.eachDeb(func(d debPin) debPin {
		d.File = cmp.Or(d.File, storeName(path.Base(d.Path)))
		return d
	})
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("read lock: %w", err)
	}
	return &l, nil
}

// eachDeb replaces every pin of a .deb, in copies of the maps and slices.
func (l *lock) eachDeb(f func(debPin) debPin) {
	l.Stage0.Deb, l.Patchelf = f(l.Stage0.Deb), f(l.Patchelf)
	l.Clients, l.Groups = maps.Clone(l.Clients), maps.Clone(l.Groups)
	for name, d := range l.Clients {
		l.Clients[name] = f(d)
	}
	for name, g := range l.Groups {
		g.Debs = slices.Clone(g.Debs)
		for i, d := range g.Debs {
			g.Debs[i] = f(d)
		}
		l.Groups[name] = g
	}
}

// check refuses a lock that would make a file name leave its folder or a graph
// that has no end.
func (l *lock) check() error {
	for _, f := range l.files() {
		if f.name == "" || f.name != storeName(f.name) {
			return fmt.Errorf("bad file name %q", f.name)
		}
		if f.algo == "" {
			return fmt.Errorf("bad hash of %s", f.name)
		}
	}
	for name, g := range l.Groups {
		for _, d := range g.Deps {
			if _, ok := l.Groups[d]; !ok {
				return fmt.Errorf("group %s needs %s, which is not there", name, d)
			}
		}
	}
	for language, names := range l.Languages {
		for name, g := range names {
			if _, ok := l.Groups[g]; !ok {
				return fmt.Errorf("%s package %s is group %s, which is not there", language, name, g)
			}
		}
	}
	if len(l.Groups) == 0 {
		return errors.New("it has no packages")
	}
	return nil
}

// files lists every file that has a hash, in a stable order, stage 0 included.
func (l *lock) files() []file {
	out := []file{l.stage0File(), l.Patchelf.file()}
	for _, name := range slices.Sorted(maps.Keys(l.Groups)) {
		for _, d := range l.Groups[name].Debs {
			out = append(out, d.file())
		}
	}
	for _, v := range slices.Sorted(maps.Keys(l.Go)) {
		if l.Go[v].SHA256 != "" {
			out = append(out, l.Go[v].fetch())
		}
	}
	for _, v := range slices.Sorted(maps.Keys(l.Node)) {
		out = append(out, l.Node[v].Node.file(), l.Node[v].Npm.file())
	}
	for _, tool := range slices.Sorted(maps.Keys(l.Npm)) {
		for _, v := range slices.Sorted(maps.Keys(l.Npm[tool])) {
			out = append(out, l.Npm[tool][v].file())
		}
	}
	return out
}

// closure returns the named groups and all that they need, sorted.
func (l *lock) closure(roots ...string) []string {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(n string) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, d := range l.Groups[n].Deps {
			visit(d)
		}
	}
	for _, r := range roots {
		visit(r)
	}
	return slices.Sorted(maps.Keys(seen))
}

// encode writes the lock without blanks, an entry a line.
func (l *lock) encode() ([]byte, error) {
	short := *l
	short.eachDeb(func(d debPin) debPin {
		if d.File == strings.ReplaceAll(path.Base(d.Path), "~", "_") {
			d.File = ""
		}
		return d
	})
	b, err := json.Marshal(short)
	if err != nil {
		return nil, fmt.Errorf("encode lock: %w", err)
	}
	// A quote that stands inside a string has a backslash before it.
	b = bytes.ReplaceAll(b, []byte(`},"`), []byte("},\n\""))
	return append(b, '\n'), nil
}

// file is one download, or stage 0, as the store knows it.
type file struct {
	name      string
	source    string // key of config.json
	path      string
	algo, hex string
	size      int64
	recursive bool // stage 0: a folder made from the file, not the file itself
}

func (f file) storePath() string { return nix.FixedPath(f.name, f.algo, f.hex, f.recursive) }

func (d debPin) file() file {
	return file{name: d.File, source: d.Archive, path: d.Path, algo: "sha256", hex: d.SHA256, size: d.Size}
}

func (p goPin) fetch() file {
	return file{name: p.File, source: sourceGo, path: p.Path, algo: "sha256", hex: p.SHA256, size: p.Size}
}

func (p npmPin) file() file {
	algo, sum := parseSRI(p.Hash)
	return file{name: p.File, source: sourceNpm, path: p.Path, algo: algo, hex: sum, size: p.Size}
}

func (l *lock) stage0File() file {
	algo, sum := parseSRI(l.Stage0.Hash)
	d := l.Stage0.Deb
	return file{name: stage0Name, source: d.Archive, path: d.Path, algo: algo, hex: sum, size: d.Size, recursive: true}
}

// parseSRI reads "sha512-BASE64"; what it cannot read it returns as "", "".
func parseSRI(s string) (algo, sum string) {
	algo, b64, _ := strings.Cut(s, "-")
	b, err := base64.StdEncoding.DecodeString(b64)
	if err != nil || len(b) != map[string]int{"sha256": 32, "sha512": 64}[algo] || len(b) == 0 {
		return "", ""
	}
	return algo, hex.EncodeToString(b)
}

// writeAtomic replaces file by way of a temporary one in the same folder.
func writeAtomic(name string, b []byte) (err error) {
	dir := filepath.Dir(name)
	t, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(name), diskError(dir, err))
	}
	defer func() {
		if err != nil {
			_ = os.Remove(t.Name()) // best effort: the error that matters is err
		}
	}()
	if _, err = t.Write(b); err == nil {
		err = t.Chmod(0o644)
	}
	if err == nil {
		err = t.Sync()
	}
	if cerr := t.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(t.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(name), diskError(dir, err))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

// withGo returns a copy of the lock with another pin of one line of Go.
func (l *lock) withGo(line string, pin goPin) *lock {
	next := *l
	next.Go = maps.Clone(l.Go)
	next.Go[line] = pin
	return &next
}

func hashFile(name string) (sum string, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", 0, fmt.Errorf("hash file: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, fmt.Errorf("hash file: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}
