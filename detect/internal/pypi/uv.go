package pypi

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

type uvLock struct {
	Python  string      `toml:"requires-python"`
	Package []uvPackage `toml:"package"`

	Manifest struct {
		Members []string `toml:"members"` // of a workspace
	} `toml:"manifest"`
}

type uvPackage struct {
	Name     string             `toml:"name"`
	Version  string             `toml:"version"`
	Source   map[string]any     `toml:"source"`
	Markers  []string           `toml:"resolution-markers"` // of the fork that this version belongs to
	Deps     []uvDep            `toml:"dependencies"`
	Optional map[string][]uvDep `toml:"optional-dependencies"`
	Sdist    uvFile             `toml:"sdist"`
	Wheels   []uvFile           `toml:"wheels"`
}

type uvDep struct {
	Name    string   `toml:"name"`
	Version string   `toml:"version"`
	Extra   []string `toml:"extra"`
	Marker  string   `toml:"marker"`
}

type uvFile struct {
	URL  string `toml:"url"`
	Path string `toml:"path"`
	Hash string `toml:"hash"`
}

// ParseUV reads uv.lock. Its roots are what the package at "." needs, development groups left out; in a workspace whose root
// is no package, what all of its members need, as uv sync has it.
func ParseUV(data []byte) (Lock, error) {
	var doc uvLock
	if err := decode(data, &doc); err != nil {
		return Lock{}, err
	}
	l := Lock{Tool: "uv", Python: doc.Python}
	lines := linesOf(data)
	for i, p := range doc.Package {
		q := Package{Name: Normal(p.Name), Version: p.Version, Deps: uvDeps(p.Deps), Extras: map[string][]Dep{}, Line: lines.at(i)}
		if len(p.Markers) > 0 {
			q.Marker = "(" + strings.Join(p.Markers, ") or (") + ")"
		}
		for extra, deps := range p.Optional {
			q.Extras[Normal(extra)] = uvDeps(deps)
		}
		q.Path, q.Elsewhere = uvSource(p.Source)
		for _, f := range append(p.Wheels, p.Sdist) {
			if f.Path != "" {
				q.Elsewhere = "file"
			}
			if f.URL != "" {
				q.Files = append(q.Files, fileOf(f.URL, f.Hash))
			}
		}
		if q.Path == "." {
			l.Roots = append(l.Roots, Dep{Name: q.Name, Version: q.Version})
		}
		l.Packages = append(l.Packages, q)
	}
	if len(l.Roots) == 0 {
		l.Roots = members(l, doc.Manifest.Members)
	}
	if len(l.Roots) == 0 && len(l.Packages) > 0 {
		return l, &SyntaxError{Msg: `no package has the source "." : the lock file belongs to another folder`}
	}
	return l, l.check()
}

// members are the packages of the tree that a workspace names.
func members(l Lock, names []string) []Dep {
	var roots []Dep
	for _, p := range l.Packages {
		if p.Path != "" && slices.ContainsFunc(names, func(n string) bool { return Normal(n) == p.Name }) {
			roots = append(roots, Dep{Name: p.Name, Version: p.Version})
		}
	}
	return roots
}

func uvDeps(list []uvDep) []Dep {
	var deps []Dep
	for _, d := range list {
		deps = append(deps, Dep{Name: Normal(d.Name), Version: d.Version, Extras: d.Extra, Marker: d.Marker})
	}
	return deps
}

// uvSource tells a package of the tree from one that neither the tree nor an index has.
func uvSource(source map[string]any) (local, elsewhere string) {
	for _, kind := range []string{"virtual", "editable", "directory"} {
		if p, ok := source[kind].(string); ok {
			return path.Clean(p), ""
		}
	}
	for _, kind := range []string{"git", "path"} {
		if _, ok := source[kind]; ok {
			return "", kind
		}
	}
	return "", ""
}

// fileOf names a file by its address.
func fileOf(address, hash string) File {
	f := File{Name: path.Base(address), URL: address, SHA256: sha256Of(hash)}
	if u, err := url.Parse(address); err == nil {
		f.Name = path.Base(u.Path)
	}
	return f
}

// sha256Of returns the hex digits of "sha256:…", "" for another kind of hash.
func sha256Of(hash string) string {
	const digits = 64
	hex, ok := strings.CutPrefix(hash, "sha256:")
	if !ok || len(hex) != digits || strings.Trim(hex, "0123456789abcdef") != "" {
		return ""
	}
	return hex
}

// decode reads TOML. The error is a [*SyntaxError].
func decode(data []byte, doc any) error {
	err := toml.Unmarshal(data, doc)
	if de, ok := err.(*toml.DecodeError); ok {
		line, _ := de.Position()
		return &SyntaxError{Line: line, Msg: strings.TrimPrefix(de.Error(), "toml: ")}
	}
	if err != nil {
		return &SyntaxError{Msg: err.Error()}
	}
	return nil
}

// packageLines are the lines on which the packages of a TOML lock file begin.
type packageLines []int

func linesOf(data []byte) packageLines {
	var list packageLines
	n := 0
	for l := range strings.Lines(string(data)) {
		n++
		if l = strings.TrimSpace(l); l == "[[package]]" || l == "[[packages]]" {
			list = append(list, n)
		}
	}
	return list
}

func (l packageLines) at(i int) int {
	if i < len(l) {
		return l[i]
	}
	return 0
}

// check refuses what no tool writes.
func (l Lock) check() error {
	if len(l.Packages) > maxPackages {
		return &SyntaxError{Msg: "more packages than a lock file ever has"}
	}
	for _, p := range l.Packages {
		if !reqName.MatchString(p.Name) || strings.ContainsAny(p.Name, " []") {
			return &SyntaxError{Line: p.Line, Msg: clip(p.Name) + " is not the name of a package"}
		}
		if _, err := ParseMarker(p.Marker); err != nil {
			return &SyntaxError{Line: p.Line, Msg: p.Name + ": " + err.Error()}
		}
		for _, f := range p.Files {
			if f.Name != path.Base(f.Name) || f.Name == "." || f.Name == "/" || strings.ContainsAny(f.Name, " \n\t'\"$`\\") {
				return &SyntaxError{Line: p.Line, Msg: p.Name + ": " + clip(f.Name) + " is not the name of a file"}
			}
		}
	}
	return nil
}
