// Package pypitest serves a Python package index on loopback, in the layout that pip reads (PEP 503), with packages that it
// makes: tests of fetching need files whose hashes are known and a server that counts.
package pypitest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync/atomic"
)

// A Package is a project of one module, which is also a program if it has a function run.
type Package struct {
	Name, Version string
	Source        string // of the module
	Sdist         bool   // a source archive for setuptools instead of a wheel
}

// An Index serves packages. Close ends it.
type Index struct {
	*httptest.Server
	Downloads atomic.Int64 // of files, not of pages

	files map[string][]byte
	pages map[string][]string // names of files by project
}

// New serves packages. The address for pip is URL + "/simple/".
func New(list ...Package) (*Index, error) {
	x := &Index{files: map[string][]byte{}, pages: map[string][]string{}}
	for _, p := range list {
		b, err := p.archive()
		if err != nil {
			return nil, fmt.Errorf("make %s: %w", p.File(), err)
		}
		x.files[p.File()] = b
		project := strings.ToLower(p.Name)
		x.pages[project] = append(x.pages[project], p.File())
	}
	x.Server = httptest.NewServer(http.HandlerFunc(x.serve))
	return x, nil
}

// SHA256 is the hash of a package's file in hex.
func (x *Index) SHA256(p Package) string { return fmt.Sprintf("%x", sha256.Sum256(x.files[p.File()])) }

// FileURL is where the index has a package's file.
func (x *Index) FileURL(p Package) string { return x.URL + "/files/" + p.File() }

func (x *Index) serve(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	if b := x.files[name]; b != nil {
		x.Downloads.Add(1)
		_, _ = w.Write(b) // a client that has gone
		return
	}
	if x.pages[name] == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	page := "<!doctype html>"
	for _, f := range x.pages[name] {
		page += fmt.Sprintf("<a href=\"../../files/%s#sha256=%x\">%s</a>\n", f, sha256.Sum256(x.files[f]), f)
	}
	_, _ = w.Write([]byte(page)) // a client that has gone
}

func (p Package) module() string { return strings.ToLower(strings.ReplaceAll(p.Name, "-", "_")) }

// File is the name of the package's file.
func (p Package) File() string {
	if p.Sdist {
		return fmt.Sprintf("%s-%s.tar.gz", p.module(), p.Version)
	}
	return fmt.Sprintf("%s-%s-py3-none-any.whl", p.module(), p.Version)
}

func (p Package) archive() ([]byte, error) {
	if p.Sdist {
		return p.sdist()
	}
	return p.wheel()
}

func (p Package) program() bool { return strings.Contains(p.Source, "def run()") }

func (p Package) metadata() string {
	return fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", p.Name, p.Version)
}

func (p Package) wheel() ([]byte, error) {
	info := fmt.Sprintf("%s-%s.dist-info", p.module(), p.Version)
	files := [][2]string{
		{p.module() + ".py", p.Source},
		{info + "/METADATA", p.metadata()},
		{info + "/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
	}
	if p.program() {
		files = append(files, [2]string{info + "/entry_points.txt", fmt.Sprintf("[console_scripts]\n%s = %s:run\n", p.module(), p.module())})
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
		if err == nil {
			_, err = w.Write([]byte(f[1]))
		}
		if err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}

func (p Package) sdist() ([]byte, error) {
	setup := fmt.Sprintf("from setuptools import setup\nsetup(name=%q, version=%q, py_modules=[%q]", p.Name, p.Version, p.module())
	if p.program() {
		setup += fmt.Sprintf(", entry_points={'console_scripts': ['%s = %s:run']}", p.module(), p.module())
	}
	dir := fmt.Sprintf("%s-%s/", p.module(), p.Version)
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	t := tar.NewWriter(gz)
	for _, f := range [][2]string{{"setup.py", setup + ")\n"}, {p.module() + ".py", p.Source}, {"PKG-INFO", p.metadata()}} {
		err := t.WriteHeader(&tar.Header{Name: dir + f[0], Mode: 0o644, Size: int64(len(f[1]))})
		if err == nil {
			_, err = t.Write([]byte(f[1]))
		}
		if err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	err := gz.Close()
	return b.Bytes(), err
}
