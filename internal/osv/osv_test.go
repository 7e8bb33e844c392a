package osv

import (
	"archive/zip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

const (
	lodash = `{"id":"X-1","aliases":["CVE-2026-1"],"summary":"Prototype pollution","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N"}],
	 "affected":[{"package":{"ecosystem":"npm","name":"lodash"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"4.17.12"},{"introduced":"4.17.15"},{"last_affected":"4.17.20"}]}]}]}`
	django    = `{"id":"X-2","details":"SQL injection\nin Django","database_specific":{"severity":"HIGH"},"affected":[{"package":{"ecosystem":"PyPI","name":"Django"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"5.0"},{"fixed":"5.0.7"}]}],"versions":["4.2rc1"]}]}`
	withdrawn = `{"id":"X-3","withdrawn":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"lodash"},"versions":["4.17.1"]}]}`
	golang    = `{"id":"GO-1","affected":[{"package":{"ecosystem":"Go","name":"golang.org/x/net"},"ranges":[{"type":"GIT","events":[{"introduced":"0"}]},{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"0.23.0"}]}]}]}`
)

// folder is a database of single files, JSON Lines and a zip.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a.json": lodash, "more/b.jsonl": django + "\n" + withdrawn + "\n", "README.md": "no record"} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(dir, "all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	w, err := z.Create("GO-1.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(golang)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFind(t *testing.T) {
	dir := folder(t)
	for _, c := range []struct {
		p    Package
		want string
	}{
		{Package{"npm", "lodash", "4.17.1"}, "X-1"},
		{Package{"npm", "lodash", "4.17.12"}, ""},
		{Package{"npm", "lodash", "4.17.15"}, "X-1"},
		{Package{"npm", "lodash", "4.17.20"}, "X-1"},
		{Package{"npm", "lodash", "4.17.21"}, ""},
		{Package{"npm", "lodash", "4.17.15-rc.1"}, ""},
		{Package{"npm", "lodash.merge", "4.17.1"}, ""},
		{Package{"pypi", "lodash", "4.17.1"}, ""},
		{Package{"pypi", "django", "5.0"}, "X-2"},
		{Package{"pypi", "django", "5.0.7"}, ""},
		{Package{"pypi", "django", "4.2rc1"}, "X-2"},
		{Package{"golang", "golang.org/x/net", "v0.22.0"}, "GO-1"},
		{Package{"golang", "golang.org/x/net", "v0.23.0"}, ""},
		{Package{"deb", "lodash", "4.17.1"}, ""},
		{Package{"npm", "lodash", "not a version"}, ""},
	} {
		got, err := Find(t.Context(), dir, []Package{c.p})
		id := ""
		if len(got) > 0 {
			id = got[0].ID
		}
		if err != nil || id != c.want || len(got) > 1 {
			t.Errorf("%v: %+v, %v; want %q", c.p, got, err, c.want)
		}
	}
}

func TestFind_Tells(t *testing.T) {
	got, err := Find(t.Context(), folder(t), []Package{{"pypi", "Django", "5.0.1"}, {"npm", "lodash", "4.17.16"}})
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if g := got[0]; g.Package != "Django" || g.Summary != "SQL injection" || g.Severity != "HIGH" || len(g.Fixed) != 1 || g.Fixed[0] != "5.0.7" {
		t.Errorf("%+v", g)
	}
	if g := got[1]; g.Severity != "CVSS:3.1/AV:N" || len(g.Aliases) != 1 || len(g.Fixed) != 0 {
		t.Errorf("%+v", g)
	}
}

func TestFind_BadDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(file, []byte(lodash+"{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), file, nil); err == nil {
		t.Error("a cut-off record passed")
	}
	if _, err := Find(t.Context(), filepath.Join(t.TempDir(), "nothing"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Find(ctx, file, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzRecord(f *testing.F) {
	for _, s := range []string{lodash, django, golang, "{}", "[1]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file := filepath.Join(t.TempDir(), "x.json")
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _ = Find(t.Context(), file, []Package{{"npm", "lodash", "4.17.1"}, {"pypi", "django", "5"}}) // must not panic
	})
}
