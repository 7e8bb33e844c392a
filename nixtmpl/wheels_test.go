package nixtmpl

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
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

// wheel makes a pure Python wheel of one module.
func wheel(t *testing.T, name, version, source string) []byte {
	t.Helper()
	module := strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	info := fmt.Sprintf("%s-%s.dist-info", module, version)
	files := [][2]string{
		{module + ".py", source},
		{info + "/METADATA", fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)},
		{info + "/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
	}
	if strings.Contains(source, "def run()") {
		files = append(files, [2]string{info + "/entry_points.txt", fmt.Sprintf("[console_scripts]\n%s = %s:run\n", module, module)})
	}
	var record strings.Builder
	for _, f := range files {
		sum := sha256.Sum256([]byte(f[1]))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", f[0], base64.RawURLEncoding.EncodeToString(sum[:]), len(f[1]))
	}
	fmt.Fprintf(&record, "%s/RECORD,,\n", info)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range append(files, [2]string{info + "/RECORD", record.String()}) {
		w, err := z.Create(f[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var pinLine = regexp.MustCompile(`(?m)^([A-Za-z0-9]+)==([0-9.]+)$`)

// pythonIndex serves the wheels that a requirements file pins, and counts the downloads.
func pythonIndex(t *testing.T, requirements string) (url string, downloads *atomic.Int64) {
	t.Helper()
	wheels := map[string][]byte{}
	names := map[string]string{}
	for _, m := range pinLine.FindAllStringSubmatch(requirements, -1) {
		source := ""
		switch m[1] {
		case "Flask":
			source = flaskStub
		case "gunicorn":
			source = gunicornStub
		}
		file := fmt.Sprintf("%s-%s-py3-none-any.whl", strings.ToLower(m[1]), m[2])
		wheels[file], names[strings.ToLower(m[1])] = wheel(t, m[1], m[2], source), file
	}
	if len(wheels) < 5 {
		t.Fatalf("only %d pins", len(wheels))
	}
	downloads = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b := wheels[path.Base(r.URL.Path)]; b != nil {
			downloads.Add(1)
			w.Write(b)
		} else if file := names[path.Base(r.URL.Path)]; file != "" {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "<!doctype html><a href=\"/files/%s#sha256=%x\">%s</a>", file, sha256.Sum256(wheels[file]), file)
		} else {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/simple/", downloads
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
	url, downloads := pythonIndex(t, string(pins))
	r.Env = func() []string { return []string{"PIP_INDEX_URL=" + url} }
	lifecycle(t, a, "app.py", "README.md")
	if n, want := downloads.Load(), int64(len(pinLine.FindAll(pins, -1))); n != want {
		t.Errorf("%d downloads of %d wheels", n, want)
	}
}
