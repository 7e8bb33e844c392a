package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// startPython finds the web command by framework and by what the entry files declare.
func startPython(t *tree, p *Plan) error {
	f := p.Python
	f.Manage = findManage(t)
	if f.Manage != "" {
		p.onPath(t, path.Dir(f.Manage))
		djangoStatic(t, p)
	}
	if !p.wantsStart() {
		return nil
	}
	p.try("manage.py and its settings' wsgi.py or asgi.py")
	if f.Manage != "" && startDjango(t, p) {
		return nil
	}
	if startPage(t, p) {
		return nil
	}
	p.try("an application object (Flask, FastAPI, Starlette, Quart, Litestar, Sanic, aiohttp, Bottle, Django) in " + join(entryFiles()))
	if app, ok := findEntry(t, p); ok {
		command, why := app.command(p)
		p.start("web", command, fmt.Sprintf("%s:%d %s", app.file, app.line, why))
		return nil
	}
	p.try("the only program of [project.scripts]")
	if startScript(t, p) {
		return nil
	}
	for _, file := range []string{"main.py", "app.py", "server.py", "bot.py", "start.py"} {
		p.try(file)
		if t.has(file) {
			p.start("web", "python3 "+file, file)
			return nil
		}
	}
	p.try("the __main__.py of the only package")
	if pkg := onlyMain(t); pkg != "" {
		p.start("web", "python3 -m "+pyModuleName(p, pkg), pkg+"/__main__.py")
		return nil
	}
	p.try("the only file at the root that is run as a program")
	if file, line := onlyProgram(t); file != "" {
		p.start("web", "python3 "+shellWord(file), fmt.Sprintf("%s:%d __main__", file, line))
	}
	return nil
}

// onlyProgram is the only file at the root with a line if __name__ == "__main__", and that line; "" if there are none or several.
func onlyProgram(t *tree) (file string, line int) {
	for _, f := range t.in(".") {
		if path.Ext(f) != ".py" || slices.Contains([]string{"setup.py", "manage.py", "conftest.py", "noxfile.py", "tasks.py", "fabfile.py"}, f) {
			continue
		}
		for _, l := range pyLines(string(t.source(f))) {
			if l.indent == 0 && l.is(0, "if") && l.name(1) == "__name__" {
				if file != "" && file != f {
					return "", 0
				}
				file, line = f, l.line
			}
		}
	}
	return file, line
}

// findManage is Django's manage.py: at the root, else the only one in a folder of it; "" if there is none.
func findManage(t *tree) string {
	if t.has("manage.py") {
		return "manage.py"
	}
	found := ""
	for d := range t.dirs {
		if f := path.Join(d, "manage.py"); d != "." && !strings.Contains(d, "/") && !hidden(d) && t.has(f) {
			if found != "" {
				return ""
			}
			found = f
		}
	}
	return found
}

// startScript starts the single program that the project declares. It is called by its function: nothing has to be installed.
func startScript(t *tree, p *Plan) bool {
	doc, err := readPyproject(t, "pyproject.toml")
	list := doc.scripts()
	if err != nil || len(list) != 1 || moduleFile(t, list[0].module) == "" {
		return false
	}
	s := list[0]
	from := fmt.Sprintf("pyproject.toml:%d scripts.%s", doc.lineOf(s.module), s.name)
	top, _, _ := strings.Cut(s.function, ".")
	p.start("web", fmt.Sprintf("python3 -c 'from %s import %s; raise SystemExit(%s())'", s.module, top, s.function), from)
	return true
}

func onlyMain(t *tree) string {
	var found []string
	for _, f := range t.order {
		dir := path.Dir(f)
		if path.Base(f) == "__main__.py" && strings.Count(strings.TrimPrefix(dir, "src/"), "/") == 0 {
			found = append(found, dir)
		}
	}
	if len(found) != 1 || found[0] == "." {
		return ""
	}
	return found[0]
}

// startPage starts the frameworks that run a script themselves: Streamlit and Gradio.
func startPage(t *tree, p *Plan) bool {
	for _, file := range []string{"streamlit_app.py", "app.py", "main.py", "Home.py", "home.py", "dashboard.py", "demo.py", "src/app.py"} {
		if !t.has(file) {
			continue
		}
		m := readModule(string(t.source(file)))
		switch {
		case p.Python.has("streamlit") && m.imported("streamlit"):
			p.start("web", "streamlit run "+shellWord(file)+" --server.address $HOST --server.port $PORT --server.headless true", fmt.Sprintf("%s:%d imports streamlit", file, m.importLine("streamlit")))
			return true
		case p.Python.has("gradio") && m.imported("gradio"):
			p.start("web", "env GRADIO_SERVER_NAME=$HOST GRADIO_SERVER_PORT=$PORT python3 "+shellWord(file), fmt.Sprintf("%s:%d imports gradio", file, m.importLine("gradio")))
			return true
		}
	}
	return false
}

