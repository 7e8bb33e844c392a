// Package packages keeps the offline package set: a small flake with the
// attributes of nixpkgs that templates use, made of .debs of Debian's current
// stable, Go toolchains of the module proxy and Node from the npm registry.
// Every file is pinned by hash in a lock that is resolved from signed indices;
// the set fetches what a stack needs into the nix store, so that nix itself
// needs no network, and locks again when a pinned file has left its mirror.
package packages

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

//go:embed all:flake
var flakeFiles embed.FS

// Store is the nix store, as far as the set uses it.
type Store interface {
	// AddFixed adds files as fixed outputs under their base names and returns
	// their store paths in the same order. With recursive they may be folders.
	AddFixed(ctx context.Context, algo string, recursive bool, files ...string) ([]string, error)
	// Valid says which of the store paths are valid.
	Valid(ctx context.Context, paths ...string) (map[string]bool, error)
	// KeepOnly makes the folder hold a GC root for each of the paths and no other.
	KeepOnly(ctx context.Context, dir string, paths []string) error
}

// Options says where files come from. The zero value asks the machine's
// clients: apt, npm and go.
type Options struct {
	DebMirror      string // base address of Debian's archive, the one above dists/ and pool/
	SecurityMirror string // the same of the security archive; "-" means that there is none
	NpmRegistry    string
	GoProxy        string
	Keyring        string // OpenPGP keyring that signs the indices; "" is Debian's own on this machine
	AptDir         string // "" is /etc/apt
	Jobs           int    // downloads at once; 0 is 6
}

const (
	debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
	defaultJobs   = 6
	lockName      = "lock.json"
	configName    = "config.json"
)

// Set is an opened package set. Its methods may be called at once; several
// processes may open the same folder.
type Set struct {
	dir   string
	store Store
	o     Options
	spec  spec
	now   func() time.Time

	mu        sync.Mutex
	lock      *lock             // never changed once set, only replaced
	addresses map[string]string // what is known of config.json
}

// Open opens the set in dir and writes the flake and its first lock there if
// they are missing, or the flake if this program has a newer one. It uses no
// network. n is usually the nix driver.
func Open(dir string, n Store, o Options) (*Set, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open package set: %w", err)
	}
	if o.Keyring == "" {
		o.Keyring = debianKeyring
	}
	if o.AptDir == "" {
		o.AptDir = "/etc/apt"
	}
	if o.Jobs <= 0 {
		o.Jobs = defaultJobs
	}
	s := &Set{dir: dir, store: n, o: o, now: time.Now}
	if s.spec, err = loadSpec(); err != nil {
		return nil, fmt.Errorf("open package set: %w", err)
	}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("open package set: %w", err)
	}
	return s, nil
}

// load brings the folder up to date with this program and reads the lock.
func (s *Set) load() error {
	if err := os.MkdirAll(s.flakeDir(), 0o755); err != nil {
		return diskError(s.dir, err)
	}
	if err := s.writeFlake(); err != nil {
		return err
	}
	l, err := s.readLock()
	if err != nil {
		return err
	}
	s.lock = l
	return s.loadAddresses()
}

// readLock prefers the folder's lock; the embedded one starts a new folder and
// follows when this program's spec has changed.
func (s *Set) readLock() (*lock, error) {
	name := filepath.Join(s.flakeDir(), lockName)
	var dates map[string]time.Time
	b, err := os.ReadFile(name)
	if err == nil {
		l, err := parseLock(b)
		if err == nil && l.Spec == specDigest() {
			return l, nil
		}
		if err != nil && !errors.Is(err, errLockVersion) {
			return nil, fmt.Errorf("%w (remove %s to start again)", err, name)
		}
		if l != nil {
			dates = l.Dates // an old index stays refused
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read lock: %w", err)
	}
	if b, err = flakeFiles.ReadFile("flake/" + lockName); err != nil {
		return nil, fmt.Errorf("read embedded lock: %w", err)
	}
	l, err := parseLock(b)
	if err != nil {
		return nil, err
	}
	l.Dates = dates
	if b, err = l.encode(); err != nil {
		return nil, err
	}
	return l, writeAtomic(name, b)
}

// writeFlake writes those of the embedded files that differ; the lock is left
// alone, it belongs to the folder.
func (s *Set) writeFlake() error {
	return fs.WalkDir(flakeFiles, "flake", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.Join(s.dir, filepath.FromSlash(p))
		if d.IsDir() {
			return os.MkdirAll(name, 0o755)
		}
		if p == "flake/"+lockName {
			return nil
		}
		b, err := flakeFiles.ReadFile(p)
		if err != nil {
			return fmt.Errorf("read embedded flake: %w", err)
		}
		if have, err := os.ReadFile(name); err == nil && string(have) == string(b) {
			return nil
		}
		return writeAtomic(name, b)
	})
}

func (s *Set) flakeDir() string { return filepath.Join(s.dir, "flake") }

// FlakeRef returns the flake reference of the set, for --override-input.
func (s *Set) FlakeRef() string { return "path:" + s.flakeDir() }

// Shell returns the static shell that builds may see as /bin/sh; make, node-gyp
// and the scripts of npm packages call it. It is in the store after the first
// Prefetch.
func (s *Set) Shell() string { return s.current().stage0File().storePath() + "/bin/busybox" }

// current returns the lock; the caller must not change it.
func (s *Set) current() *lock {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lock
}

// replace writes a new lock and makes it the current one.
func (s *Set) replace(l *lock) error {
	b, err := l.encode()
	if err != nil {
		return err
	}
	if err := l.check(); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	if err := writeAtomic(filepath.Join(s.flakeDir(), lockName), b); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock = l
	return nil
}

func newestFirst(vs []string) []string {
	slices.SortFunc(vs, func(a, b string) int { return slices.Compare(numbers(b), numbers(a)) })
	return vs
}

// Package is one line of the set's list.
type Package struct {
	Name    string // group of Debian packages, "go" or "nodejs"
	Version string
	From    string   // "debian", "security", "go" or "npm"
	Files   []string // store names of the files that it is made of
	Size    int64    // bytes to fetch; 0 if the server did not tell
}

// List returns everything that the set can give, sorted by name and version.
func (s *Set) List() []Package {
	l := s.current()
	var out []Package
	for _, name := range slices.Sorted(maps.Keys(l.Groups)) {
		g := l.Groups[name]
		p := Package{Name: name, Version: g.Version, From: g.Debs[0].Archive}
		for _, d := range g.Debs {
			p.Files = append(p.Files, d.File)
			p.Size += d.Size
		}
		out = append(out, p)
	}
	for _, v := range newestFirst(slices.Collect(maps.Keys(l.Go))) {
		p := l.Go[v]
		out = append(out, Package{Name: "go", Version: p.Version, From: sourceGo, Files: []string{p.File}, Size: p.Size})
	}
	for _, v := range newestFirst(slices.Collect(maps.Keys(l.Node))) {
		p := l.Node[v]
		out = append(out, Package{Name: "nodejs", Version: p.Node.Version, From: sourceNpm, Files: []string{p.Node.File, p.Npm.File}, Size: p.Node.Size + p.Npm.Size})
	}
	return append(out, l.npmList()...)
}
