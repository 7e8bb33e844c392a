package pypi

import (
	"fmt"
	"slices"
	"strings"
)

const maxPackages = 20_000 // of one lock file; the largest public ones have some hundreds

// A Lock is a lock file, whichever tool wrote it.
type Lock struct {
	Tool     string // "uv", "poetry", "pdm", "pylock"
	Python   string // the versions of Python that it is for, "" if it does not say
	Packages []Package

	// Roots are what the app itself asks for. Without any, every package counts whose marker holds.
	Roots []Dep
}

// A Package is one version of a project.
type Package struct {
	Name, Version string
	Marker        string
	Optional      bool // only an extra of the app itself asks for it
	Deps          []Dep
	Extras        map[string][]Dep
	Files         []File
	Path          string // of a package of the tree itself, relative to the lock file
	Elsewhere     string // "git", "url" …: what it comes from when that is neither an index nor the tree
	Line          int
}

// A Dep is an edge between packages.
type Dep struct {
	Name    string
	Version string // where a lock has several of the name
	Extras  []string
	Marker  string
}

// A SyntaxError is a lock file that breaks its format. Line is 0 when the whole file is meant.
type SyntaxError struct {
	Line int
	Msg  string
}

func (e *SyntaxError) Error() string { return e.Msg }

// Select returns the packages to install in e, sorted by name. An edge to a package that the lock does not have, or a package
// whose file fits nothing, is an error.
func (l Lock) Select(e Env) ([]Package, error) {
	s := selection{lock: l, env: e, by: map[string][]int{}, taken: map[int][]string{}}
	for i, p := range l.Packages {
		s.by[p.Name] = append(s.by[p.Name], i)
	}
	if len(l.Roots) == 0 {
		for i, p := range l.Packages {
			if m, err := ParseMarker(p.Marker); err == nil && m.Holds(e) {
				s.taken[i] = nil
			}
		}
	}
	for _, d := range l.Roots {
		if err := s.follow("the app", d, nil); err != nil {
			return nil, err
		}
	}
	for len(s.todo) > 0 {
		v := s.todo[0]
		s.todo = s.todo[1:]
		if err := s.visit(v); err != nil {
			return nil, err
		}
	}
	var list []Package
	for i := range s.taken {
		list = append(list, l.Packages[i])
	}
	slices.SortFunc(list, func(a, b Package) int {
		return strings.Compare(a.Name+" "+a.Version, b.Name+" "+b.Version)
	})
	return list, nil
}

type selection struct {
	lock  Lock
	env   Env
	by    map[string][]int
	taken map[int][]string // extras that were followed, by index of the package
	todo  []visit
}

type visit struct {
	index int
	extra string // "" for the package itself
}

// follow takes the package at the end of an edge, if the edge counts here.
func (s *selection) follow(from string, d Dep, extras []string) error {
	e := s.env
	e.Extras = extras
	m, err := ParseMarker(d.Marker)
	if err != nil {
		return fmt.Errorf("%s needs %s if %w", from, d.Name, err)
	}
	if !m.Holds(e) {
		return nil
	}
	i, err := s.find(from, d)
	if err != nil || i < 0 {
		return err
	}
	had, seen := s.taken[i]
	if !seen {
		s.taken[i] = nil
		s.todo = append(s.todo, visit{i, ""})
	}
	for _, extra := range d.Extras {
		if extra = Normal(extra); !slices.Contains(had, extra) {
			s.taken[i] = append(s.taken[i], extra)
			s.todo = append(s.todo, visit{i, extra})
		}
	}
	return nil
}

// find returns the package that a Dep means, -1 if none of the name is for this environment.
func (s *selection) find(from string, d Dep) (int, error) {
	all := s.by[Normal(d.Name)]
	if len(all) == 0 {
		return 0, fmt.Errorf("%s needs %s, which the lock file does not have", from, d.Name)
	}
	for _, i := range all {
		p := s.lock.Packages[i]
		if d.Version != "" && d.Version != p.Version {
			continue
		}
		if m, err := ParseMarker(p.Marker); err != nil {
			return 0, fmt.Errorf("%s: %w", p.Name, err)
		} else if m.Holds(s.env) {
			return i, nil
		}
	}
	return -1, nil
}

func (s *selection) visit(v visit) error {
	p := s.lock.Packages[v.index]
	if v.extra != "" {
		for _, d := range p.Extras[v.extra] {
			if err := s.follow(p.Name, d, []string{v.extra}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, d := range p.Deps {
		if err := s.follow(p.Name, d, nil); err != nil {
			return err
		}
	}
	return nil
}

// Has returns the versions of a project in the lock.
func (l Lock) Has(name string) []string {
	var list []string
	for _, p := range l.Packages {
		if p.Name == Normal(name) {
			list = append(list, p.Version)
		}
	}
	return list
}
