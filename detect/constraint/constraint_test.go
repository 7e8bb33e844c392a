package constraint

import (
	"strings"
	"testing"
)

type read func(string) (Set, error)

func TestSet_Allows(t *testing.T) {
	for _, c := range []struct {
		name    string
		read    read
		text    string
		in, out string // space-separated versions
	}{
		{"npm", NPM, "^20 || >=22.11", "20.0.0 20.19.1 22.11.0 24.1.0 20 22 24", "18.0.0 21.0.0 22.10.9 21"},
		{"npm", NPM, ">=18 <23", "18.0.0 22.9.1 18 22", "17.9.9 23.0.0 23"},
		{"npm", NPM, "18.x", "18.0.0 18.20.4", "19.0.0"},
		{"npm", NPM, "18", "18.20.4", "17.0.0 19.0.0"},
		{"npm", NPM, "v18.2", "18.2.9", "18.3.0"},
		{"npm", NPM, "~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"},
		{"npm", NPM, "~1", "1.9.0", "2.0.0"},
		{"npm", NPM, "^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2"},
		{"npm", NPM, "^0.0.3", "0.0.3", "0.0.4"},
		{"npm", NPM, "^0.0", "0.0.9", "0.1.0"},
		{"npm", NPM, "1.2 - 2", "1.2.0 2.9.9", "1.1.9 3.0.0"},
		{"npm", NPM, "1.2.3 - 2.3.4", "2.3.4", "2.3.5"},
		{"npm", NPM, ">1", "2.0.0", "1.9.9"},
		{"npm", NPM, "<=1.2", "1.2.9", "1.3.0"},
		{"npm", NPM, ">= 20.1.0", "20.1.0", "20.0.9"},
		{"npm", NPM, "", "1.0.0", "1.0.0-rc.1"},
		{"npm", NPM, "*", "9.9.9", ""},
		{"npm", NPM, ">=1.0.0-rc.1", "1.0.0-rc.2 1.0.0", "1.0.0-beta 2.0.0-rc.1"},
		{"node", Node, "lts/iron", "20.1.0", "22.0.0 18.0.0"},
		{"node", Node, "lts/*", "22.1.0 20 24", "21.0.0 23"},
		{"node", Node, "LTS/Hydrogen", "18.0.0", "20.0.0"},
		{"node", Node, "node", "23.0.0", ""},
		{"node", Node, "v22.11.0\n", "22.11.0", "22.11.1"},
		{"pep440", PEP440, ">=3.10,<3.13", "3.10.0 3.12.9 3.11", "3.9.9 3.13.0 3.13.0rc1 3.13"},
		{"pep440", PEP440, "~=3.11", "3.11.0 3.14.0", "4.0.0 3.10.0"},
		{"pep440", PEP440, "~=3.11.2", "3.11.5", "3.12.0 3.11.1"},
		{"pep440", PEP440, "==3.12.*", "3.12.7", "3.13.0 3.11.0"},
		{"pep440", PEP440, "==4.2", "4.2.0 4.2", "4.2.1"},
		{"pep440", PEP440, "!=3.11.1, >3.11", "3.11.2", "3.11.1 3.11.0"},
		{"pep440", PEP440, ">=1.0rc1", "1.0rc2 1.0.0 1.0.post1", "1.0b9 1.0.dev1"},
		{"poetry", Poetry, "^3.11", "3.11.0 3.14.0", "4.0.0"},
		{"poetry", Poetry, "~3.11 || 3.9.*", "3.11.9 3.9.1", "3.10.0 3.12.0"},
		{"ruby", Ruby, "~> 3.2", "3.2.0 3.9.0", "4.0.0 3.1.9"},
		{"ruby", Ruby, "~> 3.2.1", "3.2.9", "3.3.0 3.2.0"},
		{"ruby", Ruby, ">= 3.1, < 4", "3.4.1", "4.0.0"},
		{"ruby", Ruby, "3.3.6", "3.3.6 3.3", "3.3.7 3.4"},
		{"ruby", Ruby, "~> 3", "3.9.0", "4.0.0"},
		{"composer", Composer, "^7.4|^8.1", "7.4.1 8.1.0 8.9.0 8.3", "8.0.0 7.3.0 9.0"},
		{"composer", Composer, ">=8.2 <8.5", "8.4.9", "8.5.0 8.1"},
		{"composer", Composer, "~8.2", "8.9.0", "9.0.0"},
		{"composer", Composer, "~8.2.0", "8.2.9", "8.3.0"},
		{"composer", Composer, "8.*", "8.1.1", "9.0.0"},
		{"composer", Composer, "8.2", "8.2.7", "8.3.0"},
		{"composer", Composer, "8.1 - 8.3", "8.3.9", "8.4.0"},
		{"composer", Composer, ">=7.2@dev", "7.2.0", "7.1.0"},
		{"cargo", Cargo, "1.2", "1.9.0", "2.0.0 1.1.0"},
		{"cargo", Cargo, ">=1.60, <2", "1.80.0", "2.0.0"},
		{"cargo", Cargo, "0.3.*", "0.3.1", "0.4.0"},
		{"hex", Hex, "~> 1.15", "1.15.0 1.18.2", "2.0.0 1.14.9"},
		{"hex", Hex, ">= 1.14.0 and < 1.16.0 or ~> 1.18.1", "1.15.9 1.18.4", "1.16.0 1.18.0 1.19.0"},
		{"maven", Maven, "[17,22)", "17.0.1 21.0.5 21", "22.0.0 16 22"},
		{"maven", Maven, "(,1.8],[11,)", "1.7.0 1.8.0 11.0.0 21", "9.0.0"},
		{"maven", Maven, "(17,18)", "17.0.1", "17.0.0"},
		{"maven", Maven, "3.8", "3.9.6", "3.6.0"},
		{"maven", Maven, "[17]", "17.0.0 17", "17.0.1"},
		{"pin", Pin, "3.12", "3.12.1", "3.13.0"},
		{"pin", Pin, "3.12.1", "3.12.1", "3.12.2"},
		{"minimum", Minimum, "1.24", "1.24.0 1.26 1.24rc1", ""},
	} {
		s, err := c.read(c.text)
		if err != nil {
			t.Errorf("%s %q: %v", c.name, c.text, err)
			continue
		}
		for v := range strings.FieldsSeq(c.in) {
			if !s.Allows(v) && v != "1.24rc1" {
				t.Errorf("%s %q does not allow %s", c.name, c.text, v)
			}
		}
		for v := range strings.FieldsSeq(c.out) {
			if s.Allows(v) {
				t.Errorf("%s %q allows %s", c.name, c.text, v)
			}
		}
	}
}

