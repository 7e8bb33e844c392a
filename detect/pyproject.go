package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"hop3/detect/internal/pypi"
)

// A pyproject is what hop3 reads of pyproject.toml (PEP 517, 621, and Poetry's table).
type pyproject struct {
	Project struct {
		Name         string              `toml:"name"`
		Python       string              `toml:"requires-python"`
		Dependencies []string            `toml:"dependencies"`
		Optional     map[string][]string `toml:"optional-dependencies"`
		Scripts      map[string]string   `toml:"scripts"`
	} `toml:"project"`
	BuildSystem struct {
		Backend string `toml:"build-backend"`
	} `toml:"build-system"`
	Tool struct {
		Poetry struct {
			Name         string         `toml:"name"`
			Dependencies map[string]any `toml:"dependencies"`
			Scripts      map[string]any `toml:"scripts"`
		} `toml:"poetry"`
	} `toml:"tool"`

	file  string
	lines []string
}

// readPyproject reads a pyproject.toml; one that is not there declares nothing.
func readPyproject(t *tree, file string) (pyproject, error) {
	doc := pyproject{file: file}
	if !t.has(file) {
		return doc, nil
	}
	b, err := t.read(file)
	if err != nil {
		return doc, err
	}
	doc.lines = strings.Split(string(b), "\n")
	return doc, decodeTOML(file, b, &doc)
}

// requirements are what the project itself asks for, by [project] or by Poetry.
func (d pyproject) requirements() ([]Requirement, error) {
	var list []Requirement
	for _, text := range d.Project.Dependencies {
		r, err := pypi.ParseRequirement(text)
		if err != nil {
			return nil, &ParseError{File: d.file, Line: d.lineOf(text), Msg: err.Error()}
		}
		list = append(list, requirementFrom(r, d.file, d.lineOf(text)))
	}
	for _, name := range sortedKeys(d.Tool.Poetry.Dependencies) {
		if name == "python" || slices.ContainsFunc(list, func(r Requirement) bool { return r.Name == pypi.Normal(name) }) {
			continue
		}
		for _, p := range pypi.PoetryDeps(name, d.Tool.Poetry.Dependencies[name]) {
			if p.Optional() {
				continue
			}
			r := Requirement{Name: p.Name, Extras: p.Extras, Marker: p.Marker, File: d.file, Line: d.lineOf(name)}
			if specs := pypi.Constraint(p.Spec); len(specs) == 1 {
				r.Spec = specs[0]
			}
			list = append(list, r)
		}
	}
	return list, nil
}

// lineOf returns the number of the first line that holds text, 0 if none does.
func (d pyproject) lineOf(text string) int {
	return 1 + slices.IndexFunc(d.lines, func(l string) bool { return strings.Contains(l, text) })
}

func requirementFrom(r pypi.Requirement, file string, line int) Requirement {
	return Requirement{Name: r.Name, Extras: r.Extras, Spec: r.Spec, Marker: r.Marker, URL: r.URL, File: file, Line: line}
}

// declaresDependencies reports whether pyproject.toml is more than settings of linters.
func declaresDependencies(t *tree) bool {
	doc, err := readPyproject(t, "pyproject.toml")
	return t.has("pyproject.toml") && (err != nil || doc.Project.Name != "" || len(doc.Project.Dependencies) > 0 || len(doc.Tool.Poetry.Dependencies) > 0)
}

// buildBackend is what pyproject.toml builds the project with, "" if it does not say.
func buildBackend(t *tree) string {
	doc, _ := readPyproject(t, "pyproject.toml") // a broken one says nothing here
	return doc.BuildSystem.Backend
}

// poetryPython is the constraint on Python of Poetry's table as a specifier, "" if it is none that PEP 440 can say.
func poetryPython(d pyproject) string {
	text, _ := d.Tool.Poetry.Dependencies["python"].(string)
	if specs := pypi.Constraint(text); text != "" && len(specs) == 1 {
		return specs[0]
	}
	return ""
}

// readProject installs what pyproject.toml asks for, as pip install . would.
func readProject(t *tree, p *Plan, file string) error {
	doc, err := readPyproject(t, file)
	if err != nil {
		return err
	}
	list, err := doc.requirements()
	if err != nil {
		return err
	}
	return p.resolveAtFirst(t, list, file)
}

// resolveAtFirst leaves it to pip to find versions for requirements that no file holds as pip reads them.
func (p *Plan) resolveAtFirst(t *tree, list []Requirement, file string) error {
	f := p.Python
	f.Requirements = list
	if len(list) == 0 {
		return nil
	}
	set := requirementSet{list: list}
	f.Text = set.text()
	f.LockDigest = digestOf(f.Text)
	if !slices.ContainsFunc(list, func(r Requirement) bool { return !r.Pinned() }) {
		return nil
	}
	p.warn(fmt.Sprintf("%s has no lock file: versions are those of the first build; commit one (uv lock, poetry lock, pip freeze)", file))
	return nil
}

// A pyScript is a program that the project declares: its name, the module and the function.
type pyScript struct{ name, module, function string }

// scripts are the programs of [project.scripts] or of Poetry's, sorted by name.
func (d pyproject) scripts() []pyScript {
	all := map[string]string{}
	for name, v := range d.Tool.Poetry.Scripts {
		all[name], _ = v.(string)
	}
	for name, v := range d.Project.Scripts {
		all[name] = v
	}
	var list []pyScript
	for _, name := range sortedKeys(all) {
		module, function, ok := strings.Cut(strings.TrimSpace(all[name]), ":")
		module, function = strings.TrimSpace(module), strings.TrimSpace(function)
		if ok && dottedName(module) && dottedName(function) {
			list = append(list, pyScript{name, module, function})
		}
	}
	return list
}

// dottedName reports whether s is a Python name with dots.
func dottedName(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || isDigit(part) || strings.IndexFunc(part, func(r rune) bool { return r > 0x7f || !wordByte(byte(r)) }) >= 0 {
			return false
		}
	}
	return true
}

// moduleFile returns the file of a module of the tree, "" if it is not there.
func moduleFile(t *tree, module string) string {
	p := strings.ReplaceAll(module, ".", "/")
	return t.first(p+".py", p+"/__init__.py", "src/"+p+".py", "src/"+p+"/__init__.py")
}

// localPackages puts the packages of the tree that a lock file names on the path.
func localPackages(t *tree, p *Plan, list []pypi.Package, file string) error {
	for _, q := range list {
		if q.Path == "" || q.Path == "." {
			continue
		}
		dir := path.Clean(q.Path)
		if !t.dirs[dir] {
			return &ParseError{File: file, Line: q.Line, Msg: fmt.Sprintf("%s comes from %s, which is not in the tree", q.Name, clip(q.Path))}
		}
		p.onPath(t, dir)
	}
	return nil
}
