package pypi

import (
	"fmt"
	"slices"
	"strings"
)

type poetryLock struct {
	Package  []poetryPackage `toml:"package"`
	Metadata struct {
		Python string                  `toml:"python-versions"`
		Files  map[string][]poetryFile `toml:"files"` // before Poetry 1.5
	} `toml:"metadata"`
}

type poetryPackage struct {
	Name     string              `toml:"name"`
	Version  string              `toml:"version"`
	Optional bool                `toml:"optional"`
	Deps     map[string]any      `toml:"dependencies"`
	Extras   map[string][]string `toml:"extras"`
	Files    []poetryFile        `toml:"files"`
	Source   struct {
		Type, URL string
	} `toml:"source"`
}

type poetryFile struct {
	File string `toml:"file"`
	URL  string `toml:"url"`
	Hash string `toml:"hash"`
}

// ParsePoetry reads poetry.lock as Poetry 1 and 2 write it. It has no roots: pyproject.toml names them.
func ParsePoetry(data []byte) (Lock, error) {
	var doc poetryLock
	if err := decode(data, &doc); err != nil {
		return Lock{}, err
	}
	l := Lock{Tool: "poetry", Python: doc.Metadata.Python}
	lines := linesOf(data)
	for i, p := range doc.Package {
		q := Package{Name: Normal(p.Name), Version: p.Version, Optional: p.Optional, Extras: map[string][]Dep{}, Line: lines.at(i)}
		optional := map[string]bool{} // dependencies that only an extra asks for
		for _, name := range sortedKeys(p.Deps) {
			for _, d := range PoetryDeps(name, p.Deps[name]) {
				if optional[d.Name] = d.optional; !d.optional {
					q.Deps = append(q.Deps, d.Dep)
				}
			}
		}
		for extra, list := range p.Extras {
			for _, text := range list {
				q.Extras[Normal(extra)] = append(q.Extras[Normal(extra)], extraDeps(text, p.Deps)...)
			}
		}
		switch p.Source.Type {
		case "directory":
			q.Path = p.Source.URL
		case "", "legacy":
		default:
			q.Elsewhere = p.Source.Type
		}
		files := p.Files
		if len(files) == 0 {
			files = doc.Metadata.Files[p.Name]
		}
		for _, f := range files {
			q.Files = append(q.Files, f.file())
		}
		l.Packages = append(l.Packages, q)
	}
	return l, l.check()
}

func (f poetryFile) file() File {
	if f.URL != "" {
		return fileOf(f.URL, f.Hash)
	}
	return File{Name: f.File, SHA256: sha256Of(f.Hash)}
}

// extraDeps are the edges of one entry of an extra, "orjson (>=3.2)": with markers and extras as the dependencies have them.
func extraDeps(text string, deps map[string]any) []Dep {
	name := Normal(strings.FieldsFunc(text+" ", func(r rune) bool { return strings.ContainsRune(" ([;<>=!~", r) })[0])
	for key, value := range deps {
		if Normal(key) != name {
			continue
		}
		var list []Dep
		for _, d := range PoetryDeps(key, value) {
			list = append(list, d.Dep)
		}
		return list
	}
	if r, err := ParseRequirement(text); err == nil {
		return []Dep{{Name: r.Name, Extras: r.Extras, Marker: r.Marker}}
	}
	return []Dep{{Name: name}}
}

// A PoetryDep is a dependency as Poetry writes it in its lock file and in pyproject.toml.
type PoetryDep struct {
	Dep
	Spec     string // Poetry's own constraint: "^3.1"
	Path     string
	optional bool
}

// Optional reports whether only an extra asks for d.
func (d PoetryDep) Optional() bool { return d.optional }

// PoetryDeps reads the value of one dependency: a constraint, a table, or a list of tables.
func PoetryDeps(name string, value any) []PoetryDep {
	d := PoetryDep{Dep: Dep{Name: Normal(name)}}
	switch v := value.(type) {
	case string:
		d.Spec = v
	case []any:
		var list []PoetryDep
		for _, one := range v {
			if _, nested := one.([]any); !nested {
				list = append(list, PoetryDeps(name, one)...)
			}
		}
		return list
	case []map[string]any:
		var list []PoetryDep
		for _, one := range v {
			list = append(list, PoetryDeps(name, one)...)
		}
		return list
	case map[string]any:
		d.Spec, _ = v["version"].(string)
		d.Marker, _ = v["markers"].(string)
		d.optional, _ = v["optional"].(bool)
		d.Path, _ = v["path"].(string)
		if python, ok := v["python"].(string); ok {
			d.Marker = both(d.Marker, pythonMarker(python))
		}
		extras, _ := v["extras"].([]any)
		for _, e := range extras {
			if s, ok := e.(string); ok {
				d.Extras = append(d.Extras, Normal(s))
			}
		}
	}
	return []PoetryDep{d}
}

func both(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return "(" + a + ") and (" + b + ")"
}

// pythonMarker says a constraint on Python as a marker.
func pythonMarker(constraint string) string {
	var any []string
	for _, spec := range Constraint(constraint) {
		var all []string
		for clause := range strings.SplitSeq(spec, ",") {
			if version := strings.TrimLeft(clause, "<>=!~"); version != "" {
				all = append(all, fmt.Sprintf("python_full_version %s '%s'", clause[:len(clause)-len(version)], version))
			}
		}
		any = append(any, strings.Join(all, " and "))
	}
	if slices.Contains(any, "") {
		return ""
	}
	return strings.Join(any, " or ")
}

// Constraint says a constraint of Poetry's as specifiers of PEP 440, any of which suffices: "^3.1" is ">=3.1,<4".
func Constraint(text string) []string {
	var any []string
	for part := range strings.SplitSeq(text, "||") {
		var all []string
		for clause := range strings.FieldsFuncSeq(strings.NewReplacer("= ", "=", "< ", "<", "> ", ">", "^ ", "^", "~ ", "~").Replace(part), func(r rune) bool { return r == ',' || r == ' ' }) {
			all = append(all, constraintClause(clause))
		}
		any = append(any, strings.Trim(strings.Join(all, ","), ","))
	}
	return any
}

func constraintClause(c string) string {
	switch {
	case c == "*":
		return ""
	case c[0] == '^':
		return ">=" + c[1:] + ",<" + bump(c[1:], true)
	case c[0] == '~' && !strings.HasPrefix(c, "~="):
		return ">=" + c[1:] + ",<" + bump(c[1:], false)
	case strings.ContainsRune("<>!=~", rune(c[0])):
		if c[0] == '=' && !strings.HasPrefix(c, "==") {
			return "=" + c
		}
		return c
	}
	return "==" + c
}

// bump is the version that a caret or a tilde excludes: 2 for ^1.4, 0.5 for ^0.4.1, 1.5 for ~1.4.2.
func bump(version string, caret bool) string {
	parts := strings.Split(version, ".")
	n := min(1, len(parts)-1) // a tilde keeps the minor version where there is one
	if caret {
		for n = 0; n < len(parts)-1 && parts[n] == "0"; n++ {
		}
	}
	var major int
	if _, err := fmt.Sscanf(parts[n], "%d", &major); err != nil {
		return version
	}
	return strings.Join(append(slices.Clone(parts[:n]), fmt.Sprint(major+1)), ".")
}
