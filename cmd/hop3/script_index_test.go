package main

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"hop3/internal/pypitest"
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
	var list []pypitest.Package
	for _, m := range regexp.MustCompile(`(?m)^(\w+)==([0-9.]+)$`).FindAllStringSubmatch(ts.ReadFile(args[1]), -1) {
		list = append(list, pypitest.Package{Name: m[1], Version: m[2], Source: source(ts, args[2]+"/"+strings.ToLower(m[1])+".py")})
	}
	x, err := pypitest.New(list...)
	ts.Check(err)
	w.index = x.Server
	ts.Setenv("INDEX", x.URL+"/simple/")
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
