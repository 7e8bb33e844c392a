package nixtmpl

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"hop3/internal/pypitest"
)

// flaskStub and gunicornStub are as much of the two as the example uses.
const (
	flaskStub = `
class Flask:
    def __init__(self, name):
        self.routes = {}

    def get(self, path):
        return lambda f: self.routes.setdefault(path, f)

    def __call__(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [self.routes[environ["PATH_INFO"]]().encode()]
`
	gunicornStub = `
import argparse, importlib, os, signal, sys
from wsgiref.simple_server import make_server

def run():
    sys.path.insert(0, os.getcwd())
    p = argparse.ArgumentParser()
    p.add_argument("--bind")
    p.add_argument("--workers")
    p.add_argument("app")
    a = p.parse_args()
    module, name = a.app.split(":")
    host, port = a.bind.split(":")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    make_server(host, int(port), getattr(importlib.import_module(module), name)).serve_forever()
`
)

var pinLine = regexp.MustCompile(`(?m)^([A-Za-z0-9]+)==([0-9.]+)$`)

// stub is a package of an index for tests.
func stub(name, version string) pypitest.Package {
	p := pypitest.Package{Name: name, Version: version}
	switch strings.ToLower(name) {
	case "flask":
		p.Source = flaskStub
	case "gunicorn":
		p.Source = gunicornStub
	}
	return p
}

// pythonIndex serves packages.
func pythonIndex(t *testing.T, list ...pypitest.Package) *pypitest.Index {
	t.Helper()
	x, err := pypitest.New(list...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

// TestReal_Wheels builds the pinned example from an index on loopback: the hash is found by the first build and kept, and
// nothing is fetched twice.
func TestReal_Wheels(t *testing.T) {
	r := newRig(t)
	a := r.example(t, "python-wheels")
	// A comment of its own makes the lock file new, so that no earlier run has fetched it.
	pins, err := os.ReadFile(a.dir + "/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, "requirements.txt", fmt.Sprintf("%s# %s\n", pins, t.TempDir()))
	var list []pypitest.Package
	for _, m := range pinLine.FindAllStringSubmatch(string(pins), -1) {
		list = append(list, stub(m[1], m[2]))
	}
	x := pythonIndex(t, list...)
	r.Env = func() []string { return []string{"PIP_INDEX_URL=" + x.URL + "/simple/"} }
	lifecycle(t, a, "app.py", "README.md")
	if n, want := x.Downloads.Load(), int64(len(list)); n != want {
		t.Errorf("%d downloads of %d wheels", n, want)
	}
}
