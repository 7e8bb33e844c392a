// Package state is hop3's ledger: apps, releases, keys and events, as files.
//
// Everything lies in memory and is written through: one folder per app with
// one app.json, so that one rename is one transaction, a person can read,
// copy and repair it, and destroying an app removes one folder. SQLite and
// bbolt were considered; they lost because one app is one small record.
// Settings are encrypted in the file with a key of mode 0600 beside it.
package state

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// firstUID is where the user ids of apps begin: above those of people and
// system users, below 65534, nobody.
const (
	firstUID = 60001
	lastUID  = 65533
)

// A Store is the state of one server. Its methods may be called at once.
type Store struct {
	dir    string
	lock   *os.File
	sealer *sealer
	events *eventLog

	keys *Keys

	damaged map[string]*Damaged // by name; read at the start

	closing sync.Once
	mu      sync.RWMutex
	apps    map[string]*App
	server  Server
}

// Server holds what the server decided at its first start and remembers.
type Server struct {
	Version  int    `json:"version"`
	Packages string `json:"packages,omitempty"` // "nixpkgs" or "debian"
	NextUID  int    `json:"next_uid"`
}

// Open reads the state below dir, which it makes with mode 0700 if need be,
// and locks it. A folder that another server uses is a [*Conflict].
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	lock, err := lockDir(dir) // before anything is read: another server may still be writing
	if err != nil {
		return nil, err
	}
	s, err := open(dir)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.lock = lock
	return s, nil
}

func open(dir string) (*Store, error) {
	for _, sub := range []string{"apps", servicesDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("make the data folder: %w", err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("close the data folder to others: %w", err)
	}
	sealer, err := openSealer(dir)
	if err != nil {
		return nil, err
	}
	keys, err := OpenKeys(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, sealer: sealer, keys: keys, apps: map[string]*App{}, damaged: map[string]*Damaged{}}
	if err := s.load(); err != nil {
		return nil, err
	}
	s.events, err = openEventLog(filepath.Join(dir, eventsFile))
	return s, err
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(&Conflict{
			What: fmt.Sprintf("the data folder %s is in use by another hop3 server", dir),
			Mend: "stop that one, or give this one a folder of its own with --data",
		}, f.Close())
	}
	return f, nil
}

// Close gives the folder free for another server. A second call does nothing.
func (s *Store) Close() (err error) {
	s.closing.Do(func() { err = errors.Join(s.events.close(), s.lock.Close()) })
	return err
}

// Keys are the keys that may call this server.
func (s *Store) Keys() *Keys { return s.keys }

// Dir is the data folder.
func (s *Store) Dir() string { return s.dir }

// AppDir is the folder of one app, or of one service.
func (s *Store) AppDir(app string) string {
	if name, ok := strings.CutPrefix(app, servicePrefix); ok {
		return filepath.Join(s.dir, servicesDir, name)
	}
	return filepath.Join(s.dir, "apps", app)
}

// appFile is app.json: the app in the clear but for its settings.
type appFile struct {
	Version int    `json:"version"`
	App     *App   `json:"app"`
	Sealed  []byte `json:"sealed"` // of settings
}

type settings struct {
	Config   map[string]string         `json:"config"`
	Releases map[int]map[string]string `json:"releases"`
}

func (s *Store) loadApp(name string) (*App, error) {
	path := filepath.Join(s.AppDir(name), "app.json")
	var f appFile
	found, err := readJSON(path, &f)
	if err != nil {
		return nil, &Damaged{Name: name, Err: err}
	}
	if !found {
		return nil, nil
	}
	if f.App != nil && f.App.RenamedFrom == name && f.App.Name != name { // the server ended in the middle of it
		if err := errors.Join(CheckAppName(f.App.Name), s.vacate(f.App.Name, name)); err != nil {
			return nil, fmt.Errorf("finish renaming %s: %w", name, err)
		}
		if err := s.moveFolder(name, f.App.Name); err != nil {
			return nil, err
		}
		if err := s.keys.renameApp(name, f.App.Name); err != nil {
			return nil, err
		}
		name = f.App.Name
	}
	if f.Version != appVersion || f.App == nil || f.App.Name != name {
		return nil, fmt.Errorf("read %s: version %d of app %q, want version %d of app %q", path, f.Version, appNameOf(f.App), appVersion, name)
	}
	if err := f.unseal(s.sealer); err != nil {
		return nil, &Damaged{Name: name, Err: fmt.Errorf("read %s: %w", path, err)}
	}
	return f.App, nil
}

// unseal gives the app its settings.
func (f *appFile) unseal(s *sealer) error {
	var secret settings
	if err := s.open("app/"+f.App.Name, f.Sealed, &secret); err != nil {
		return err
	}
	f.App.Config = secret.Config
	for i := range f.App.Releases {
		f.App.Releases[i].Config = secret.Releases[f.App.Releases[i].Number]
	}
	return nil
}

func appNameOf(a *App) string {
	if a == nil {
		return ""
	}
	return a.Name
}

func (s *Store) saveApp(a *App) error { return s.saveAppIn(s.AppDir(a.Name), a) }

func (s *Store) saveAppIn(dir string, a *App) error {
	f, err := s.seal(a)
	if err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "app.json"), f)
}

