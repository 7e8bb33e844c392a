package packages

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Versions returns the versions of each runtime that the set can give, newest
// first, as far as templates choose them: go "1.26", node "24", python "3.13",
// java "21". The attributes of the flake are go_1_26, nodejs_24, python313, jdk21.
func (s *Set) Versions() map[string][]string { return s.current().runtimeVersions(s.spec) }

func (l *lock) runtimeVersions(sp spec) map[string][]string {
	out := map[string][]string{
		"go":   newestFirst(slices.Collect(maps.Keys(l.Go))),
		"node": newestFirst(slices.Collect(maps.Keys(l.Node))),
	}
	for name, lines := range sp.Runtimes {
		for _, line := range lines {
			if v := l.lineOf(line); v != "" {
				out[name] = append(out[name], v)
			}
		}
		newestFirst(out[name])
	}
	for tool, lines := range l.Npm {
		out[tool] = newestFirst(slices.Collect(maps.Keys(lines)))
	}
	return out
}

// lineOf cuts the version of the line's package to its parts; "" if the lock
// does not have it.
func (l *lock) lineOf(line runtimeSpec) string {
	g := l.Groups[l.groupOf(line.Package)]
	for _, d := range g.Debs {
		if d.Name != line.Package {
			continue
		}
		parts := strings.Split(plainVersion(d.Version), ".")
		return strings.Join(parts[:min(len(parts), line.Parts)], ".")
	}
	return ""
}

// plainVersion is the leading run of digits and dots of an upstream version.
func plainVersion(v string) string {
	v = upstreamVersion(v)
	if i := strings.IndexFunc(v, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); i >= 0 {
		v = v[:i]
	}
	return strings.TrimRight(v, ".")
}

// Packages returns the libraries of a language by the names that they have
// there ("puma", "HTTP::Tiny"), with their upstream versions.
func (s *Set) Packages(language string) map[string]string {
	l := s.current()
	out := map[string]string{}
	for name, g := range l.Languages[language] {
		out[name] = upstreamVersion(l.Groups[g].Version)
	}
	return out
}

// PythonPackages returns the attributes of python3Packages with their upstream
// versions.
func (s *Set) PythonPackages() map[string]string { return s.Packages("python") }

// rootsOf returns the roots of one need and the versions of the runtimes that
// it takes.
func (l *lock) rootsOf(sp spec, n Need) (roots []string, runtimes map[string]string, err error) {
	named, ok := sp.Stacks[n.Stack]
	if !ok {
		named = []string{"base"}
	}
	if n.Native {
		named = slices.Concat(named, sp.Native)
	}
	if n.Stack == "python" && len(n.Python)+len(n.Packages["python"]) == 0 {
		named = slices.Concat(named, []string{"pythonWeb"})
	}
	runtimes = maps.Clone(n.Versions)
	if runtimes == nil {
		runtimes = map[string]string{}
	}
	for _, r := range slices.Concat(named, n.Roots) {
		runtime, is := strings.CutPrefix(r, runtimeMark)
		if !is {
			roots = append(roots, r)
		} else if _, chosen := runtimes[runtime]; !chosen {
			runtimes[runtime] = ""
		}
	}
	have := l.runtimeVersions(sp)
	for _, runtime := range slices.Sorted(maps.Keys(runtimes)) {
		pins := map[string]bool{}
		for _, v := range have[runtime] {
			pins[v] = true
		}
		v, err := chooseLine(runtime, runtimes[runtime], pins)
		if err != nil {
			return nil, nil, err
		}
		runtimes[runtime] = v
		for _, line := range sp.Runtimes[runtime] {
			if l.lineOf(line) == v {
				roots = append(roots, line.Roots...)
			}
		}
	}
	return roots, runtimes, nil
}

// groupsOf returns the groups of one need with all that they need.
func (l *lock) groupsOf(sp spec, n Need) ([]string, error) {
	roots, runtimes, err := l.rootsOf(sp, n)
	if err != nil {
		return nil, err
	}
	var groups []string
	add := func(names []string) {
		for _, name := range names {
			if g := l.groupOf(name); g != "" {
				groups = append(groups, g)
			}
		}
	}
	for _, root := range roots {
		add(sp.Roots[root])
	}
	for tool := range runtimes {
		add(sp.Npm[tool].Needs)
	}
	libraries := maps.Clone(n.Packages)
	if len(n.Python) > 0 {
		libraries = map[string][]string{"python": slices.Concat(n.Python, n.Packages["python"])}
		maps.Insert(libraries, maps.All(withoutKey(n.Packages, "python")))
	}
	for _, language := range slices.Sorted(maps.Keys(libraries)) {
		for _, name := range libraries[language] {
			g, ok := l.Languages[language][name]
			if !ok {
				return nil, &VersionError{Stack: language + " package", Version: name, Have: slices.Sorted(maps.Keys(l.Languages[language]))}
			}
			groups = append(groups, g)
		}
	}
	return l.closure(groups...), nil
}

func withoutKey[V any](m map[string]V, key string) map[string]V {
	out := maps.Clone(m)
	delete(out, key)
	return out
}

// npmTools returns the files of the runtimes of one need that are npm packages.
func (l *lock) npmTools(sp spec, n Need) ([]file, error) {
	_, runtimes, err := l.rootsOf(sp, n)
	if err != nil {
		return nil, err
	}
	var out []file
	for _, tool := range slices.Sorted(maps.Keys(runtimes)) {
		if pin, ok := l.Npm[tool][runtimes[tool]]; ok {
			out = append(out, pin.file())
		}
	}
	return out, nil
}

// npmList lists the pinned npm tools for people.
func (l *lock) npmList() []Package {
	var out []Package
	for _, tool := range slices.Sorted(maps.Keys(l.Npm)) {
		for _, v := range newestFirst(slices.Collect(maps.Keys(l.Npm[tool]))) {
			p := l.Npm[tool][v]
			out = append(out, Package{Name: tool, Version: p.Version, From: sourceNpm, Files: []string{p.File}, Size: p.Size})
		}
	}
	return out
}

// addNpmVersions completes the list of versions of lock.versions.
func (l *lock) addNpmVersions(out map[string]string) {
	for tool, lines := range l.Npm {
		for line, p := range lines {
			out[fmt.Sprintf("%s %s", tool, line)] = p.Version
		}
	}
}
