package detect

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Manifest is what the app's own files ask for: hop3.toml over app.json and Procfile over ENV, key by key.
type Manifest struct {
	ID           string                     // [metadata] id
	Processes    map[string]ProcessSettings // by type
	Formation    map[string]int             // instances by type, where a file says so
	Env          map[string]string          // plain defaults of the environment
	EnvGenerate  map[string]Generate        // values made once per app
	EnvFrom      map[string]EnvFrom         // values that a service or the server provides
	Addons       []Addon                    // services that it wants
	Health       Health
	StartTimeout time.Duration // 0: the server's default
	Watch        time.Duration // [watch]: how long a new release is on probation; 0: the server's default, negative: not at all
	Port         int           // [port]: the port that the app insists on, 0 = it takes $PORT
	Domains      []string
	Cron         []Cron
	Volumes      []Volume
	Release      string // runs once before the swap
	Postdeploy   string // runs once after the swap
	Build        Build
	Nix          NixSettings
	Ignore       []string // patterns of .slugignore

	procs       []Process // declared processes in order, hop3.toml over Procfile
	predeploy   string    // of app.json, where no Procfile has a release line
	releaseFrom string    // the file and the key of Release
	releaseLine int
	static      string
	warnings    []string
}

// ProcessSettings are the settings of one process type. Zero values are the server's defaults.
type ProcessSettings struct {
	Command     string
	Count       *int
	Memory      int64 // bytes
	CPU         int64 // thousandths of a core
	Pids        int64
	StopSignal  string // "SIGTERM"
	StopTimeout time.Duration
	Swap        string // "overlap", "exclusive" or ""

	StartTimeout, DrainTimeout time.Duration
	RestartLimit               int      // crashes in a row after which it stays down
	Checks                     []Health // of app.json: all must pass
}

// Health says when a process is ready.
type Health struct {
	Path     string
	Interval time.Duration // how long a process stays up that is not asked
	Timeout  time.Duration
	Retries  int
	Command  string

	// Of app.json alone.
	Listening   bool   // it need only accept on its port
	Uptime      bool   // it need only stay up for Interval
	Content     string // what the answer must hold
	Delay, Wait time.Duration
	Headers     map[string]string
}

// Build are the settings of [build]. Build replaces the stack's own build command.
type Build struct {
	Stack, Root, Builder       string
	Packages                   []string // attributes of the package set, at build and run time
	Before, Build, After, Test string
	Versions                   map[string]string // by the runtime's name
	versionLines               map[string]int
}

// Generate asks for a value that is made once and kept.
type Generate struct {
	Kind   string // hex, base64, urlsafe, password, uuid
	Length int
}

// EnvFrom asks for a value of a service, or of the server when From is "".
type EnvFrom struct{ From, Key string }

// A Cron is a command and when to run it, in cron's five fields or as @daily.
type Cron struct {
	Name, Schedule, Command string
	Overlap                 string        // "skip", "allow", "replace" or "", which is skip
	Timeout                 time.Duration // 0: the server's default
}

// A Volume is a folder that outlives releases.
type Volume struct{ Name, Path string }

// NixSettings are the settings of [nix].
type NixSettings struct {
	Nixpkgs string
	Inputs  map[string]string
}

// readManifest merges the files of the root and of the folder that [build] root names, lowest precedence first: ENV,
// Procfile, app.json and .slugignore, the folder's over the root's, then hop3.toml. It returns the app's tree, t or its part.
// A dir stands for [build] root where that is not set.
func readManifest(t *tree, dir string) (Manifest, *tree, error) {
	asked := newManifest()
	if err := readTOML(t, &asked); err != nil {
		return Manifest{}, nil, err
	}
	trees := []*tree{t}
	root := cmp.Or(asked.Build.Root, dir)
	if root != "" {
		sub, err := t.sub(root)
		if err != nil {
			return Manifest{}, nil, err
		}
		trees = append(trees, sub)
	}
	m := newManifest()
	for i, tr := range trees {
		for _, read := range []func(*tree, *Manifest) error{readEnv, readProcfile, readAppJSON, readSlugignore} {
			if err := read(tr, &m); err != nil {
				return Manifest{}, nil, placed(err, i, root)
			}
		}
	}
	if m.Release == "" && m.predeploy != "" {
		m.Release, m.releaseFrom, m.releaseLine = m.predeploy, "app.json scripts.dokku.predeploy", 0
	}
	if err := readTOML(t, &m); err != nil {
		return Manifest{}, nil, err
	}
	m.Build.Root = root
	m.settle()
	return m, trees[len(trees)-1], nil
}

