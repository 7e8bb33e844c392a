package detect

import (
	"slices"
	"testing"
)

func FuzzParseCabal(f *testing.F) {
	f.Add([]byte("A\n A:\n}\n  0")) // a brace ends the field
	f.Add([]byte("name: a\nexecutable b {\n  build-depends:\n    base >=4 && <5,\n -- c\n    d:{e,f} ^>= {1, 2}\n  if os(linux)\n    build-depends: g\n}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		root, err := parseCabal("x.cabal", data)
		if err != nil {
			return
		}
		for _, s := range append([]*cabalSection{root}, root.sections...) {
			for _, field := range s.all("build-depends") {
				for _, d := range parseDepends(field.value(), "x") {
					if d.Name == "" || dependName.FindString(d.Name) != d.Name {
						t.Fatalf("%q gave %+v", data, d)
					}
				}
			}
		}
	})
}

func TestParseDepends(t *testing.T) {
	got := parseDepends("base >=4.7 && <5\n, text\n, pkg:{a,b} ^>= {1.0, 1.2}, own:core >1, (bad), aeson-pretty==0.8.*", "x:1")
	want := []HaskellDepend{{"base", ">=4.7 && <5", "x:1"}, {"text", "", "x:1"}, {"pkg", "^>= {1.0, 1.2}", "x:1"}, {"own", ">1", "x:1"}, {"aeson-pretty", "==0.8.*", "x:1"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
