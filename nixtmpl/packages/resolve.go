package packages

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// resolver chooses packages for the roots of a spec. Its answer depends only on
// the spec and the index.
type resolver struct {
	spec    spec
	index   *index
	exclude map[string]bool
	deps    map[string]map[string]bool // chosen package → packages that it needs
}

// resolve returns the groups of the spec, their dependencies without cycles,
// and the names of Python packages.
func resolve(s spec, x *index) (groups map[string]group, languages map[string]map[string]string, err error) {
	r := &resolver{spec: s, index: x, exclude: map[string]bool{}, deps: map[string]map[string]bool{}}
	for _, names := range s.Exclude {
		for _, n := range names {
			r.exclude[n] = true
		}
	}
	for _, root := range slices.Sorted(maps.Keys(s.Roots)) {
		for _, name := range s.Roots[root] {
			if err := r.choose(name); err != nil {
				return nil, nil, err
			}
		}
	}
	groupOf := r.merged()
	groups = r.groups(groupOf)
	languages = map[string]map[string]string{"python": r.python(groupOf)}
	for name, l := range s.Languages {
		languages[name] = l.names(groupOf)
	}
	return groups, languages, nil
}

// excluded says whether one package's need of another is ignored.
func (r *resolver) excluded(from, name string) bool {
	if !r.exclude[name] {
		return false
	}
	return !slices.ContainsFunc(r.spec.Keep[name], func(pattern string) bool {
		ok, err := path.Match(pattern, from)
		return err == nil && ok
	})
}

// choose adds a package and all that it needs.
func (r *resolver) choose(name string) error {
	if r.deps[name] != nil {
		return nil
	}
	p := r.index.packages[name]
	if p == nil {
		return fmt.Errorf("resolve packages: the index has no %s", name)
	}
	need := map[string]bool{}
	r.deps[name] = need
	for _, clause := range slices.Concat(parseRelation(p.preDepends), parseRelation(p.depends)) {
		dep, err := r.pick(name, clause)
		if err != nil {
			return fmt.Errorf("resolve %s: %w", name, err)
		}
		if dep != "" && dep != name {
			need[dep] = true
		}
	}
	for _, dep := range slices.Sorted(maps.Keys(need)) {
		if err := r.choose(dep); err != nil {
			return err
		}
	}
	return nil
}

// pick returns the package that serves a clause: what is chosen already before
// what is not, "" if an excluded package would do.
func (r *resolver) pick(from string, clause []string) (string, error) {
	for _, n := range clause {
		if r.excluded(from, n) {
			return "", nil
		}
		if r.deps[n] != nil {
			return n, nil
		}
	}
	for _, n := range clause {
		for _, p := range r.index.provides[n] {
			if r.deps[p] != nil {
				return p, nil
			}
		}
	}
	for _, n := range clause {
		if r.index.packages[n] != nil {
			return n, nil
		}
		for _, p := range r.index.provides[n] {
			if !r.excluded(from, p) {
				return p, nil
			}
		}
	}
	return "", fmt.Errorf("nothing provides %s", strings.Join(clause, " or "))
}

// merged says which group each package belongs to: those of the spec, then
// every remaining cycle becomes a group, named after its shortest member.
func (r *resolver) merged() map[string]string {
	groupOf := map[string]string{}
	for p := range r.deps {
		groupOf[p] = p
	}
	for g, members := range r.spec.Merge {
		for _, m := range members {
			if _, ok := groupOf[m]; ok {
				groupOf[m] = g
			}
		}
	}
	for _, cycle := range cycles(r.graph(groupOf)) {
		name := slices.MinFunc(cycle, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
		})
		for p, g := range groupOf {
			if slices.Contains(cycle, g) {
				groupOf[p] = name
			}
		}
	}
	return groupOf
}

