package detect

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"hop3/detect/internal/pypi"
)

// A StaleLockError is a lock file that does not hold what the manifest beside it asks for.
type StaleLockError struct {
	Lock, Manifest string
	Line           int // of the manifest
	Msg            string
	Fix            string // the command that locks again
}

func (e *StaleLockError) Error() string {
	at := e.Manifest
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d", at, e.Line)
	}
	return fmt.Sprintf("%s is out of step with %s: %s", e.Lock, at, e.Msg)
}

// Hint says what to do.
func (e *StaleLockError) Hint() string {
	return "run " + e.Fix + ", commit " + e.Lock + " and push again"
}

// A PythonFile is a file of the lock that is installed.
type PythonFile struct {
	Package, Version string
	Name             string // "flask-3.1.1-py3-none-any.whl"
	Address          bool   // the lock says where it is
	Source           bool   // a source archive, which has to be built
	Native           bool   // a wheel with machine code
}

// Locked returns what the lock file installs for a version of Python on a machine ("3.13", "x86_64"), sorted by package.
func (f *PythonFacts) Locked(python, machine string) ([]PythonFile, error) {
	e := pypi.Env{Python: python, Machine: machine}
	list, err := f.lock.Select(e)
	if err != nil {
		return nil, &ParseError{File: f.Lock, Msg: err.Error()}
	}
	var files []PythonFile
	for _, p := range list {
		if p.Path != "" {
			continue
		}
		if p.Elsewhere != "" {
			return nil, &UnsupportedError{What: p.Name + " from " + p.Elsewhere, Evidence: fmt.Sprintf("%s:%d", f.Lock, p.Line), Fix: "lock a version that an index has"}
		}
		file, ok := pypi.Choose(p.Files, e)
		if !ok {
			return nil, &ParseError{File: f.Lock, Line: p.Line, Msg: fmt.Sprintf("no file of %s %s is for python %s on %s", p.Name, p.Version, python, machine)}
		}
		if file.SHA256 == "" {
			return nil, &ParseError{File: f.Lock, Line: p.Line, Msg: fmt.Sprintf("%s has no sha256", clip(file.Name))}
		}
		files = append(files, PythonFile{Package: p.Name, Version: p.Version, Name: file.Name, Address: file.URL != "", Source: !file.Wheel(), Native: file.Native()})
	}
	return files, nil
}

// Applies reports whether a requirement counts for a version of Python.
func (r Requirement) Applies(python string) bool {
	m, err := pypi.ParseMarker(r.Marker)
	return err != nil || m.Holds(pypi.Env{Python: python, Machine: "x86_64"})
}

// readLocked returns how a lock file with one hash per file is read.
func readLocked(parse func([]byte) (pypi.Lock, error)) func(*tree, *Plan, string) error {
	return func(t *tree, p *Plan, file string) error {
		b, err := t.read(file)
		if err != nil {
			return err
		}
		if err := checkTOML(file, b, maxLockSigns); err != nil {
			return err
		}
		f := p.Python
		f.Lock, f.Files = file, []string{file}
		if f.lock, err = parse(b); err != nil {
			if se, ok := errors.AsType[*pypi.SyntaxError](err); ok {
				return &ParseError{File: file, Line: se.Line, Msg: se.Msg}
			}
			return err
		}
		project, err := readPyproject(t, "pyproject.toml")
		if err != nil {
			return err
		}
		if f.Requirements, err = project.requirements(); err != nil {
			return err
		}
		if err := f.membersAsk(t); err != nil {
			return err
		}
		if f.lock.Tool == "poetry" || f.lock.Tool == "pdm" {
			f.lock.Roots = roots(f.Requirements)
		}
		if err := f.inStep(); err != nil {
			return err
		}
		return f.select_(t, p)
	}
}

// membersAsk adds what the members of a workspace ask for whose root is no package.
func (f *PythonFacts) membersAsk(t *tree) error {
	for _, q := range f.lock.Packages {
		root := slices.ContainsFunc(f.lock.Roots, func(d pypi.Dep) bool { return d.Name == q.Name })
		if !root || q.Path == "" || q.Path == "." {
			continue
		}
		project, err := readPyproject(t, path.Join(q.Path, "pyproject.toml"))
		if err != nil {
			return err
		}
		list, err := project.requirements()
		if err != nil {
			return err
		}
		f.Requirements = append(f.Requirements, list...)
	}
	return nil
}

func roots(list []Requirement) []pypi.Dep {
	var deps []pypi.Dep
	for _, r := range list {
		deps = append(deps, pypi.Dep{Name: r.Name, Extras: r.Extras, Marker: r.Marker})
	}
	return deps
}

