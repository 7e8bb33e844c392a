package detect

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

func entryFiles() []string {
	return []string{"app.py", "main.py", "wsgi.py", "asgi.py", "server.py", "application.py", "app/__init__.py", "app/main.py", "src/app.py", "src/main.py"}
}

// A pyApp is an application object or a factory of one.
type pyApp struct {
	module, object, kind string
	factory              bool
	line                 int
}

var (
	appObject  = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)\s*(?::[^=]+)?=\s*(?:[a-z_]+\.)?(Flask|FastAPI|Starlette|Quart|Litestar|Sanic|get_wsgi_application|get_asgi_application)\s*\(`)
	appCall    = regexp.MustCompile(`^(app|application|server)\s*(?::[^=]+)?=\s*(?:[A-Za-z_][A-Za-z0-9_.]*\.)?(?:create_app|make_app|get_app|build_app)\s*\(`)
	appFactory = regexp.MustCompile(`^def (create_app|make_app|get_app|build_app)\s*\(([^)]*)`)
	wsgiFunc   = regexp.MustCompile(`^def (application|app)\s*\(\s*environ\s*,\s*start_response`)
	asgiFunc   = regexp.MustCompile(`^async def (application|app)\s*\(\s*scope\s*,\s*receive\s*,\s*send`)
)

// findEntry looks for an application object in the entry files, then for a factory in them and in the packages at the root.
func findEntry(t *tree, f *PythonFacts) (string, pyApp, bool) {
	entries := entryFiles()
	for _, name := range t.order {
		dir, base := path.Split(name)
		if base == "__init__.py" && strings.Count(dir, "/") == 1 && !slices.Contains(entries, name) && dir != "tests/" && dir != "test/" {
			entries = append(entries, name)
		}
	}
	for _, factory := range []bool{false, true} {
		for _, file := range entries {
			if app, ok := findApp(string(t.source(file)), f, factory); ok {
				app.module = strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(file, ".py"), "/__init__"), "/", ".")
				return file, app, true
			}
		}
	}
	return "", pyApp{}, false
}

// findApp looks for an application object at the top level of a module, or for a factory that needs no argument.
func findApp(src string, f *PythonFacts, factory bool) (pyApp, bool) {
	n := 0
	for l := range strings.Lines(src) {
		n++
		app := pyApp{line: n, factory: factory}
		if m := appFactory.FindStringSubmatch(l); factory && m != nil && callable(m[2]) {
			app.object, app.kind = m[1], framework(src, f)
		}
		if !factory {
			app.object, app.kind = object(l)
			if m := appCall.FindStringSubmatch(l); m != nil {
				app.object, app.kind = m[1], framework(src, f)
			}
		}
		if app.kind != "" {
			return app, true
		}
	}
	return pyApp{}, false
}

// object returns the name and the kind of the application object that a line makes, "" if it makes none.
func object(line string) (name, kind string) {
	if m := appObject.FindStringSubmatch(line); m != nil {
		return m[1], m[2]
	}
	if m := wsgiFunc.FindStringSubmatch(line); m != nil {
		return m[1], "WSGI"
	}
	if m := asgiFunc.FindStringSubmatch(line); m != nil {
		return m[1], "ASGI"
	}
	return "", ""
}

// callable reports whether a function with these parameters can be called without arguments.
func callable(params string) bool {
	for p := range strings.SplitSeq(params, ",") {
		if p = strings.TrimSpace(p); p != "" && p[0] != '*' && p[0] != '/' && !strings.Contains(p, "=") {
			return false
		}
	}
	return true
}

// framework is what a factory makes: what its file calls, else what is required; "" if neither says so.
func framework(src string, f *PythonFacts) string {
	kinds := []string{"FastAPI", "Starlette", "Litestar", "Quart", "Flask"}
	if i := slices.IndexFunc(kinds, func(k string) bool { return strings.Contains(src, k+"(") }); i >= 0 {
		return kinds[i]
	}
	if i := slices.IndexFunc(kinds, func(k string) bool { return f.has(strings.ToLower(k)) }); i >= 0 {
		return kinds[i]
	}
	return ""
}
