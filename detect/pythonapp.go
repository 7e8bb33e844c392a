package detect

import (
	"path"
	"slices"
	"strings"
)

func entryFiles() []string {
	return []string{"app.py", "main.py", "wsgi.py", "asgi.py", "server.py", "application.py", "app/__init__.py", "app/main.py", "src/app.py", "src/main.py"}
}

// A pyApp is an application object or a factory of one.
type pyApp struct {
	module, object, kind string
	file                 string
	factory              bool
	line                 int
}

// pyKinds are what application objects are made by, as they are called in full and by themselves.
func pyKinds() map[string]string {
	return map[string]string{
		"flask.Flask": "Flask", "quart.Quart": "Quart", "fastapi.FastAPI": "FastAPI", "starlette.applications.Starlette": "Starlette",
		"litestar.Litestar": "Litestar", "sanic.Sanic": "Sanic", "bottle.Bottle": "Bottle", "bottle.default_app": "Bottle",
		"falcon.App": "WSGI", "falcon.asgi.App": "ASGI", "aiohttp.web.Application": "aiohttp", "web.Application": "aiohttp",
		"fasthtml.common.FastHTML": "FastHTML", "fasthtml.common.fast_app": "FastHTML", "fasthtml.FastHTML": "FastHTML", "fasthtml.fast_app": "FastHTML",
		"django.core.wsgi.get_wsgi_application": "get_wsgi_application", "django.core.asgi.get_asgi_application": "get_asgi_application",
		"channels.routing.ProtocolTypeRouter": "ASGI",
		"connexion.FlaskApp":                  "Flask", "connexion.AsyncApp": "ASGI", "pyramid.config.Configurator.make_wsgi_app": "WSGI",
	}
}

// A pyModule is what one file of Python declares at its top level.
type pyModule struct {
	lines   []pyLine
	imports map[string]string // what a local name stands for: "F" → "fastapi.FastAPI"
	defs    []string          // functions
}

func readModule(src string) pyModule {
	m := pyModule{lines: pyLines(src), imports: map[string]string{}}
	for _, l := range m.lines {
		switch {
		case l.is(0, "import"):
			m.plainImport(l)
		case l.is(0, "from"):
			m.fromImport(l)
		case l.indent == 0 && l.is(0, "def"):
			m.defs = append(m.defs, l.name(1))
		}
	}
	return m
}

// plainImport reads import a.b, c as d.
func (m pyModule) plainImport(l pyLine) {
	for i := 1; i < len(l.tokens); i++ {
		full, next := l.dotted(i)
		if full == "" {
			return
		}
		top, _, _ := strings.Cut(full, ".")
		m.imports[top] = top
		if l.is(next, "as") {
			m.imports[l.name(next+1)] = full
			next += 2
		}
		if i = next; !l.is(i, ",") {
			return
		}
	}
}

// fromImport reads from a.b import c, d as e.
func (m pyModule) fromImport(l pyLine) {
	pkg, i := l.dotted(1)
	if pkg == "" || !l.is(i, "import") {
		return
	}
	for i++; i < len(l.tokens); i++ {
		name := l.name(i)
		switch {
		case l.is(i, "*"):
			m.imports["*"] = pkg
		case name != "" && l.is(i+1, "as"):
			m.imports[l.name(i+2)] = pkg + "." + name
			i += 2
		case name != "":
			m.imports[name] = pkg + "." + name
		}
	}
}

// imported reports whether the module takes something of a package.
func (m pyModule) imported(pkg string) bool {
	for _, full := range m.imports {
		if full == pkg || strings.HasPrefix(full, pkg+".") {
			return true
		}
	}
	return false
}

// importLine is the line of the first import of a package, 0 if there is none.
func (m pyModule) importLine(pkg string) int {
	for _, l := range m.lines {
		if name := l.name(1); (l.is(0, "import") || l.is(0, "from")) && (name == pkg || strings.HasPrefix(name, pkg+".")) {
			return l.line
		}
	}
	return 0
}

