package detect

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

const maxCrates = 256 // packages of one workspace, that are read

// A cargoManifest is what is read of Cargo.toml.
type cargoManifest struct {
	Package *struct {
		Name        string `toml:"name"`
		DefaultRun  string `toml:"default-run"`
		Edition     any    `toml:"edition"`      // or {workspace = true}
		RustVersion any    `toml:"rust-version"` // or {workspace = true}
		Build       any    `toml:"build"`
		Autobins    *bool  `toml:"autobins"`
	} `toml:"package"`
	Lib *struct {
		Path string `toml:"path"`
	} `toml:"lib"`
	Bin     []cargoTarget `toml:"bin"`
	Example []cargoTarget `toml:"example"`
	Bench   []cargoTarget `toml:"bench"`
	Test    []cargoTarget `toml:"test"`
	cargoDependencies
	Target    map[string]cargoDependencies `toml:"target"`
	Workspace *struct {
		Members        []string       `toml:"members"`
		Exclude        []string       `toml:"exclude"`
		DefaultMembers []string       `toml:"default-members"`
		Dependencies   map[string]any `toml:"dependencies"`
		Package        struct {
			Edition     string `toml:"edition"`
			RustVersion string `toml:"rust-version"`
		} `toml:"package"`
	} `toml:"workspace"`
}

type cargoTarget struct {
	Name string `toml:"name"`
	Path string `toml:"path"`
}

type cargoDependencies struct {
	Dependencies map[string]any `toml:"dependencies"`
	Dev          map[string]any `toml:"dev-dependencies"`
	Build        map[string]any `toml:"build-dependencies"`
}

// decodeTOML reads a TOML file into v. The error is a [*ParseError].
func decodeTOML(file string, data []byte, v any) error {
	data = bytes.TrimPrefix(data, bom)
	if err := checkTOML(file, data, maxSigns); err != nil {
		return err
	}
	_, err := toml.Decode(string(data), v)
	if err == nil {
		return nil
	}
	if pe, ok := errors.AsType[toml.ParseError](err); ok {
		return &ParseError{File: file, Line: pe.Position.Line, Msg: cmp.Or(pe.Message, pe.Error())}
	}
	return &ParseError{File: file, Msg: strings.TrimPrefix(err.Error(), "toml: ")}
}

// A workspace is all packages of the tree that cargo sees from the root, the root's own first.
type workspace struct {
	packages []cratePackage
	defaults []string // folders of default-members
	root     cargoManifest
}

func readWorkspace(t *tree) (*workspace, error) {
	ws := &workspace{}
	if err := decodeManifest(t, "Cargo.toml", &ws.root); err != nil {
		return nil, err
	}
	dirs := []string{}
	if ws.root.Package != nil {
		dirs = append(dirs, ".")
	}
	if w := ws.root.Workspace; w != nil {
		members := slices.DeleteFunc(globDirs(t, w.Members), func(d string) bool {
			return slices.ContainsFunc(w.Exclude, func(e string) bool { return within(d, path.Clean(e)) })
		})
		dirs = append(dirs, members...)
		ws.defaults = globDirs(t, w.DefaultMembers)
	} else if ws.root.Package == nil {
		return nil, &ParseError{File: "Cargo.toml", Msg: "it has neither [package] nor [workspace]"}
	}
	inside := len(dirs)
	for i := 0; i < len(dirs) && i < maxCrates; i++ {
		c, err := ws.read(t, dirs[i])
		if err != nil {
			return nil, err
		}
		c.outside = i >= inside
		ws.packages = append(ws.packages, c)
		for _, d := range c.paths {
			if !slices.Contains(dirs, d) && t.has(path.Join(d, "Cargo.toml")) {
				dirs = append(dirs, d)
			}
		}
	}
	return ws, nil
}

func decodeManifest(t *tree, name string, m *cargoManifest) error {
	b, err := t.read(name)
	if err != nil {
		return err
	}
	return decodeTOML(name, b, m)
}

// globDirs returns the folders with a Cargo.toml that patterns name, in the order of patterns.
func globDirs(t *tree, patterns []string) []string {
	var list []string
	all := slices.Sorted(maps.Keys(t.dirs))
	for _, p := range patterns {
		p = path.Clean(p)
		for _, d := range all {
			if ok, err := path.Match(p, d); ok && err == nil && t.has(path.Join(d, "Cargo.toml")) && !slices.Contains(list, d) {
				list = append(list, d)
			}
		}
	}
	return list
}

