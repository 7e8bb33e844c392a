package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// indexCmd serves a package index on loopback. index start FILE DIR makes a wheel of each package that a requirements
// file pins, with NAME.py of DIR in it where there is one, and sets INDEX to the address; index stop ends it.
func indexCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	if args[0] == "stop" {
		w.index.Close()
		w.index = nil
		return
	}
	files := map[string][]byte{} // of wheels
	pages := map[string]string{} // of packages, each with the name of its wheel
	for _, m := range regexp.MustCompile(`(?m)^(\w+)==([0-9.]+)$`).FindAllStringSubmatch(ts.ReadFile(args[1]), -1) {
		module := strings.ToLower(m[1])
		file := fmt.Sprintf("%s-%s-py3-none-any.whl", module, m[2])
		b, err := wheel(module, m[2], source(ts, args[2]+"/"+module+".py"))
		ts.Check(err)
		files[file], pages[module] = b, file
	}
	w.index = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		if b := files[name]; b != nil {
			_, _ = rw.Write(b) // a client that has gone
			return
		}
		file := pages[name]
		if file == "" {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(rw, "<!doctype html><a href=\"/files/%s#sha256=%x\">%s</a>", file, sha256.Sum256(files[file]), file) // a client that has gone
	}))
	ts.Setenv("INDEX", w.index.URL+"/simple/")
}

// wheel makes a pure Python wheel of one module, which is a program too if it has a run function.
func wheel(module, version, source string) ([]byte, error) {
	info := fmt.Sprintf("%s-%s.dist-info", module, version)
	files := [][2]string{
		{module + ".py", source},
		{info + "/METADATA", fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", module, version)},
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

// source reads a file of the script, or nothing.
func source(ts *testscript.TestScript, name string) string {
	b, err := os.ReadFile(ts.MkAbs(name))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	ts.Check(err)
	return string(b)
}