// kind is what a call of this name makes, "" if no application. A name that nothing imports is taken as it reads.
func (m pyModule) kind(call string) string {
	top, rest, dotted := strings.Cut(call, ".")
	full := call
	if known, ok := m.imports[top]; ok {
		full = known
		if dotted {
			full += "." + rest
		}
		if k := pyKinds()[full]; k != "" {
			return k
		}
		if strings.Contains(full, ".") && known != top && !dotted {
			return "" // imported from somewhere else, under a name that we know
		}
	}
	for name, k := range pyKinds() {
		if strings.HasSuffix("."+name, "."+full) && (dotted || full != "App" && full != "Application") {
			return k
		}
	}
	return ""
}

const maxEntryFiles = 24 // that are read for an application; an app has a few packages

// pyBases are the folders from which modules are imported, the app's own first.
func pyBases(p *Plan) []string {
	bases := []string{"."}
	for dir := range strings.SplitSeq(p.Manifest.Env["PYTHONPATH"], ":") {
		if dir = path.Clean(dir); dir != "." && !strings.HasPrefix(dir, "/") {
			bases = append(bases, dir)
		}
	}
	return bases
}

// pyEntries are the files of t that may hold the application object: those with the usual names, then those in a package.
func pyEntries(t *tree, p *Plan) []string {
	var entries []string
	add := func(file string) {
		if t.has(file) && !slices.Contains(entries, file) {
			entries = append(entries, file)
		}
	}
	for _, base := range pyBases(p) {
		for _, name := range entryFiles() {
			add(path.Join(base, name))
		}
	}
	for _, base := range pyBases(p) {
		for _, file := range t.order {
			name, below := strings.CutPrefix(file, base+"/")
			if base != "." && !below {
				continue
			}
			dir, last := path.Split(name)
			inPackage := strings.Count(dir, "/") == 1 && t.has(path.Join(base, dir, "__init__.py"))
			if inPackage && !slices.Contains([]string{"tests/", "test/", "docs/", "examples/"}, dir) && slices.Contains(packageFiles(), last) {
				add(file)
			}
		}
	}
	return entries[:min(len(entries), maxEntryFiles)]
}

// packageFiles are the names of the files of a package that may hold the application object.
func packageFiles() []string {
	return []string{"__init__.py", "main.py", "app.py", "wsgi.py", "asgi.py", "server.py", "application.py", "webapp.py"}
}

// findEntry looks for an application object in the entry files, then for a factory in them.
func findEntry(t *tree, p *Plan) (pyApp, bool) {
	entries := pyEntries(t, p)
	modules := map[string]pyModule{}
	for _, file := range entries {
		modules[file] = readModule(string(t.source(file)))
	}
	for _, factory := range []bool{false, true} {
		for _, file := range entries {
			if app, ok := findApp(modules[file], p.Python, factory); ok {
				app.file, app.module = file, pyModuleName(p, file)
				return app, true
			}
		}
	}
	return pyApp{}, false
}

// pyModuleName is how a file is imported.
func pyModuleName(p *Plan, file string) string {
	for _, base := range pyBases(p) {
		if name, ok := strings.CutPrefix(file, base+"/"); ok {
			file = name
			break
		}
	}
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(file, ".py"), "/__init__"), "/", ".")
}

// srcLayout reports whether the project keeps its packages below src.
func srcLayout(t *tree) bool {
	for dir := range t.dirs {
		if path.Dir(dir) == "src" && t.has(dir+"/__init__.py") {
			return true
		}
	}
	return false
}

