package packages

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func testIndex(t *testing.T, lines ...string) *index {
	t.Helper()
	x := newIndex()
	for _, l := range lines {
		name, rest, _ := strings.Cut(l, " ")
		stanza := fmt.Sprintf("Package: %s\nArchitecture: all\nFilename: pool/%s.deb\nSize: 1\nSHA256: %s\n%s\n", name, name, strings.Repeat("0", 64), strings.ReplaceAll(rest, ";", "\n"))
		if err := x.add(strings.NewReader(stanza), "debian"); err != nil {
			t.Fatal(err)
		}
	}
	x.finish()
	return x
}

func TestResolve(t *testing.T) {
	x := testIndex(t,
		"app Version: 1:2-3;Depends: lib | other, virtual, noise, python3-x",
		"lib Version: 1;Pre-Depends: c1", "c1 Version: 4;Depends: cycle-two", "cycle-two Version: 5;Depends: c1",
		"zprovider Version: 1;Provides: virtual (= 3)", "aprovider Version: 1;Provides: virtual", "noise Version: 1",
		"python3-x Version: 1.5+dfsg-1", "lib Version: 0.9")
	s := spec{Roots: map[string][]string{"base": {"app", "zprovider"}}, Exclude: map[string][]string{"why": {"noise"}}, Merge: map[string][]string{"both": {"lib", "zprovider", "absent"}}}
	groups, python, err := resolve(s, x)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for name, g := range groups {
		for _, d := range g.Debs {
			got[name] = append(got[name], d.Name)
		}
		got[name] = append(got[name], append([]string{g.Version, "needs"}, g.Deps...)...)
	}
	want := map[string][]string{
		"app":  {"app", "2-3", "needs", "aprovider", "both", "python3-x"},
		"both": {"lib", "zprovider", "1", "needs", "c1"}, "aprovider": {"aprovider", "1", "needs"},
		"c1": {"c1", "cycle-two", "4", "needs"}, "python3-x": {"python3-x", "1.5+dfsg-1", "needs"},
	}
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(python, map[string]map[string]string{"python": {"x": "python3-x"}}) {
		t.Fatalf("got %v, %v", got, python)
	}
	for bad, want := range map[string]string{"nowhere": "has no nowhere", "needy": "nothing provides missing or gone"} {
		x := testIndex(t, "needy Version: 1;Depends: missing | gone")
		if _, _, err := resolve(spec{Roots: map[string][]string{"a": {bad}}}, x); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

func TestGoVersions(t *testing.T) {
	got := goVersions("v0.0.1-go1.24.9.linux-amd64\nv0.0.1-go1.24.13.linux-amd64\nv0.0.1-go1.25rc1.linux-amd64\nv0.0.1-go1.24.14.linux-arm64\nv0.0.1-go1.21.3.linux-amd64\njunk\nv0.0.1-go1.26.0.linux-amd64\n")
	if want := map[string]string{"1.24": "1.24.13", "1.26": "1.26.0"}; !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v", got)
	}
}

func TestParseLock_RefusesDamage(t *testing.T) {
	b, err := flakeFiles.ReadFile("flake/lock.json")
	if err != nil {
		t.Fatal(err)
	}
	l, err := parseLock(b)
	if err != nil {
		t.Fatal(err)
	}
	if l.Spec != specDigest() {
		t.Error("the embedded lock is of another spec: run go generate")
	}
	text := string(b)
	for name, bad := range map[string]string{
		"not json": "{", "empty": "{}", "version": strings.Replace(text, `"version":1`, `"version":9`, 1),
		"file name":  strings.Replace(text, `{"name":"bash",`, `{"file":"../bash","name":"bash",`, 1),
		"dependency": strings.Replace(text, `"glibc"`, `"nolibc"`, 1),
	} {
		if _, err := parseLock([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add([]byte(`{"version":1,"groups":{"a":{"version":"1","debs":[],"deps":[]}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := parseLock(b); err == nil {
			l.closure(l.closure()...)
			for _, file := range l.files() {
				if strings.Contains(file.name, "/") {
					t.Fatalf("accepted %q", file.name)
				}
			}
		}
	})
}
