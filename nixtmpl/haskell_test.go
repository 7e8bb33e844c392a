package nixtmpl

import "testing"

func TestInCabalRange(t *testing.T) {
	for _, c := range []struct {
		version, spec string
		want          bool
	}{
		{"4.18.2.1", ">=4.7 && <5", true}, {"5.0", ">=4.7 && <5", false}, {"2.1.2.1", "^>=2.1 || ^>=2.2", true}, {"2.3", "^>=2.1 || ^>=2.2", false},
		{"3.2.4", "==3.2.*", true}, {"3.3", "==3.2.*", false}, {"1.2.5", "^>= {1.0, 1.2}", true}, {"1.3", "^>= {1.0, 1.2}", false},
		{"1.0", "", true}, {"1.0", "-any", true}, {"1.0", "== 1.0.0", true}, {"1.0", "(>0.9)", true}, {"1.0", "what", false}, {"x", ">=1", false},
	} {
		if got := inCabalRange(c.version, c.spec); got != c.want {
			t.Errorf("%s in %q: %v", c.version, c.spec, got)
		}
	}
}

func FuzzInCabalRange(f *testing.F) {
	f.Add("1.2", "^>= {1, 2} || (==3.* && <4)")
	f.Fuzz(func(t *testing.T, version, spec string) {
		if inCabalRange(version, spec) && numbers(version) == nil {
			t.Fatalf("%q is in %q", version, spec)
		}
	})
}
