package detect

import (
	"errors"
	"slices"
	"testing"
)

func TestParseRockspec(t *testing.T) {
	vars, err := parseRockspec("x.rockspec", []byte(`-- comment
package = "x"; local y = 'it\'s' .. "joined"
--[[ long
comment ]]
description = { [1] = "a", summary = [==[
two ]] lines]==], }
dependencies = { "lua >= 5.1"; "luasocket" }
build = { type = "builtin", install = { bin = { ["x"] = "bin/x.lua" } }, n = -1.5, f = true }
`))
	if err != nil || vars["package"].text != "x" || vars["y"].text != "it'sjoined" || vars["description"].named["summary"].text != "\ntwo ]] lines" {
		t.Fatalf("%+v, %v", vars, err)
	}
	deps := vars["dependencies"].texts()
	if len(deps) != 2 || deps[1].text != "luasocket" || deps[1].line != 7 {
		t.Errorf("%+v", deps)
	}
	if vars["build"].named["install"].named["bin"].named["x"].text != "bin/x.lua" || vars["build"].named["n"].text != "1.5" {
		t.Errorf("%+v", vars["build"])
	}
	for text, line := range map[string]int{"x = {": 1, "\nx = 'a\n'": 2, "x = [[": 1, "--[[ x": 1, "print('x')": 1, "x = }": 1, "x = {[a b] = 1}": 1} {
		_, err := parseRockspec("x.rockspec", []byte(text))
		if pe, ok := errors.AsType[*ParseError](err); !ok || pe.Line != line {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRock(t *testing.T) {
	for text, want := range map[string][]string{"LuaSocket >= 3.0, < 4": {"luasocket", ">= 3.0, < 4"}, "a/b": {"a/b", ""}, "lpeg~>1.0": {"lpeg", "~>1.0"}, "???": {"", ""}} {
		if name, spec := rock(text); !slices.Equal([]string{name, spec}, want) {
			t.Errorf("%q: %q %q", text, name, spec)
		}
	}
}

func FuzzParseRockspec(f *testing.F) {
	f.Add([]byte("a = {b = 'c', [\"d\"] = [=[e]=], 1 .. 'x'} -- f\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := parseRockspec("x.rockspec", data); err != nil {
			if _, ok := errors.AsType[*ParseError](err); !ok {
				t.Fatalf("%T %v", err, err)
			}
		}
	})
}