// read reads the package in dir.
func (ws *workspace) read(t *tree, dir string) (cratePackage, error) {
	c := cratePackage{dir: dir, manifest: path.Join(dir, "Cargo.toml")}
	m := ws.root
	if dir != "." {
		m = cargoManifest{}
		if err := decodeManifest(t, c.manifest, &m); err != nil {
			return c, err
		}
	}
	if m.Package == nil || !programName.MatchString(m.Package.Name) {
		return c, &ParseError{File: c.manifest, Msg: "[package] has no name of letters, digits, - and _"}
	}
	c.name, c.defaultRun = m.Package.Name, m.Package.DefaultRun
	c.edition, _ = ws.inherited(m.Package.Edition, "edition", c.manifest)
	c.rustVersion, c.versionFrom = ws.inherited(m.Package.RustVersion, "rust-version", c.manifest)
	c.bins = programsOf(t, dir, m)
	for _, b := range c.bins {
		c.mains = append(c.mains, b.path)
	}
	if f := path.Join(dir, "src/lib.rs"); m.Lib != nil && m.Lib.Path != "" {
		c.lib = path.Join(dir, m.Lib.Path)
	} else if m.Lib != nil || t.has(f) {
		c.lib = f
	}
	if f, ok := m.Package.Build.(string); ok {
		c.mains = append(c.mains, path.Join(dir, f))
	} else if f := path.Join(dir, "build.rs"); m.Package.Build != false && t.has(f) {
		c.mains = append(c.mains, f)
	}
	for _, targets := range [][]cargoTarget{m.Example, m.Bench, m.Test} {
		for _, target := range targets {
			if target.Path != "" {
				c.mains = append(c.mains, path.Join(dir, target.Path))
			}
		}
	}
	c.mains = slices.DeleteFunc(c.mains, func(f string) bool { return !inTree(f) })
	if !inTree(c.lib) {
		c.lib = ""
	}
	ws.dependencies(&c, m)
	return c, nil
}

// inTree reports whether a cleaned path stays below the root.
func inTree(f string) bool { return f != ".." && !strings.HasPrefix(f, "../") && !path.IsAbs(f) }

// inherited reads a value that may be {workspace = true}, and says where it stands.
func (ws *workspace) inherited(v any, key, manifest string) (value, from string) {
	if table, ok := v.(map[string]any); ok && table["workspace"] == true && ws.root.Workspace != nil {
		w := ws.root.Workspace.Package
		return map[string]string{"edition": w.Edition, "rust-version": w.RustVersion}[key], "Cargo.toml workspace.package." + key
	}
	if v == nil {
		return "", ""
	}
	return fmt.Sprint(v), manifest + " " + key
}

// programsOf finds the programs of a package as cargo does.
func programsOf(t *tree, dir string, m cargoManifest) []crateBin {
	var list []crateBin
	add := func(name, file, why string) {
		known := slices.ContainsFunc(list, func(b crateBin) bool { return b.name == name || b.path == file })
		if name != "" && !known {
			list = append(list, crateBin{name, file, why})
		}
	}
	for _, b := range m.Bin {
		candidates := []string{path.Join("src/bin", b.Name+".rs"), path.Join("src/bin", b.Name, "main.rs")}
		if b.Name == m.Package.Name {
			candidates = append([]string{"src/main.rs"}, candidates...)
		}
		file := path.Join(dir, cmp.Or(b.Path, candidates[0]))
		for _, f := range candidates {
			if b.Path == "" && t.has(path.Join(dir, f)) {
				file = path.Join(dir, f)
				break
			}
		}
		add(b.Name, file, "[[bin]]")
	}
	if m.Package.Autobins != nil && !*m.Package.Autobins {
		return list
	}
	if f := path.Join(dir, "src/main.rs"); t.has(f) {
		add(m.Package.Name, f, "src/main.rs")
	}
	bin := path.Join(dir, "src/bin")
	for _, f := range t.in(bin) {
		if name, ok := strings.CutSuffix(path.Base(f), ".rs"); ok {
			add(name, f, "src/bin/"+path.Base(f))
		}
	}
	for _, d := range slices.Sorted(maps.Keys(t.dirs)) {
		if f := path.Join(d, "main.rs"); path.Dir(d) == bin && t.has(f) {
			add(path.Base(d), f, "src/bin/"+path.Base(d))
		}
	}
	return list
}

// dependencies collects what a package depends on.
func (ws *workspace) dependencies(c *cratePackage, m cargoManifest) {
	sets := []cargoDependencies{m.cargoDependencies}
	for _, name := range slices.Sorted(maps.Keys(m.Target)) {
		sets = append(sets, m.Target[name])
	}
	for _, s := range sets {
		for _, deps := range []map[string]any{s.Dependencies, s.Dev, s.Build} {
			for _, key := range slices.Sorted(maps.Keys(deps)) {
				ws.dependency(c, key, deps[key])
			}
		}
	}
}

func (ws *workspace) dependency(c *cratePackage, key string, v any) {
	table, _ := v.(map[string]any) // a plain string is a version
	base := c.dir
	if table["workspace"] == true && ws.root.Workspace != nil {
		table, _ = ws.root.Workspace.Dependencies[key].(map[string]any)
		base = "."
	}
	name, _ := table["package"].(string) // absent: the key is the name
	name = cmp.Or(name, key)
	c.deps = append(c.deps, name)
	if p, ok := table["path"].(string); ok {
		c.paths = append(c.paths, path.Join(base, p))
	} else {
		c.external = append(c.external, name)
	}
}
