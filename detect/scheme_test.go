package detect

import (
	"errors"
	"strings"
	"testing"
)

func TestReadSexprs(t *testing.T) {
	forms, err := readSexprs("x.scm", []byte("#!/bin/sh\nexec guile\n!#\n; (a)\n#| (b #| c |# ) |# (use-modules ((web server) #:select (run-server)) 'x) \"(\\\"\" #\\( #\\space"))
	if err != nil || len(forms) != 4 {
		t.Fatalf("%v, %v", forms, err)
	}
	if uses := schemeUses(forms); len(uses) != 2 || uses[0].String() != "(web server)" || uses[0].line != 5 {
		t.Errorf("uses %v", uses)
	}
	for src, line := range map[string]int{"(a\n(b)": 1, "\n)": 2, "x\n\"y\n": 2, strings.Repeat("(", 1000): 1} {
		_, err := readSexprs("x.scm", []byte(src))
		if pe, ok := errors.AsType[*ParseError](err); !ok || pe.Line != line {
			t.Errorf("%.20q: %v, want line %d", src, err, line)
		}
	}
}

func FuzzReadSexprs(f *testing.F) {
	f.Add([]byte("#!/x\n!#\n(define-module (a b) #:use-module (c)) #| x |# #;(d) \"e\\\"\" #\\) '(f . g)"))
	f.Add([]byte("(define-module #:use-module"))
	f.Fuzz(func(t *testing.T, src []byte) {
		forms, err := readSexprs("x.scm", src)
		if err != nil {
			return
		}
		for _, u := range schemeUses(forms) {
			if u.line < 1 || u.line > 1+strings.Count(string(src), "\n") {
				t.Fatalf("%q: line %d", src, u.line)
			}
		}
	})
}