// djangoSettings is the module that manage.py names, and the line.
func djangoSettings(t *tree, manage string) (string, int) {
	for _, l := range pyLines(string(t.source(manage))) {
		for i, tok := range l.tokens {
			if tok.kind != 's' || tok.text != "DJANGO_SETTINGS_MODULE" {
				continue
			}
			for _, next := range l.tokens[i+1:] {
				if next.kind == 's' && dottedName(next.text) {
					return next.text, l.line
				}
			}
		}
	}
	return "", 0
}

// djangoStatic finds out whether static files are collected at build time: the settings say where to, and nothing says not to.
func djangoStatic(t *tree, p *Plan) {
	f := p.Python
	f.Settings, _ = djangoSettings(t, f.Manage)
	off := p.Manifest.Env["DISABLE_COLLECTSTATIC"]
	if f.Settings == "" || off != "" && off != "0" {
		return
	}
	if own := p.Manifest.Env["DJANGO_SETTINGS_MODULE"]; dottedName(own) {
		f.Settings = own
	}
	module := path.Join(path.Dir(f.Manage), strings.ReplaceAll(f.Settings, ".", "/"))
	files := []string{module + ".py", module + "/__init__.py", path.Join(path.Dir(module), "base.py"), path.Join(path.Dir(module), "common.py")}
	for _, file := range append(files, t.in(module)...) {
		for _, l := range pyLines(string(t.source(file))) {
			if l.name(0) == "STATIC_ROOT" && l.is(1, "=") {
				f.Collect = "python3 " + shellWord(f.Manage) + " collectstatic --noinput"
				return
			}
		}
	}
}

// startDjango starts the wsgi or asgi module of the package that holds the settings.
func startDjango(t *tree, p *Plan) bool {
	f := p.Python
	settings, line := djangoSettings(t, f.Manage)
	if settings == "" {
		return false
	}
	pkg, _, _ := strings.Cut(settings, ".")
	from := fmt.Sprintf("%s:%d DJANGO_SETTINGS_MODULE", f.Manage, line)
	dir := path.Join(path.Dir(f.Manage), pkg)
	module := func(name string) bool {
		return t.first(path.Join(dir, name+".py"), path.Join(dir, name, "__init__.py")) != ""
	}
	wsgi, asgi := module("wsgi"), module("asgi")
	switch {
	case wsgi && f.has("gunicorn"):
		p.start("web", "gunicorn --bind $HOST:$PORT "+pkg+".wsgi:application", from)
	case asgi && f.has("uvicorn"):
		p.start("web", "uvicorn --host $HOST --port $PORT "+pkg+".asgi:application", from)
	case asgi && f.has("daphne"):
		p.start("web", "daphne -b $HOST -p $PORT "+pkg+".asgi:application", from)
	case asgi && f.has("granian"):
		p.start("web", "granian --interface asgi --host $HOST --port $PORT "+pkg+".asgi:application", from)
	case wsgi && f.has("waitress"):
		p.start("web", "waitress-serve --listen=$HOST:$PORT "+pkg+".wsgi:application", from)
	case wsgi:
		p.serveWith("gunicorn")
		p.start("web", "python3 -m gunicorn --bind $HOST:$PORT "+pkg+".wsgi:application", from)
	default:
		p.warn("the development server of Django serves this app: there is no " + path.Join(dir, "wsgi.py"))
		p.start("web", "python3 "+shellWord(f.Manage)+" runserver --noreload $HOST:$PORT", from)
	}
	return true
}

// serveWith takes a web server of the package set because the app brings none.
func (p *Plan) serveWith(server string) {
	p.Python.Server = server
	p.warn(fmt.Sprintf("the app brings no web server: %s of the package set serves it; add one to the requirements to choose its version", server))
}

