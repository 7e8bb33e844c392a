package detect

import (
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"
)

// FuzzShard holds that what is read of a manifest names sources of the tree only, and that its shape breaks nothing.
func FuzzShard(f *testing.F) {
	f.Add([]byte("name: a\ntargets:\n  b: {main: src/a.cr}\n  c: &x {main: ../d.cr}\ndependencies: *x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Detect(fstest.MapFS{"shard.yml": {Data: data}, "src/a.cr": {}})
		if err != nil || p.Crystal == nil {
			return
		}
		for _, c := range p.Crystal.Targets {
			if c.Main != "src/a.cr" || !programName.MatchString(c.Name) {
				t.Fatalf("%q gave %+v", data, c)
			}
		}
	})
}

func TestPairs(t *testing.T) {
	var n yaml.Node
	if err := decodeYAML("x", []byte("a: &a {b: c}\nd: *a\ne: [1]\n"), &n); err != nil {
		t.Fatal(err)
	}
	if got := scalar(lookup(&n, "d", "b")); got != "c" || lookup(&n, "e", "b") != nil || scalar(lookup(&n, "e")) != "" || len(pairs(&n)) != 3 {
		t.Errorf("%q, %+v", got, pairs(&n))
	}
	err := decodeYAML("x", []byte("a: b\n c: d\n"), &n)
	if pe, ok := err.(*ParseError); !ok || pe.Line != 2 {
		t.Error(err)
	}
}