func newManifest() Manifest {
	return Manifest{
		Processes: map[string]ProcessSettings{}, Formation: map[string]int{}, Env: map[string]string{},
		EnvGenerate: map[string]Generate{}, EnvFrom: map[string]EnvFrom{},
	}
}

// placed names the file of a [*ParseError] as it is called from the root when it is one of the folder's.
func placed(err error, i int, root string) error {
	if pe, ok := errors.AsType[*ParseError](err); ok && i > 0 {
		return &ParseError{File: path.Join(root, pe.File), Line: pe.Line, Msg: pe.Msg}
	}
	return err
}

// settle gives each declared process its settings and its count.
func (m *Manifest) settle() {
	for _, p := range m.procs {
		s := m.Processes[p.Name]
		s.Command = p.Command
		m.Processes[p.Name] = s
		if s.Count != nil {
			m.Formation[p.Name] = *s.Count
		}
	}
}

// readProcfile replaces the processes of m if t has a Procfile.
func readProcfile(t *tree, m *Manifest) error {
	if !t.has("Procfile") {
		return nil
	}
	b, err := t.read("Procfile")
	if err != nil {
		return err
	}
	procs, err := ParseProcfile(b)
	if err != nil {
		return err
	}
	m.procs, m.static, m.Release = nil, "", ""
	for _, p := range procs {
		switch p.Name {
		case procStatic:
			m.static = p.Command
		case procRelease:
			m.Release, m.releaseFrom, m.releaseLine = p.Command, "Procfile release", p.Line
		default:
			m.procs = append(m.procs, p)
		}
	}
	return nil
}

// setProc declares a process, replacing an earlier declaration of the same type in its place.
func (m *Manifest) setProc(p Process) {
	if i := slices.IndexFunc(m.procs, func(q Process) bool { return q.Name == p.Name }); i >= 0 {
		m.procs[i] = p
		return
	}
	m.procs = append(m.procs, p)
}

// procLine is the line that declares a process, 0 if none does.
func (m *Manifest) procLine(name string) int {
	if i := slices.IndexFunc(m.procs, func(q Process) bool { return q.Name == name }); i >= 0 {
		return m.procs[i].Line
	}
	return 0
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ParseEnv reads Piku's ENV file: K=V per line, # comments, values may be quoted. The error is a [*ParseError].
func ParseEnv(data []byte) (map[string]string, error) {
	env := map[string]string{}
	n := 0
	for line := range strings.Lines(string(bytes.TrimPrefix(data, bom))) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		k, v, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		if !ok || !envName.MatchString(k) {
			return nil, &ParseError{File: "ENV", Line: n, Msg: "a line is NAME=value, with a NAME of letters, digits and _"}
		}
		if len(v) >= 2 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0] {
			v = v[1 : len(v)-1]
		}
		if strings.ContainsRune(v, 0) {
			return nil, &ParseError{File: "ENV", Line: n, Msg: "a value holds a NUL byte"}
		}
		env[k] = v
	}
	return env, nil
}

func readEnv(t *tree, m *Manifest) error {
	if !t.has("ENV") {
		return nil
	}
	b, err := t.read("ENV")
	if err != nil {
		return err
	}
	env, err := ParseEnv(b)
	if err != nil {
		return err
	}
	maps.Copy(m.Env, env)
	return nil
}

func readSlugignore(t *tree, m *Manifest) error {
	for l := range strings.Lines(string(t.source(".slugignore"))) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			m.Ignore = append(m.Ignore, l)
		}
	}
	return nil
}

func (m *Manifest) warnf(format string, args ...any) {
	m.warnings = append(m.warnings, fmt.Sprintf(format, args...))
}