// command returns how the app is served with what is installed, and the reason.
func (a pyApp) command(p *Plan) (command, why string) {
	f := p.Python
	target := a.module + ":" + a.object
	script := "python3 " + shellWord(a.file)
	switch a.kind {
	case "FastAPI", "Starlette", "Quart", "Litestar", "ASGI", "FastHTML", "get_asgi_application":
		return a.async(p, target), a.kind
	case "Sanic":
		flag := ""
		if a.factory {
			flag = "--factory "
		}
		return "sanic " + flag + "--host=$HOST --port=$PORT " + target, a.kind
	case "aiohttp":
		if f.has("gunicorn") {
			return "gunicorn --worker-class aiohttp.GunicornWebWorker --bind $HOST:$PORT " + shellWord(target), a.kind
		}
		if a.factory {
			p.serveWith("gunicorn")
			return "python3 -m gunicorn --worker-class aiohttp.GunicornWebWorker --bind $HOST:$PORT " + shellWord(target), a.kind
		}
		return script, a.kind
	}
	if a.factory {
		target += "()"
	}
	switch {
	case f.has("gunicorn"):
		return "gunicorn --bind $HOST:$PORT " + shellWord(target), a.kind
	case f.has("uwsgi"):
		return "uwsgi --http $HOST:$PORT --module " + shellWord(target), a.kind
	case f.has("waitress") && a.factory:
		return "waitress-serve --listen=$HOST:$PORT --call " + a.module + ":" + a.object, a.kind
	case f.has("waitress"):
		return "waitress-serve --listen=$HOST:$PORT " + target, a.kind
	}
	p.serveWith("gunicorn")
	return "python3 -m gunicorn --bind $HOST:$PORT " + shellWord(target), a.kind
}

// async is the command of an ASGI application.
func (a pyApp) async(p *Plan, target string) string {
	f := p.Python
	flag := ""
	if a.factory {
		flag = "--factory "
	}
	brings := []string{"uvicorn", "python-fasthtml", "gradio"}
	standard := f.hasExtra("fastapi", "standard") || f.hasExtra("fastapi", "all") || f.hasExtra("litestar", "standard")
	switch {
	case standard || slices.ContainsFunc(brings, f.has):
		return "uvicorn " + flag + "--host $HOST --port $PORT " + target
	case f.has("hypercorn") && a.factory:
		return "hypercorn --bind $HOST:$PORT " + shellWord(target+"()")
	case f.has("hypercorn") || f.has("quart"): // which brings it
		return "hypercorn --bind $HOST:$PORT " + target
	case f.has("granian"):
		return "granian --interface asgi " + flag + "--host $HOST --port $PORT " + target
	case f.has("daphne"):
		return "daphne -b $HOST -p $PORT " + target
	}
	p.serveWith("uvicorn")
	return "python3 -m uvicorn " + flag + "--host $HOST --port $PORT " + target
}

// proposeMigrations tells what would bring the database up to date. It is never run unasked.
func proposeMigrations(t *tree, p *Plan) {
	if p.Release != "" {
		return
	}
	command := ""
	switch {
	case p.Python.Manage != "" && slices.ContainsFunc(t.order, func(f string) bool { return strings.Contains(f, "/migrations/0") }):
		command = "python3 " + shellWord(p.Python.Manage) + " migrate --noinput"
	case t.has("migrations/env.py") && p.Python.has("flask-migrate"):
		command = "flask db upgrade"
	case t.has("alembic.ini"):
		command = "alembic upgrade head"
	default:
		return
	}
	p.warn("migrations are not run unasked: to run them before each release, add \"release: " + command + "\" to the Procfile")
}

// proposeTools tells which programs beside Python well-known packages run, where the app does not name them.
func proposeTools(p *Plan) {
	for _, c := range []struct{ project, runs, attr string }{
		{"pydub", "ffmpeg", "ffmpeg-headless"}, {"ffmpeg-python", "ffmpeg", "ffmpeg-headless"}, {"moviepy", "ffmpeg", "ffmpeg-headless"},
		{"pdf2image", "poppler's programs", "poppler-utils"}, {"pytesseract", "tesseract", "tesseract"}, {"graphviz", "dot", "graphviz"},
		{"gitpython", "git", "git"}, {"pypandoc", "pandoc", "pandoc"},
	} {
		if p.Python.has(c.project) && !slices.Contains(p.Manifest.Build.Packages, c.attr) {
			p.warn(fmt.Sprintf("%s runs %s: name the package under [build] in hop3.toml: packages = [%q]", c.project, c.runs, c.attr))
		}
	}
}