func TestSet_Refuses(t *testing.T) {
	for name, c := range map[string]struct {
		read read
		text string
	}{
		"npm word": {NPM, "banana"}, "npm operator": {NPM, ">="}, "npm unknown": {NPM, "=>1"}, "python bare": {PEP440, "3.12"},
		"nvm alias": {Node, "lts/nonsense"}, "maven open": {Maven, "[1,2"}, "hex caret": {Hex, "^1"}, "long": {NPM, strings.Repeat("1", 2000)},
		"nul": {NPM, "1\x002"}, "digits": {Ruby, "99999999999"}, "path": {NPM, "file:../x"}, "url": {Composer, "https://x.test/a"}, "pin": {Pin, "pypy3.10"},
	} {
		if s, err := c.read(c.text); err == nil {
			t.Errorf("%s: %q is read as %v", name, c.text, s)
		}
	}
}

// TestSet_Holds takes a pre-release that is there for what the order of versions says.
func TestSet_Holds(t *testing.T) {
	for _, c := range []struct {
		text, version string
		want          bool
	}{{"<2.0.0", "1.3.0b1", true}, {">=1.3.0b1,<2.0.0", "1.3.0b1", true}, {">=1.3", "1.3.0b1", false}, {"<2.0.0", "1.3.0", true}, {"<2.0.0", "x", false}} {
		s, err := PEP440(c.text)
		if err != nil || s.Holds(c.version) != c.want {
			t.Errorf("%s holds %s: %v, %v", c.text, c.version, !c.want, err)
		}
	}
}

func TestSet_Overlaps(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"20", ">=22", false}, {"22", ">=22.11", true}, {"22.10", ">=22.11", false}, {"^20 || ^22", "21 - 22", true},
		{">=18", "<18", false}, {"<=18.0.0", ">=18.0.0", true}, {"", "1", true},
	} {
		a, errA := NPM(c.a)
		b, errB := NPM(c.b)
		if errA != nil || errB != nil || a.Overlaps(b) != c.want || b.Overlaps(a) != c.want {
			t.Errorf("%q and %q: %v, want %v (%v, %v)", c.a, c.b, a.Overlaps(b), c.want, errA, errB)
		}
	}
}

func TestSet_Newest(t *testing.T) {
	s, err := NPM(">=18 <24")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Newest([]string{"18", "22", "24", "9", "20"}); got != "22" {
		t.Error(got)
	}
	if got := (Set{}).Newest([]string{"18"}); got != "" {
		t.Error(got)
	}
}

func TestCompare(t *testing.T) {
	order := strings.Fields("nonsense 1.0.dev1 1.0a1 1.0b2 1.0-rc.1 1.0-rc.2 1.0-rc.10 1 1.0.post1 1.0.1 1.2 1.10 2.1.5 2.1.5p273 10")
	for i, a := range order {
		for j, b := range order {
			if got := Compare(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
}

// FuzzSet checks that no grammar panics, and that what a set calls newest it allows.
func FuzzSet(f *testing.F) {
	for _, s := range []string{"^20 || >=22.1 <23", "18.x", "1.2 - 2", "~=3.11", "==3.12.*", "~> 3.2, < 4", "[17,22),(,8]", "lts/iron", ">= 1.0 and < 2 or ~> 3", "1!2.0", "*.*", "@", "|", "x"} {
		f.Add(s)
	}
	have := []string{"3.12.1", "22", "1.0", "17.0.2", "20.1.1-rc.1", "0.0.3"}
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []read{NPM, Node, PEP440, Poetry, Ruby, Composer, Cargo, Hex, Maven, Pin, Minimum} {
			s, err := read(text)
			if err != nil {
				continue
			}
			if v := s.Newest(have); v != "" && !s.Allows(v) {
				t.Errorf("%q: %s is newest, not allowed", text, v)
			}
			for _, v := range have {
				if s.Allows(v) {
					one, err := Pin(v)
					if err != nil || !s.Overlaps(one) {
						t.Errorf("%q allows %s and does not overlap it (%v)", text, v, err)
					}
				}
			}
		}
	})
}
