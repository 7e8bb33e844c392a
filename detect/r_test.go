package detect

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestRUses(t *testing.T) {
	packages, calls := rUses([]byte("library(shiny) # library(no)\nx <- 'library(no)'; y <- r\"-(library(no))-\"\nrequireNamespace(\"jsonlite\")\na.b::c(1)\n`odd name`:::f()\nlibrary\n("))
	var names []string
	for _, p := range packages {
		names = append(names, p.name)
	}
	if !slices.Equal(names, []string{"shiny", "jsonlite", "a.b", "odd name"}) || packages[2].line != 4 {
		t.Errorf("%v", packages)
	}
	if !slices.ContainsFunc(calls, func(u rUse) bool { return u.name == "requireNamespace" && u.line == 3 }) {
		t.Errorf("%v", calls)
	}
}

func TestReadDCF(t *testing.T) {
	tr, err := load(files("DESCRIPTION", "Package: x\r\nImports:\n    shiny (>= 1.7),\n\thttr, methods\n# note\nDepends: R (>= 4.1), DT\n"))
	if err != nil {
		t.Fatal(err)
	}
	fields, err := readDCF(tr)
	imports, _ := rImports(fields["Imports"])
	depends, r := rImports(fields["Depends"])
	if err != nil || !slices.Equal(imports, []string{"shiny", "httr"}) || !slices.Equal(depends, []string{"DT"}) || r != ">= 4.1" {
		t.Errorf("%v %v %q, %v", imports, depends, r, err)
	}
}

func TestPlanR_Broken(t *testing.T) {
	for _, c := range []struct {
		lock string
		line int
	}{
		{"{\n x", 2}, {`{"Packages": {"x$(id)": {"Version": "1"}}}`, 1}, {"{\"Packages\": {\n\"x\": {\"Version\": \"1; id\", \"Source\": \"Repository\"}}}", 2},
	} {
		_, err := Detect(files("app.R", "1", "renv.lock", c.lock))
		if pe, ok := errors.AsType[*ParseError](err); !ok || pe.Line != c.line {
			t.Errorf("%q: %v, want line %d", c.lock, err, c.line)
		}
	}
}

func FuzzRTokens(f *testing.F) {
	f.Add([]byte("library(x)#y\n'a\\'b' r\"-(x)-\" R'[[]' `a b`::c ::: \"open"))
	f.Fuzz(func(t *testing.T, src []byte) {
		line := 1
		for _, tok := range rTokens(src) {
			if tok.line < line || tok.line > 1+strings.Count(string(src), "\n") {
				t.Fatalf("%q: line %d after %d", src, tok.line, line)
			}
			line = tok.line
		}
		rUses(src)
		rImports(string(src))
	})
}
