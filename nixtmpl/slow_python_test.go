//go:build slow

package nixtmpl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hop3/internal/pypitest"
	"hop3/nixtmpl/nix"
)

// TestSlow_PythonLocks builds from the lock files of the other tools; of uv's, one package is a source archive, which is built.
func TestSlow_PythonLocks(t *testing.T) { lockedApps(t, "uv", "pdm", "pylock") }

// TestSlow_Pipenv builds from a Pipfile.lock, whose hashes pip checks.
func TestSlow_Pipenv(t *testing.T) {
	mark := "# " + t.TempDir() + "\n"
	flask, gunicorn := stub("Flask", "9.0"), stub("gunicorn", "99.0")
	flask.Source += mark
	x := pythonIndex(t, flask, gunicorn)
	r := newRig(t)
	r.Env = func() []string { return []string{"PIP_INDEX_URL=" + x.URL + "/simple/"} }
	lock := `{"default": {"flask": {"hashes": ["sha256:%s"], "version": "==9.0", "markers": "python_version >= '3.9'"}, "gunicorn": {"hashes": ["sha256:%s"], "version": "==99.0"}}}`
	a := r.tree(t, "python-pipenv", map[string]string{
		"Pipfile": "[packages]\nflask = \"*\"\ngunicorn = \"*\"\n", "app.py": lockedApp,
		"Pipfile.lock": fmt.Sprintf(lock, x.SHA256(flask), x.SHA256(gunicorn)),
	})
	b, plan := a.build(t)
	if got := serve(t, b, contract(t, b, plan).Processes["web"]); got != "version 1" {
		t.Errorf("answers %q", got)
	}
	a.write(t, "Pipfile.lock", strings.Replace(fmt.Sprintf(lock, x.SHA256(gunicorn), x.SHA256(gunicorn)), "==9.0", "==9.0", 1))
	if _, _, err := a.tryBuild(t, nil); err == nil {
		t.Error("a file with another hash than the lock's was installed")
	}
}

// TestSlow_PythonServer serves an app that brings no web server with that of the set, beside packages of its own lock.
func TestSlow_PythonServer(t *testing.T) {
	flask := stub("Flask", "9.0")
	flask.Source += "# " + t.TempDir() + "\n"
	list := []pypitest.Package{flask}
	x := pythonIndex(t, list...)
	r := newRig(t)
	a := r.tree(t, "python-server", map[string]string{
		"pyproject.toml":       "[project]\nname = \"shop\"\nversion = \"0\"\ndependencies = [\"flask\"]\n",
		"src/shop/__init__.py": lockedApp, "pylock.toml": lockFor("pylock", x, list),
	})
	b, plan := a.build(t)
	l := contract(t, b, plan)
	if plan.Python.Server != "gunicorn" || plan.Manifest.Env["PYTHONPATH"] != "src" {
		t.Errorf("%+v, %q", plan.Python, plan.Manifest.Env)
	}
	if got := serve(t, b, "env PYTHONPATH=src "+l.Processes["web"]); got != "version 1" {
		t.Errorf("answers %q", got)
	}
}

// TestSlow_PythonLockedExamples builds the examples whose locks the package set satisfies to the version.
func TestSlow_PythonLockedExamples(t *testing.T) {
	for _, name := range []string{"python-uv", "python-poetry"} {
		t.Run(name, func(t *testing.T) { lifecycle(t, newRig(t).example(t, name), "app.py", "README.md") })
	}
}

// TestSlow_Django collects static files without the secrets of the running app, and says what to do where that fails.
func TestSlow_Django(t *testing.T) {
	a := newRig(t).example(t, "python-django")
	b, plan := a.build(t)
	if got := serve(t, b, "env SECRET_KEY=x "+contract(t, b, plan).Processes["web"]); !strings.Contains(got, "version 1") {
		t.Errorf("answers %q", got)
	}
	if _, err := os.Stat(filepath.Join(b.Out, "app/staticfiles/site.css")); err != nil {
		t.Error(err)
	}
	a.replace(t, "mysite/settings.py", "import os\n", "import os\nDATABASE = os.environ[\"DATABASE_URL\"]\n")
	_, _, err := a.tryBuild(t, nil)
	be, ok := errors.AsType[*nix.BuildError](err)
	if !ok || !strings.Contains(strings.Join(be.Tail, "\n"), "DISABLE_COLLECTSTATIC") {
		t.Errorf("%v, %+v", err, be)
	}
	a.write(t, "hop3.toml", "[env]\nDATABASE_URL = \"sqlite:///x\"\n")
	if _, _, err := a.tryBuild(t, nil); err != nil {
		t.Error(err)
	}
}

// TestSlow_PythonSources builds a requirement that is published as sources only.
func TestSlow_PythonSources(t *testing.T) {
	flask, uwsgi := stub("Flask", "9.0"), pypitest.Package{Name: "uwsgi", Version: "99.0", Source: "# " + t.TempDir() + "\n" + strings.Replace(gunicornStub, `"--bind"`, `"--bind", "--http"`, 1), Sdist: true}
	uwsgi.Source = strings.Replace(uwsgi.Source, `p.add_argument("app")`, `p.add_argument("--module", dest="app")`, 1)
	x := pythonIndex(t, flask, uwsgi)
	r := newRig(t)
	r.Env = func() []string { return []string{"PIP_INDEX_URL=" + x.URL + "/simple/"} }
	a := r.tree(t, "python-sources", map[string]string{"requirements.txt": "flask==9.0\nuwsgi==99.0\n# " + t.TempDir() + "\n", "app.py": lockedApp})
	b, plan := a.build(t)
	if got := serve(t, b, contract(t, b, plan).Processes["web"]); got != "version 1" {
		t.Errorf("answers %q", got)
	}
}