// seal is the app as it lies on the disk.
func (s *Store) seal(a *App) (appFile, error) {
	secret := settings{Config: a.Config, Releases: map[int]map[string]string{}}
	for _, r := range a.Releases {
		secret.Releases[r.Number] = r.Config
	}
	sealed, err := s.sealer.seal("app/"+a.Name, secret)
	return appFile{Version: appVersion, App: a, Sealed: sealed}, err
}

// App returns the app called name; its error is a [*NotFound], or a [*Damaged].
func (s *Store) App(name string) (*App, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a, ok := s.apps[name]; ok {
		return a, nil
	}
	if d := s.damaged[name]; d != nil {
		return nil, d
	}
	return nil, &NotFound{Kind: "app", Name: name, Near: Nearest(name, slices.Collect(maps.Keys(s.apps)))}
}

// Apps returns all apps by name, without the services.
func (s *Store) Apps() []*App { return s.list(func(a *App) bool { return a.Service == nil }) }

func (s *Store) list(chosen func(*App) bool) []*App {
	s.mu.RLock()
	defer s.mu.RUnlock()
	apps := slices.Collect(maps.Values(s.apps))
	apps = slices.DeleteFunc(apps, func(a *App) bool { return !chosen(a) })
	slices.SortFunc(apps, func(a, b *App) int { return strings.Compare(a.Name, b.Name) })
	return apps
}

// Create makes an app without a release. A name in use is a [*Conflict].
func (s *Store) Create(name, by string, now time.Time) (*App, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.free(name); err != nil {
		return nil, err
	}
	return s.create(&App{Name: name, Created: now.UTC(), CreatedBy: by})
}

// create gives a its user id and its folder. It needs mu.
func (s *Store) create(a *App) (*App, error) {
	uid, err := s.takeUID()
	if err != nil {
		return nil, err
	}
	a.UID = uid
	if err := os.MkdirAll(s.AppDir(a.Name), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of %s: %w", a.Name, err)
	}
	if err := s.saveApp(a); err != nil {
		return nil, err
	}
	s.apps[a.Name] = a
	return a, nil
}

// free refuses a name that an app has, or has just had. It needs mu.
func (s *Store) free(name string) error {
	if err := CheckAppName(name); err != nil {
		return err
	}
	if s.apps[name] != nil {
		return &Conflict{What: fmt.Sprintf("the app %s exists already", name), Mend: "take another name, or push to that one"}
	}
	if d := s.damaged[name]; d != nil {
		return d
	}
	if to, err := os.Readlink(s.AppDir(name)); err == nil {
		return &Conflict{What: fmt.Sprintf("%s was just renamed to %s, and is still being cleared up", name, to), Mend: "try again in a moment"}
	}
	return nil
}

// takeUID returns a user id that no app has had. It needs mu.
func (s *Store) takeUID() (int, error) {
	uid := max(s.server.NextUID, firstUID)
	if uid > lastUID {
		return 0, &Conflict{What: "this server has had as many apps as it has user ids for", Mend: "move some apps to another server"}
	}
	server := s.server
	server.NextUID = uid + 1
	return uid, s.saveServer(server)
}

// Update changes one app: change gets a copy, which replaces the app once it
// is on disk. If change or the writing fails, nothing has changed. A domain
// that another app has is a [*Conflict].
func (s *Store) Update(name string, change func(*App) error) (*App, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.apps[name]
	if !ok {
		return nil, &NotFound{Kind: "app", Name: name}
	}
	a := old.clone()
	if err := change(a); err != nil {
		return nil, err
	}
	if err := s.checkDomains(a); err != nil {
		return nil, err
	}
	if err := s.saveApp(a); err != nil {
		return nil, err
	}
	s.apps[name] = a
	return a, nil
}

func (s *Store) checkDomains(a *App) error {
	for _, other := range s.apps {
		if other.Name == a.Name {
			continue
		}
		for _, d := range a.Domains {
			if slices.Contains(other.Domains, d) {
				return &Conflict{What: fmt.Sprintf("the domain %s belongs to another app", d), Mend: "choose another, or remove it there first"}
			}
		}
	}
	return nil
}

// Destroy removes the app and its folder with all that is in it.
func (s *Store) Destroy(name string) error {
	grave, err := s.bury(name)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(grave); err != nil {
		return fmt.Errorf("remove the folder of %s: %w", name, err)
	}
	return nil
}

// destroyed begins the names of folders of apps that are being removed.
const destroyed = ".destroyed-"

// bury takes the app away whole, by one rename; what a crash leaves is swept
// by load.
func (s *Store) bury(name string) (grave string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps[name] == nil {
		return "", &NotFound{Kind: "app", Name: name}
	}
	if grave, err = os.MkdirTemp(filepath.Join(s.dir, "apps"), destroyed+name+"-"); err != nil {
		return "", fmt.Errorf("destroy %s: %w", name, err)
	}
	if err := os.Rename(s.AppDir(name), filepath.Join(grave, name)); err != nil {
		return "", errors.Join(fmt.Errorf("destroy %s: %w", name, err), os.Remove(grave))
	}
	delete(s.apps, name)
	return grave, nil
}

// Server returns what the server remembers.
func (s *Store) Server() Server {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.server
}

// RememberPackages keeps which package set this server builds from.
func (s *Store) RememberPackages(set string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	server := s.server
	server.Packages = set
	return s.saveServer(server)
}

// saveServer needs mu.
func (s *Store) saveServer(server Server) error {
	server.Version = 1
	if err := writeJSON(filepath.Join(s.dir, "server.json"), server); err != nil {
		return err
	}
	s.server = server
	return nil
}