// findApp looks for an application object at the top level of a module, or for a factory that needs no argument. What is
// called app or application comes before what it is made of.
func findApp(m pyModule, f *PythonFacts, factory bool) (found pyApp, ok bool) {
	for _, l := range m.lines {
		if l.indent > 0 {
			continue
		}
		app := pyApp{line: l.line, factory: factory}
		if factory {
			app.object, app.kind = m.factory(l, f)
		} else {
			app.object, app.kind = m.object(l, f)
		}
		switch {
		case app.kind == "" || ok && app.object != "app" && app.object != "application":
		case !ok || found.object != "app" && found.object != "application":
			found, ok = app, true
		}
	}
	return found, ok
}

func factoryNames() []string {
	return []string{"create_app", "make_app", "get_app", "build_app", "create_application", "app_factory"}
}

// object returns the name and the kind of the application object that a line makes, "" if it makes none.
func (m pyModule) object(l pyLine, f *PythonFacts) (name, kind string) {
	if def, params, async := l.function(); def == "app" || def == "application" {
		switch {
		case !async && len(params) == 2 && params[1] == "start_response":
			return def, "WSGI"
		case async && len(params) == 3 && params[1] == "receive":
			return def, "ASGI"
		}
		return "", ""
	}
	name = l.name(0)
	i := 1
	for l.is(i, ",") && l.name(i+1) != "" { // app, rt = fast_app()
		i += 2
	}
	if l.is(i, ":") { // app: Flask = …
		for i < len(l.tokens) && !l.is(i, "=") {
			i++
		}
	}
	if name == "" || !l.is(i, "=") {
		return "", ""
	}
	call, next := l.dotted(i + 1)
	if call == "" || !l.is(next, "(") {
		return "", ""
	}
	if k := m.kind(call); k != "" {
		return name, k
	}
	last := call[strings.LastIndex(call, ".")+1:]
	if slices.Contains([]string{"app", "application", "server", "api"}, name) && (slices.Contains(factoryNames(), last) || call == last && slices.Contains(m.defs, last)) {
		return name, m.framework(f)
	}
	return "", ""
}

// factory returns the name and the kind of a function that makes an application without arguments.
func (m pyModule) factory(l pyLine, f *PythonFacts) (name, kind string) {
	def, params, async := l.function()
	if !slices.Contains(factoryNames(), def) || async || len(params) > 0 {
		return "", ""
	}
	return def, m.framework(f)
}

// function returns the name of the function that a line defines and its parameters that must be given, in order.
func (l pyLine) function() (name string, params []string, async bool) {
	i := 0
	if l.is(0, "async") {
		async, i = true, 1
	}
	if !l.is(i, "def") || !l.is(i+2, "(") {
		return "", nil, false
	}
	end := l.closing(i + 2)
	for j := i + 3; j < end; j++ {
		param, required, at := l.name(j), l.name(j) != "", j
		for depth := 0; j < end && (depth > 0 || !l.is(j, ",")); j++ {
			switch {
			case l.is(j, "(") || l.is(j, "[") || l.is(j, "{"):
				depth++
			case l.is(j, ")") || l.is(j, "]") || l.is(j, "}"):
				depth--
			case depth == 0 && l.is(j, "="):
				required = false
			}
		}
		if required && at < end {
			params = append(params, param)
		}
	}
	return l.name(i + 1), params, async
}

// framework is what a factory makes: what its file calls, else what is required; "" if neither says so.
func (m pyModule) framework(f *PythonFacts) string {
	for _, l := range m.lines {
		for i := range l.tokens {
			if i > 0 && (l.is(i-1, ".") || l.is(i-1, "def") || l.is(i-1, "class")) {
				continue
			}
			if call, next := l.dotted(i); call != "" && l.is(next, "(") {
				if k := m.kind(call); k != "" {
					return k
				}
			}
		}
	}
	kinds := []string{"FastAPI", "Starlette", "Litestar", "Quart", "Sanic", "Flask"}
	if i := slices.IndexFunc(kinds, func(k string) bool { return f.has(strings.ToLower(k)) }); i >= 0 {
		return kinds[i]
	}
	return ""
}
