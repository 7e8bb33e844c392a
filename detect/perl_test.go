package detect

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseCpanfile(t *testing.T) {
	got, perl, err := parseCpanfile("cpanfile", []byte(`
requires 'perl', 'v5.36.0';   # comment
requires "Plack" => 1.0047;
requires q{Moo}, '>= 2, < 3';
recommends 'Not::This';
on test => sub { requires 'Test::Deep'; };
on 'runtime' => sub { requires 'JSON::XS'; };
feature 'x', 'an x', sub { requires 'X::Y'; };
requires 'Last';
`))
	want := []Module{{"Plack", "1.0047", 3}, {"Moo", ">= 2, < 3", 4}, {"JSON::XS", "", 7}, {"Last", "", 9}}
	if err != nil || perl != (Module{"perl", "v5.36.0", 2}) || !slices.Equal(got, want) {
		t.Errorf("%+v, %+v, %v", got, perl, err)
	}
	for text, line := range map[string]int{"requires 'a": 1, "\nrequires;": 0, "requires '../x';": 1, "on test => sub {\n requires 'a';": 0, "}": 1, "requires \"$x\";": 1} {
		_, _, err := parseCpanfile("cpanfile", []byte(text))
		if pe, ok := errors.AsType[*ParseError](err); !ok || pe.Line != line {
			t.Errorf("%q: %v", text, err)
		}
	}
	for in, want := range map[string]string{"5.036": "5.36", "5.010001": "5.10", "v5.36.0": "5.36.0", ">= 5.040": "5.40", "5.36": "5.36"} {
		if got := perlVersion(in); got != want {
			t.Errorf("perlVersion(%q) = %q", in, got)
		}
	}
}

func TestPrerequisites(t *testing.T) {
	got, err := prerequisites("Makefile.PL", []byte("WriteMakefile(\n PREREQ_PM => {\n  'Plack' => 0,\n  \"Moo\" => '2.0', perl => 5.010,\n },\n TEST_REQUIRES => { 'Test::More' => 0 });"))
	if want := []Module{{"Plack", "0", 3}, {"Moo", "2.0", 4}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzParseCpanfile(f *testing.F) {
	f.Add([]byte("requires 'a', q(1); on test => sub { requires qw(x) };\n=pod\n=cut\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, _, err := parseCpanfile("cpanfile", data)
		for _, m := range got {
			if err != nil || !perlModule(m.Name) || m.Line < 1 || m.Line > 1+strings.Count(string(data), "\n") {
				t.Fatalf("%q gave %+v, %v", data, m, err)
			}
		}
		if _, err := prerequisites("Makefile.PL", data); err != nil {
			if _, ok := errors.AsType[*ParseError](err); !ok {
				t.Fatal(err)
			}
		}
	})
}
