package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"hop3/detect/internal/pypi"
)

// PythonFacts are what the Python templates need beyond the plan.
type PythonFacts struct {
	Requirements []Requirement // what the app itself asks for
	Files        []string      // files that the packages layer reads; of requirements files the first is the one to install
	LockDigest   string        // of what decides the packages, hex; "" without any
	Pinned       bool          // every requirement names one version
	Hashed       bool          // requirements carry hashes
	Lock         string        // the lock file whose files are installed, "" where pip resolves
	Text         string        // requirements for pip, where no file of the tree says them alone
	Manage       string        // Django's manage.py, "" without one
	Settings     string        // Django's settings module
	Collect      string        // what collects a Django app's static files, or ""
	Server       string        // the package of a web server that the app does not bring: "gunicorn"

	lock      pypi.Lock
	installed []string // names in the lock that this app installs
}

// has reports whether a project is installed, by what the app asks for or by its lock file.
func (f *PythonFacts) has(name string) bool {
	return slices.ContainsFunc(f.Requirements, func(r Requirement) bool { return r.Name == name }) || slices.Contains(f.installed, name)
}

func (f *PythonFacts) hasExtra(name, extra string) bool {
	return slices.ContainsFunc(f.Requirements, func(r Requirement) bool { return r.Name == name && slices.Contains(r.Extras, extra) })
}

// requirementFiles are the names under which projects keep what pip installs in production, in the order in which they are tried.
func requirementFiles() []string {
	return []string{"requirements.txt", "requirements/production.txt", "requirements/prod.txt", "requirements-prod.txt", "requirements/base.txt", "requirements/requirements.txt"}
}

func claimPython(t *tree) []Evidence {
	var ev []Evidence
	for _, f := range append(requirementFiles(), "pyproject.toml", "Pipfile", "uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "manage.py", "setup.py", "setup.cfg") {
		if !t.has(f) || f == "setup.cfg" && !declaresSetup(t) {
			continue
		}
		e := Evidence{File: f, Why: "python project"}
		if strings.Contains(f, "/") && len(ev) == 0 {
			e.Weight = weightEntry
		}
		ev = append(ev, e)
	}
	if len(ev) == 0 {
		if f := t.first("app.py", "main.py", "wsgi.py", "asgi.py", "server.py", "bot.py"); f != "" {
			ev = append(ev, Evidence{File: f, Why: "program without a manifest"})
		}
	}
	return ev
}

// pythonEntry returns the file that a Python server starts from, "" if there is none.
func pythonEntry(t *tree) string {
	return t.first("manage.py", "app.py", "main.py", "wsgi.py", "asgi.py", "server.py")
}

func planPython(t *tree, p *Plan) error {
	p.Python = &PythonFacts{}
	p.env("PYTHONUNBUFFERED", "1")
	p.env("PYTHONDONTWRITEBYTECODE", "1")
	p.Tool = Tool{Name: "python", From: p.Evidence[len(p.Evidence)-1].File}
	if err := readPythonPackages(t, p); err != nil {
		return err
	}
	p.Runtimes = []Runtime{pythonRuntime(t, p)}
	for _, f := range []string{
		"django", "fastapi", "flask", "litestar", "quart", "sanic", "starlette", "tornado", "aiohttp", "bottle", "falcon",
		"python-fasthtml", "streamlit", "gradio", "dash",
	} {
		if slices.ContainsFunc(p.Python.Requirements, func(r Requirement) bool { return r.Name == f }) {
			p.Frameworks = append(p.Frameworks, strings.TrimPrefix(f, "python-"))
		}
	}
	if srcLayout(t) && !t.has("src/__init__.py") {
		p.env("PYTHONPATH", "src")
	}
	if err := startPython(t, p); err != nil {
		return err
	}
	proposeMigrations(t, p)
	proposeTools(p)
	return nil
}

// A pyTool is a way to say what is installed: the file that tells it from others, and who reads it.
type pyTool struct {
	name, file string
	read       func(t *tree, p *Plan, file string) error
}