// inStep checks that the lock has what the manifest asks for.
func (f *PythonFacts) inStep() error {
	fix := map[string]string{"uv": "uv lock", "poetry": "poetry lock", "pdm": "pdm lock", "pylock": "uv export --format pylock.toml -o pylock.toml"}[f.lock.Tool]
	for _, r := range f.Requirements {
		versions := f.lock.Has(r.Name)
		stale := &StaleLockError{Lock: f.Lock, Manifest: r.File, Line: r.Line, Fix: fix}
		switch {
		case len(versions) == 0 && r.Marker == "":
			stale.Msg = r.Name + " is not locked"
			return stale
		case len(versions) > 0 && r.URL == "" && !slices.ContainsFunc(versions, func(v string) bool { return v == "" || pypi.Allows(r.Spec, v) }):
			stale.Msg = fmt.Sprintf("%s%s is asked for, %s is locked", r.Name, r.Spec, join(versions))
			return stale
		}
	}
	return nil
}

// likelyPython is for what detection says of a lock before the package set has chosen a version.
const likelyPython = "3.13"

// select_ learns which packages of the lock the app installs, and puts those of the tree on the path.
func (f *PythonFacts) select_(t *tree, p *Plan) error {
	list, err := f.lock.Select(pypi.Env{Python: likelyPython, Machine: "x86_64"})
	if err != nil {
		return &ParseError{File: f.Lock, Msg: err.Error()}
	}
	for _, q := range list {
		f.installed = append(f.installed, q.Name)
	}
	if f.Lock == "pylock.toml" && len(f.Requirements) == 0 {
		for _, q := range list {
			f.Requirements = append(f.Requirements, Requirement{Name: q.Name, Spec: "==" + q.Version, File: f.Lock, Line: q.Line})
		}
	}
	return localPackages(t, p, list, f.Lock)
}

// A pipfile is Pipfile; its lock is JSON.
type pipfile struct {
	Packages map[string]any `toml:"packages"`
	Requires struct {
		Version string `toml:"python_version"`
		Full    string `toml:"python_full_version"`
	} `toml:"requires"`
}

func pipfilePython(t *tree) string {
	var doc pipfile
	_ = decodeTOML("Pipfile", t.source("Pipfile"), &doc) // a broken one names no version; its reader says so
	return cmp.Or(doc.Requires.Full, doc.Requires.Version)
}

// readPipfile leaves it to pip to find versions for what Pipfile asks for.
func readPipfile(t *tree, p *Plan, file string) error {
	list, err := pipfileRequirements(t)
	if err != nil {
		return err
	}
	return p.resolveAtFirst(t, list, file)
}

func pipfileRequirements(t *tree) ([]Requirement, error) {
	var doc pipfile
	if err := decodeTOML("Pipfile", t.source("Pipfile"), &doc); err != nil {
		return nil, err
	}
	var list []Requirement
	for _, name := range sortedKeys(doc.Packages) {
		for _, d := range pypi.PoetryDeps(name, doc.Packages[name]) {
			r := Requirement{Name: d.Name, Extras: d.Extras, Marker: d.Marker, File: "Pipfile", Line: t.lineOf("Pipfile", name)}
			if d.Spec != "*" {
				r.Spec = strings.ReplaceAll(d.Spec, " ", "")
			}
			list = append(list, r)
		}
	}
	return list, nil
}

type pipenvPackage struct {
	Version string   `json:"version"`
	Markers string   `json:"markers"`
	Extras  []string `json:"extras"`
	Hashes  []string `json:"hashes"`
	Git     string   `json:"git"`
	Path    string   `json:"path"`
	File    string   `json:"file"`
}

// readPipenv reads Pipfile.lock. It names hashes, but not the files that they are of: pip finds those.
func readPipenv(t *tree, p *Plan, file string) error {
	b, err := t.read(file)
	if err != nil {
		return err
	}
	var doc struct {
		Default map[string]pipenvPackage `json:"default"`
	}
	if err := decodeJSON(file, b, &doc); err != nil {
		return err
	}
	f := p.Python
	f.Files, f.Hashed = []string{file}, len(doc.Default) > 0
	locked := pypi.Lock{Tool: "pipenv"}
	for _, name := range sortedKeys(doc.Default) {
		q := doc.Default[name]
		line := t.lineOf(file, `"`+name+`"`)
		if q.Git != "" || q.File != "" || q.Path != "" {
			return &UnsupportedError{What: name + " from elsewhere than an index", Evidence: fmt.Sprintf("%s:%d", file, line), Fix: "lock a version that an index has"}
		}
		text := name + q.Version
		if q.Markers != "" {
			text += " ; " + q.Markers
		}
		r, err := pypi.ParseRequirement(text)
		if err != nil {
			return &ParseError{File: file, Line: line, Msg: err.Error()}
		}
		r.Extras = q.Extras
		f.Requirements = append(f.Requirements, requirementFrom(r, file, line))
		locked.Packages = append(locked.Packages, pypi.Package{Name: r.Name, Version: strings.TrimLeft(q.Version, "=")})
	}
	if f.LockDigest, err = t.digest(f.Files); err != nil || !t.has("Pipfile") {
		return err
	}
	asked, err := pipfileRequirements(t)
	if err != nil {
		return err
	}
	check := PythonFacts{Requirements: asked, Lock: file, lock: locked}
	if err := check.inStep(); err != nil {
		if s, ok := errors.AsType[*StaleLockError](err); ok {
			s.Fix = "pipenv lock"
		}
		return err
	}
	return nil
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
