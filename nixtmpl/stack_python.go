package nixtmpl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hop3/detect"
	"hop3/detect/constraint"
	"hop3/nixtmpl/packages"
)

func pythonRule() rule {
	return rule{resolve: resolvePython, view: viewPython, need: needPython}
}

func pythonRuntime() runtimeRule {
	return runtimeRule{
		choose: choosePython,
		attr:   func(n []int) string { return fmt.Sprintf("python%d%d", n[0], at(n, 1)) },
	}
}

// pythonMachines are the systems of a flake and what Python calls their machines.
func pythonMachines() map[string]string {
	return map[string]string{"x86_64-linux": "x86_64", "aarch64-linux": "aarch64"}
}

// A pythonView is what the templates of locked and of resolved packages need.
type pythonView struct {
	Any      []string            // files for every system
	Only     map[string][]string // files by system
	ByName   bool                // the lock names no address of some file
	Sources  bool                // some file is a source archive
	Native   bool                // some file holds machine code
	Backends []string            // packages of the set that build source archives
	Libs     []string            // what the source archives are compiled against
	Pipenv   bool                // the requirements are those of Pipfile.lock
	Reqs     string              // the requirements file that pip reads
}

// resolvePython takes the packages of the set when they satisfy everything, else files by the hashes of the lock file, else
// what pip finds.
func resolvePython(p detect.Plan, o RenderOptions, r *Resolution) error {
	f := p.Python
	if f.Lock != "" {
		return resolveLocked(p, o, r)
	}
	why := wheelsBecause(f, o.PythonPackages, r.Version)
	if why == "" {
		r.setPython(p, o, requiredNames(f, r.Version))
		return nil
	}
	r.Template, r.Layers = "python/wheels", []string{"wheels", "deps"}
	r.Fixed = []FixedOutput{fixed("wheels-"+r.Attr, f.LockDigest)}
	if !f.Pinned {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s does not pin every version (%s): the wheels of the first build are kept until it changes", p.Tool.From, why))
	}
	return nil
}

func requiredNames(f *detect.PythonFacts, python string) []string {
	var names []string
	for _, q := range f.Requirements {
		if q.Applies(python) {
			names = append(names, q.Name)
		}
	}
	return names
}

// setPython takes packages of the set, and the web server that the app lacks.
func (r *Resolution) setPython(p detect.Plan, o RenderOptions, names []string) {
	if s := p.Python.Server; s != "" && (o.PythonPackages == nil || o.PythonPackages[s] != "") {
		names = append(names, s)
	}
	slices.Sort(names)
	r.Template, r.Layers, r.PythonAttrs = "python/packages", []string{"deps"}, slices.Compact(names)
}

// resolveLocked takes the set's packages where they are what the lock file says, to the version.
func resolveLocked(p detect.Plan, o RenderOptions, r *Resolution) error {
	files, err := p.Python.Locked(r.Version, "x86_64")
	if err != nil {
		return err
	}
	same := !slices.ContainsFunc(files, func(f detect.PythonFile) bool { return o.PythonPackages[f.Package] != f.Version })
	if same {
		var names []string
		for _, f := range files {
			names = append(names, f.Package)
		}
		r.setPython(p, o, names)
		return nil
	}
	r.Template, r.Layers = "python/locked", []string{"deps"}
	return nil
}

func viewPython(p detect.Plan, r Resolution, v *view) {
	v.Collect = p.Python.Collect != ""
	s := pythonView{Only: map[string][]string{}, Pipenv: p.Tool.From == "Pipfile.lock", Reqs: "requirements.hop3.txt"}
	if len(p.Python.Files) > 0 && p.Python.Text == "" && !s.Pipenv {
		s.Reqs = p.Python.Files[0]
	}
	s.Backends = []string{"pip"}
	switch r.Template {
	case "python/locked":
		s.locked(p, r.Version)
	case "python/wheels":
		s.sources(p.Python)
	}
	v.Stack = s
}

// sourceBackends are the packages of the set that build source archives, as far as it has them.
func sourceBackends() []string {
	return []string{"pip", "setuptools", "wheel", "hatchling", "poetry-core", "flit-core", "pdm-backend"}
}

// sources finds out whether a requirement is one that is published without wheels for Linux: then pip may fetch sources, and
// what they are compiled against has to be there.
func (s *pythonView) sources(f *detect.PythonFacts) {
	for _, q := range f.Requirements {
		libs, known := pythonSources()[q.Name]
		s.Sources = s.Sources || known
		s.Libs = append(s.Libs, libs...)
	}
	slices.Sort(s.Libs)
	if s.Libs = slices.Compact(s.Libs); s.Sources {
		s.Backends = sourceBackends()
	}
}

