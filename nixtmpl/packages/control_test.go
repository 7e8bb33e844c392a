package packages

import (
	"reflect"
	"strings"
	"testing"
)

func TestReadParagraphs(t *testing.T) {
	const text = "# comment\nPackage: a\nDepends: b,\n c\nOther: x\n y\n\n\nPackage:b\r\n"
	var got []map[string]string
	err := readParagraphs(strings.NewReader(text), map[string]bool{"Package": true, "Depends": true}, func(f map[string]string) error {
		got = append(got, f)
		return nil
	})
	want := []map[string]string{{"Package": "a", "Depends": "b,\nc"}, {"Package": "b"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, bad := range []string{"no colon\n", ": x\n", "a b: c\n", strings.Repeat("x", maxControlLine+1)} {
		if err := readParagraphs(strings.NewReader(bad), nil, func(map[string]string) error { return nil }); err == nil {
			t.Errorf("%.20q was accepted", bad)
		}
	}
}

func TestParseRelation(t *testing.T) {
	got := parseRelation("libc6 (>= 2.38), a | b:any [amd64] <!nocheck>,\n c(= 1), ")
	if want := [][]string{{"libc6"}, {"a", "b"}, {"c"}}; !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v", got)
	}
}

func TestIndex_RefusesBadEntries(t *testing.T) {
	good := "Package: a\nVersion: 1\nArchitecture: all\nFilename: pool/a.deb\nSize: 1\nSHA256: " + strings.Repeat("0", 64) + "\n"
	if err := newIndex().add(strings.NewReader(good), "debian"); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{{"pool/a.deb", "../a.deb"}, {"pool/a.deb", "/etc/passwd"}, {"Size: 1", "Size: -1"}, {"Size: 1", "Size: x"}, {"0000", "zzzz"}, {"Version: 1", "Version:"}} {
		if err := newIndex().add(strings.NewReader(strings.Replace(good, change[0], change[1], 1)), "debian"); err == nil {
			t.Errorf("%s was accepted", change[1])
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add("Package: a\nVersion: 1:2~3-4\nArchitecture: amd64\nFilename: pool/a.deb\nSize: 1\nSHA256: " + strings.Repeat("a", 64) + "\nProvides: v (= 1), w\nDepends: x | y\n\nPackage: b\n")
	f.Fuzz(func(t *testing.T, text string) {
		x := newIndex()
		if x.add(strings.NewReader(text), "debian") != nil {
			return
		}
		x.finish()
		for name, p := range x.packages {
			pin := p.pin()
			if name == "" || pin.File != storeName(pin.File) || strings.Contains(pin.File, "/") || strings.HasPrefix(pin.Path, "/") || strings.Contains("/"+pin.Path+"/", "/../") {
				t.Fatalf("accepted %+v", pin)
			}
		}
	})
}