// graph is the dependency graph between groups.
func (r *resolver) graph(groupOf map[string]string) map[string][]string {
	sets := map[string]map[string]bool{}
	for p, deps := range r.deps {
		g := groupOf[p]
		if sets[g] == nil {
			sets[g] = map[string]bool{}
		}
		for d := range deps {
			if to, ok := groupOf[d]; ok && to != g {
				sets[g][to] = true
			}
		}
	}
	out := map[string][]string{}
	for g, set := range sets {
		out[g] = slices.Sorted(maps.Keys(set))
	}
	return out
}

func (r *resolver) groups(groupOf map[string]string) map[string]group {
	out := map[string]group{}
	graph := r.graph(groupOf)
	for _, p := range slices.Sorted(maps.Keys(r.deps)) {
		name := groupOf[p]
		g := out[name]
		g.Debs = append(g.Debs, r.index.packages[p].pin())
		g.Deps = graph[name]
		if g.Deps == nil {
			g.Deps = []string{}
		}
		out[name] = g
	}
	for name, g := range out {
		g.Version = r.groupVersion(name, g)
		out[name] = g
	}
	return out
}

// groupVersion is the version of the group's first member in the spec's order,
// or of the package that gave the group its name.
func (r *resolver) groupVersion(name string, g group) string {
	order := append(slices.Clone(r.spec.Merge[name]), name)
	lead := slices.MinFunc(g.Debs, func(a, b debPin) int {
		ia, ib := slices.Index(order, a.Name), slices.Index(order, b.Name)
		return cmp.Compare(uint(ia), uint(ib)) // -1, not listed, sorts last
	})
	_, up, rev := splitVersion(lead.Version)
	if rev != "" {
		up += "-" + rev
	}
	return storeName(up)
}

// python maps the attributes of python3Packages to groups.
func (r *resolver) python(groupOf map[string]string) map[string]string {
	out := map[string]string{}
	for p, g := range groupOf {
		attr, named := r.spec.PythonNames[p]
		if !named {
			var ok bool
			if attr, ok = strings.CutPrefix(p, "python3-"); !ok || attr == "minimal" || slices.Contains(r.spec.Merge["python313"], p) {
				continue
			}
			attr = strings.ReplaceAll(attr, ".", "-")
		}
		if _, taken := out[attr]; !taken || named {
			out[attr] = g
		}
	}
	return out
}

// names maps the libraries of a language, by the names that it has for them, to
// groups.
func (l languageSpec) names(groupOf map[string]string) map[string]string {
	out := map[string]string{}
	for p, g := range groupOf {
		name, named := l.Names[p]
		if !named {
			rest, ok := strings.CutPrefix(p, l.Prefix)
			if name, named = strings.CutSuffix(rest, l.Suffix); !ok || !named || l.Only || name == "" {
				continue
			}
		}
		out[name] = g
	}
	return out
}

// cycles returns the strongly connected components with more than one node
// (Tarjan's algorithm), in an order that depends only on the graph.
func cycles(graph map[string][]string) [][]string {
	t := tarjan{graph: graph, index: map[string]int{}, low: map[string]int{}, on: map[string]bool{}}
	for _, v := range slices.Sorted(maps.Keys(graph)) {
		if t.index[v] == 0 {
			t.visit(v)
		}
	}
	return t.out
}

type tarjan struct {
	graph      map[string][]string
	index, low map[string]int // index counts from 1; 0 is "not seen"
	on         map[string]bool
	stack      []string
	out        [][]string
}

func (t *tarjan) visit(v string) {
	t.index[v] = len(t.index) + 1
	t.low[v] = t.index[v]
	t.stack, t.on[v] = append(t.stack, v), true
	for _, w := range t.graph[v] {
		if t.index[w] == 0 {
			t.visit(w)
			t.low[v] = min(t.low[v], t.low[w])
		} else if t.on[w] {
			t.low[v] = min(t.low[v], t.index[w])
		}
	}
	if t.low[v] != t.index[v] {
		return
	}
	i := slices.Index(t.stack, v)
	part := slices.Clone(t.stack[i:])
	t.stack = t.stack[:i]
	for _, w := range part {
		t.on[w] = false
	}
	if len(part) > 1 {
		t.out = append(t.out, part)
	}
}
