package detect

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// PythonFacts are what the Python templates need beyond the plan.
type PythonFacts struct {
	Requirements []Requirement
	Files        []string // requirements files, the first is the one to install
	LockDigest   string   // of all Files, hex; "" without requirements
	Pinned       bool     // every requirement names one version
	Hashed       bool     // requirements carry --hash
	Collect      string   // what collects a Django app's static files, or ""
}

// has reports whether a project is required.
func (f *PythonFacts) has(name string) bool {
	return slices.ContainsFunc(f.Requirements, func(r Requirement) bool { return r.Name == name })
}

func claimPython(t *tree) []Evidence {
	var ev []Evidence
	for _, f := range []string{"requirements.txt", "pyproject.toml", "Pipfile", "uv.lock", "poetry.lock", "pdm.lock", "manage.py", "setup.py"} {
		if t.has(f) {
			ev = append(ev, Evidence{File: f, Why: "python project"})
		}
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

// buildBackend is what pyproject.toml builds the project with, "" if it does not say.
func buildBackend(t *tree) string {
	var doc struct {
		BuildSystem struct {
			Backend string `toml:"build-backend"`
		} `toml:"build-system"`
	}
	_ = toml.Unmarshal(t.source("pyproject.toml"), &doc) // a broken one says nothing here
	return doc.BuildSystem.Backend
}

func planPython(t *tree, p *Plan) error {
	p.Python = &PythonFacts{}
	p.env("PYTHONUNBUFFERED", "1")
	p.env("PYTHONDONTWRITEBYTECODE", "1")
	if err := pipOnly(t); err != nil {
		return err
	}
	p.Tool = Tool{Name: "python", From: p.Evidence[len(p.Evidence)-1].File}
	if t.has("requirements.txt") {
		set, err := readRequirements(t, "requirements.txt")
		if err != nil {
			return err
		}
		p.Tool = Tool{Name: "pip", From: "requirements.txt"}
		p.Python.Requirements, p.Python.Files, p.Python.Hashed = set.list, set.files, set.hashed
		if p.Python.LockDigest, err = t.digest(set.files); err != nil {
			return err
		}
		p.Python.Pinned = !slices.ContainsFunc(set.list, func(r Requirement) bool { return !r.Pinned() })
		for _, other := range []string{"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"} {
			if t.has(other) {
				p.warn(other + " is not used: requirements.txt wins")
			}
		}
	}
	p.Runtimes = []Runtime{pythonRuntime(t, p)}
	for _, f := range []string{"django", "fastapi", "flask", "litestar", "quart", "sanic", "starlette", "tornado"} {
		if p.Python.has(f) {
			p.Frameworks = append(p.Frameworks, f)
		}
	}
	return startPython(t, p)
}

// pipOnly refuses projects whose dependencies only another tool can read.
func pipOnly(t *tree) error {
	if t.has("requirements.txt") {
		return nil
	}
	for _, l := range []struct{ file, tool, export string }{
		{"uv.lock", "uv", "uv export --no-hashes -o requirements.txt"},
		{"poetry.lock", "poetry", "poetry export -o requirements.txt"},
		{"pdm.lock", "pdm", "pdm export -o requirements.txt"},
		{"Pipfile", "pipenv", "pipenv requirements > requirements.txt"},
		{"pyproject.toml", "pyproject.toml", "list the dependencies in requirements.txt"},
		{"setup.py", "setup.py", "list the dependencies in requirements.txt"},
	} {
		if t.has(l.file) && !(l.file == "pyproject.toml" && !declaresDependencies(t)) {
			return &UnsupportedError{What: l.tool, Evidence: l.file, Fix: "commit a requirements.txt: " + l.export}
		}
	}
	return nil
}

// declaresDependencies reports whether pyproject.toml is more than settings of linters.
func declaresDependencies(t *tree) bool {
	var doc struct {
		Project struct {
			Dependencies []string `toml:"dependencies"`
		} `toml:"project"`
		Tool struct {
			Poetry map[string]any `toml:"poetry"`
		} `toml:"tool"`
	}
	err := toml.Unmarshal(t.source("pyproject.toml"), &doc)
	return err != nil || len(doc.Project.Dependencies) > 0 || len(doc.Tool.Poetry) > 0
}

func pythonRuntime(t *tree, p *Plan) Runtime {
	var doc struct {
		Project struct {
			Requires string `toml:"requires-python"`
		} `toml:"project"`
	}
	_ = toml.Unmarshal(t.source("pyproject.toml"), &doc) // a broken one declares nothing; python is not its judge here
	requests := []request{
		p.asked("python"),
		{t.line(".python-version"), ".python-version"},
	}
	requests = append(requests, polyglot(t, "python")...)
	requests = append(requests,
		request{strings.ReplaceAll(doc.Project.Requires, " ", ""), "pyproject.toml requires-python"},
		request{strings.TrimPrefix(t.line("runtime.txt"), "python-"), "runtime.txt"})
	return runtime("python", requests, "3")
}

// startPython finds the web command by framework and by what the entry files declare.
func startPython(t *tree, p *Plan) error {
	if !p.wantsStart() {
		return nil
	}
	f := p.Python
	p.try("manage.py and its settings' wsgi.py or asgi.py")
	if t.has("manage.py") && startDjango(t, p) {
		return nil
	}
	p.try("an application object (Flask, FastAPI, Starlette, Quart, Litestar, Sanic, Django) in " + join(entryFiles()))
	if file, app, ok := findEntry(t, f); ok {
		command, why := app.command(f)
		if strings.HasPrefix(command, "flask ") {
			p.warn("the development server of Flask serves this app: add gunicorn to requirements.txt")
		}
		p.start("web", command, fmt.Sprintf("%s:%d %s", file, app.line, why))
		return nil
	}
	for _, file := range []string{"main.py", "app.py", "server.py", "bot.py"} {
		p.try(file)
		if t.has(file) {
			p.start("web", "python3 "+file, file)
			return nil
		}
	}
	return nil
}

var settingsModule = regexp.MustCompile(`DJANGO_SETTINGS_MODULE["']\s*,\s*["']([A-Za-z_][A-Za-z0-9_.]*)["']`)

// startDjango starts the wsgi or asgi module beside the settings that manage.py names.
func startDjango(t *tree, p *Plan) bool {
	f := p.Python
	m := settingsModule.FindSubmatch(t.source("manage.py"))
	if m == nil {
		return false
	}
	line := t.lineOf("manage.py", "DJANGO_SETTINGS_MODULE")
	pkg, _, _ := strings.Cut(string(m[1]), ".")
	if t.has(path.Join(pkg, "settings.py")) && strings.Contains(string(t.source(path.Join(pkg, "settings.py"))), "STATIC_ROOT") {
		f.Collect = "python3 manage.py collectstatic --noinput"
	}
	from := fmt.Sprintf("manage.py:%d DJANGO_SETTINGS_MODULE", line)
	wsgi, asgi := t.has(path.Join(pkg, "wsgi.py")), t.has(path.Join(pkg, "asgi.py"))
	switch {
	case wsgi && f.has("gunicorn"):
		p.start("web", "gunicorn --bind $HOST:$PORT "+pkg+".wsgi:application", from)
	case asgi && f.has("uvicorn"):
		p.start("web", "uvicorn --host $HOST --port $PORT "+pkg+".asgi:application", from)
	case asgi && f.has("daphne"):
		p.start("web", "daphne -b $HOST -p $PORT "+pkg+".asgi:application", from)
	default:
		p.warn("the development server of Django serves this app: add gunicorn to requirements.txt")
		p.start("web", "python3 manage.py runserver --noreload $HOST:$PORT", from)
	}
	return true
}

// command returns how the app is served with what is installed, and the reason.
func (a pyApp) command(f *PythonFacts) (command, why string) {
	target := a.module + ":" + a.object
	switch a.kind {
	case "FastAPI", "Starlette", "Quart", "Litestar", "ASGI", "get_asgi_application":
		flag := ""
		if a.factory {
			flag = "--factory "
		}
		switch {
		case f.has("uvicorn"):
			return "uvicorn " + flag + "--host $HOST --port $PORT " + target, a.kind
		case f.has("hypercorn"):
			return "hypercorn --bind $HOST:$PORT " + target, a.kind
		case f.has("fastapi") && f.hasExtra("fastapi", "standard"):
			return "fastapi run --host $HOST --port $PORT " + strings.ReplaceAll(a.module, ".", "/") + ".py", a.kind
		}
		return "uvicorn " + flag + "--host $HOST --port $PORT " + target, a.kind
	case "Sanic":
		return "sanic --host=$HOST --port=$PORT " + target, a.kind
	}
	if a.factory {
		target += "()"
	}
	switch {
	case f.has("gunicorn"):
		return "gunicorn --bind $HOST:$PORT " + shellWord(target), a.kind
	case f.has("uwsgi"):
		return "uwsgi --http $HOST:$PORT --module " + shellWord(target), a.kind
	case f.has("waitress"):
		return "waitress-serve --listen=$HOST:$PORT " + shellWord(target), a.kind
	case a.kind == "Flask":
		return "flask --app " + shellWord(target) + " run --host $HOST --port $PORT", a.kind
	}
	return "python3 " + strings.ReplaceAll(a.module, ".", "/") + ".py", a.kind
}

func (f *PythonFacts) hasExtra(name, extra string) bool {
	return slices.ContainsFunc(f.Requirements, func(r Requirement) bool { return r.Name == name && slices.Contains(r.Extras, extra) })
}