// pythonTools is in the order in which they are tried. requirements.txt is first: beside a lock file it is the export that
// its author deploys.
func pythonTools(t *tree) []pyTool {
	var list []pyTool
	for _, f := range requirementFiles() {
		list = append(list, pyTool{"pip", f, readPip})
	}
	list = append(list,
		pyTool{"uv", "uv.lock", readLocked(pypi.ParseUV)},
		pyTool{"poetry", "poetry.lock", readLocked(pypi.ParsePoetry)},
		pyTool{"pdm", "pdm.lock", readLocked(pypi.ParsePDM)},
		pyTool{"pylock", "pylock.toml", readLocked(pypi.ParsePylock)},
		pyTool{"pipenv", "Pipfile.lock", readPipenv},
		pyTool{"pipenv", "Pipfile", readPipfile})
	if declaresDependencies(t) {
		list = append(list, pyTool{"pip", "pyproject.toml", readProject})
	}
	if declaresSetup(t) {
		list = append(list, pyTool{"pip", "setup.cfg", readSetup})
	}
	return append(list, pyTool{"pip", "setup.py", readSetup})
}

// readPythonPackages finds what is installed. A losing lock file is told; a manifest beside its own lock is none.
func readPythonPackages(t *tree, p *Plan) error {
	var winner pyTool
	for _, tool := range pythonTools(t) {
		switch {
		case !t.has(tool.file):
		case winner.name == "":
			winner = tool
		case path.Ext(tool.file) == ".lock" || tool.file == "pylock.toml":
			p.warn(fmt.Sprintf("%s is not used: %s wins", tool.file, winner.file))
		}
	}
	if winner.name == "" {
		return nil
	}
	p.Tool = Tool{Name: winner.name, From: winner.file}
	if err := winner.read(t, p, winner.file); err != nil {
		return err
	}
	f := p.Python
	f.Pinned = !slices.ContainsFunc(f.Requirements, func(r Requirement) bool { return !r.Pinned() })
	return nil
}

// readPip reads requirements files as they are.
func readPip(t *tree, p *Plan, file string) error {
	set, err := readRequirements(t, file)
	if err != nil {
		return err
	}
	f := p.Python
	f.Requirements, f.Files, f.Hashed = set.list, set.files, set.hashed
	if len(set.local) > 0 {
		if err := addLocal(t, p, &set); err != nil {
			return err
		}
		f.Requirements, f.Text = set.list, set.text()
	}
	f.LockDigest, err = t.digest(set.files)
	return err
}

// addLocal replaces the packages of the tree itself, which pip would build, by what they need and a place on the path.
func addLocal(t *tree, p *Plan, set *requirementSet) error {
	for _, dir := range set.local {
		project, err := readPyproject(t, path.Join(dir, "pyproject.toml"))
		if err != nil {
			return err
		}
		list, err := project.requirements()
		if err != nil {
			return err
		}
		if len(list) == 0 {
			if list, err = setupRequirements(t, dir); err != nil {
				return err
			}
		}
		set.list = append(set.list, list...)
		p.onPath(t, dir)
	}
	return nil
}

// onPath makes the packages of a folder of the tree importable.
func (p *Plan) onPath(t *tree, dir string) {
	if t.dirs[path.Join(dir, "src")] {
		dir = path.Join(dir, "src")
	}
	if dir == "." {
		return // the working folder is on the path of what starts here
	}
	if slices.Contains(pyBases(p), dir) {
		return
	}
	if old := p.Manifest.Env["PYTHONPATH"]; old != "" {
		dir = old + ":" + dir
	}
	p.Manifest.Env["PYTHONPATH"] = dir
}

func pythonRuntime(t *tree, p *Plan) Runtime {
	project, _ := readPyproject(t, "pyproject.toml") // a broken one declares nothing; python is not its judge here
	pin := pinned(t, ".python-version", "python-", "cpython-", "cpython@", "python")
	if pin.version != "" && (pin.version[0] < '0' || pin.version[0] > '9') {
		p.warn(fmt.Sprintf(".python-version names %s, which is no version of CPython: it is ignored", clip(pin.version)))
		pin.version = ""
	}
	requests := append([]request{p.asked("python"), pin}, polyglot(t, "python")...)
	requests = append(requests,
		request{strings.ReplaceAll(project.Project.Python, " ", ""), "pyproject.toml requires-python"},
		request{poetryPython(project), "pyproject.toml tool.poetry.dependencies.python"})
	if p.Python.Lock != "" && project.Project.Python == "" && !strings.ContainsAny(p.Python.lock.Python, "|^~") {
		requests = append(requests, request{strings.ReplaceAll(p.Python.lock.Python, " ", ""), p.Python.Lock})
	}
	requests = append(requests,
		request{pipfilePython(t), "Pipfile requires"},
		request{strings.TrimPrefix(t.line("runtime.txt"), "python-"), "runtime.txt"})
	return runtime("python", requests, "3")
}

func isDigit(s string) bool { return s != "" && '0' <= s[0] && s[0] <= '9' }