// pythonSources are well-known projects without wheels for Linux, and the libraries that they compile against.
func pythonSources() map[string][]string {
	all := map[string][]string{"uwsgi": nil}
	for _, name := range []string{"psycopg2", "psycopg-c", "mysqlclient", "pycairo", "python-ldap", "xmlsec"} {
		all[name] = pythonLibs()[name]
	}
	return all
}

// locked sorts the files of the lock: those for every system, and those of each.
func (s *pythonView) locked(p detect.Plan, python string) {
	count := map[string]int{}
	libs := map[string]bool{}
	for system, machine := range pythonMachines() {
		files, err := p.Python.Locked(python, machine)
		if err != nil {
			continue // nothing for this machine: the flake says so when it is built there
		}
		for _, f := range files {
			s.Only[system] = append(s.Only[system], f.Name)
			count[f.Name]++
			s.ByName = s.ByName || !f.Address
			s.Sources = s.Sources || f.Source
			s.Native = s.Native || f.Native
			for _, lib := range pythonLibs()[f.Package] {
				libs[lib] = libs[lib] || f.Source
			}
		}
	}
	for _, names := range s.Only {
		s.Any = append(s.Any, slices.DeleteFunc(slices.Clone(names), func(n string) bool { return count[n] < len(s.Only) })...)
	}
	all := len(s.Only)
	for system, names := range s.Only {
		s.Only[system] = slices.DeleteFunc(names, func(n string) bool { return count[n] == all })
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(s.Only)), func(names []string) bool { return len(names) > 0 }) {
		s.Only = nil
	}
	slices.Sort(s.Any)
	s.Any = slices.Compact(s.Any)
	for lib, source := range libs {
		if source {
			s.Libs = append(s.Libs, lib)
		}
	}
	slices.Sort(s.Libs)
	if s.Sources {
		s.Backends = sourceBackends()
	}
}

// pythonLibs are the libraries that well-known projects compile against.
func pythonLibs() map[string][]string {
	return map[string][]string{
		"psycopg2": {"libpq", "libpq.pg_config"}, "psycopg-c": {"libpq", "libpq.pg_config"}, "mysqlclient": {"libmysqlclient", "pkg-config"},
		"lxml": {"libxml2", "libxslt"}, "pycairo": {"cairo", "pkg-config"}, "cffi": {"libffi"}, "pillow": {"zlib", "libjpeg"},
		"python-ldap": {"openldap", "cyrus_sasl"}, "pyodbc": {"unixODBC"}, "xmlsec": {"xmlsec", "libxml2", "pkg-config"}, "h5py": {"hdf5"},
	}
}

func needPython(p detect.Plan, r Resolution, n *packages.Need) {
	if r.Template == "python/packages" {
		return
	}
	n.Python = []string{"pip", "setuptools", "wheel"}
	if p.Python.Server != "" {
		n.Python = append(n.Python, p.Python.Server)
	}
	s := pythonView{Only: map[string][]string{}}
	if r.Template == "python/locked" {
		s.locked(p, r.Version)
	} else {
		s.sources(p.Python)
	}
	n.Native = s.Sources
}

// wheelsBecause returns the first requirement that the set cannot satisfy, "" if there is none.
func wheelsBecause(f *detect.PythonFacts, have map[string]string, python string) string {
	if f.Hashed {
		return "it carries hashes"
	}
	for _, q := range f.Requirements {
		version, ok := have[q.Name]
		switch {
		case !q.Applies(python):
		case len(q.Extras) > 0:
			return q.Name + " has extras"
		case q.URL != "":
			return q.Name + " comes from an address"
		case have == nil && q.Spec != "":
			return q.Name + q.Spec
		case have == nil:
		case !ok:
			return q.Name + " is not in the package set"
		case !satisfies(version, q.Spec):
			return fmt.Sprintf("%s%s, and the package set has %s", q.Name, q.Spec, version)
		}
	}
	return ""
}

func choosePython(want string, have []string) string {
	want = strings.TrimSpace(strings.TrimPrefix(strings.ToLower(want), "python"))
	want = strings.TrimPrefix(strings.TrimPrefix(want, "-"), "==")
	if exact := numbers(strings.TrimSuffix(want, ".*")); exact != nil {
		exact = exact[:min(len(exact), 2)]
		for _, v := range have {
			if slices.Equal(numbers(v)[:min(len(exact), len(numbers(v)))], exact) {
				return v
			}
		}
		return ""
	}
	s, err := constraint.Poetry(want)
	if err != nil {
		return ""
	}
	return s.Newest(have)
}
