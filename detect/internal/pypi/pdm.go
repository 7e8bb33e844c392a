package pypi

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

type pdmLock struct {
	Package  []pdmPackage `toml:"package"`
	Metadata struct {
		Files map[string][]poetryFile `toml:"files"` // before PDM 2.8
	} `toml:"metadata"`
}

type pdmPackage struct {
	Name    string       `toml:"name"`
	Version string       `toml:"version"`
	Extras  []string     `toml:"extras"`
	Groups  []string     `toml:"groups"`
	Marker  string       `toml:"marker"`
	Deps    []string     `toml:"dependencies"`
	Files   []poetryFile `toml:"files"`
	Git     string       `toml:"git"`
	Path    string       `toml:"path"`
	URL     string       `toml:"url"`
}

// ParsePDM reads pdm.lock. Where it tells groups, the packages of "default" count; else it has no roots and pyproject.toml
// names them.
func ParsePDM(data []byte) (Lock, error) {
	var doc pdmLock
	if err := decode(data, &doc); err != nil {
		return Lock{}, err
	}
	l := Lock{Tool: "pdm"}
	lines := linesOf(data)
	byName := map[string]int{}
	for i, p := range doc.Package {
		if len(p.Groups) > 0 && !slices.Contains(p.Groups, "default") {
			continue
		}
		key := Normal(p.Name) + " " + p.Version
		deps, err := pdmDeps(p.Deps)
		if err != nil {
			return l, &SyntaxError{Line: lines.at(i), Msg: p.Name + ": " + err.Error()}
		}
		at, seen := byName[key]
		if !seen {
			at, byName[key] = len(l.Packages), len(l.Packages)
			l.Packages = append(l.Packages, Package{Name: Normal(p.Name), Version: p.Version, Marker: p.Marker, Extras: map[string][]Dep{}, Line: lines.at(i)})
		}
		q := &l.Packages[at]
		if len(p.Extras) == 0 {
			q.Deps = deps
		}
		for _, e := range p.Extras {
			q.Extras[Normal(e)] = deps
		}
		q.Path = strings.TrimPrefix(p.Path, "./")
		if p.Git != "" {
			q.Elsewhere = "git"
		}
		files := p.Files
		if len(files) == 0 {
			files = doc.Metadata.Files[p.Name+" "+p.Version]
		}
		for _, f := range files {
			if file := f.file(); !slices.Contains(q.Files, file) {
				q.Files = append(q.Files, file)
			}
		}
	}
	return l, l.check()
}

func pdmDeps(list []string) ([]Dep, error) {
	var deps []Dep
	for _, text := range list {
		r, err := ParseRequirement(text)
		if err != nil {
			return nil, err
		}
		deps = append(deps, Dep{Name: r.Name, Extras: r.Extras, Marker: r.Marker})
	}
	return deps, nil
}

type pylock struct {
	Version string `toml:"lock-version"`
	Python  string `toml:"requires-python"`
	Package []struct {
		Name      string         `toml:"name"`
		Version   string         `toml:"version"`
		Marker    string         `toml:"marker"`
		VCS       map[string]any `toml:"vcs"`
		Directory struct {
			Path string `toml:"path"`
		} `toml:"directory"`
		Archive pylockFile   `toml:"archive"`
		Sdist   pylockFile   `toml:"sdist"`
		Wheels  []pylockFile `toml:"wheels"`
	} `toml:"packages"`
}

type pylockFile struct {
	Name   string            `toml:"name"`
	URL    string            `toml:"url"`
	Path   string            `toml:"path"`
	Hashes map[string]string `toml:"hashes"`
}

// ParsePylock reads pylock.toml (PEP 751): every package counts whose marker holds.
func ParsePylock(data []byte) (Lock, error) {
	var doc pylock
	if err := decode(data, &doc); err != nil {
		return Lock{}, err
	}
	if !strings.HasPrefix(doc.Version, "1.") {
		return Lock{}, &SyntaxError{Msg: "lock-version " + clip(doc.Version) + " is not known"}
	}
	l := Lock{Tool: "pylock", Python: doc.Python}
	lines := linesOf(data)
	for i, p := range doc.Package {
		q := Package{Name: Normal(p.Name), Version: p.Version, Marker: p.Marker, Path: p.Directory.Path, Line: lines.at(i)}
		if p.VCS != nil {
			q.Elsewhere = "version control"
		}
		for _, f := range append(p.Wheels, p.Sdist, p.Archive) {
			if f.URL == "" && f.Path != "" {
				q.Elsewhere = "file"
			}
			if f.URL == "" && f.Name == "" {
				continue
			}
			file := fileOf(cmp.Or(f.URL, f.Name), "sha256:"+f.Hashes["sha256"])
			file.URL, file.Name = f.URL, cmp.Or(f.Name, file.Name)
			q.Files = append(q.Files, file)
		}
		l.Packages = append(l.Packages, q)
	}
	return l, l.check()
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
