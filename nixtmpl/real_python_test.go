package nixtmpl

import (
	"fmt"
	"strings"
	"testing"

	"hop3/internal/pypitest"
)

const lockedApp = "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get(\"/\")\ndef hello():\n    return \"version 1\"\n"

// lockFor writes the lock file of a tool for packages of an index.
func lockFor(tool string, x *pypitest.Index, list []pypitest.Package) string {
	var b strings.Builder
	switch tool {
	case "uv":
		b.WriteString("version = 1\nrequires-python = \">=3.11\"\n\n[[package]]\nname = \"shop\"\nversion = \"0\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"flask\" }, { name = \"gunicorn\" }]\n")
	case "pylock":
		b.WriteString("lock-version = \"1.0\"\n")
	}
	for _, p := range list {
		name, sum := strings.ToLower(p.Name), x.SHA256(p)
		kind := "wheels = [%s]"
		if p.Sdist {
			kind = "sdist = %s"
		}
		switch tool {
		case "uv":
			fmt.Fprintf(&b, "\n[[package]]\nname = %q\nversion = %q\nsource = { registry = %q }\n", name, p.Version, x.URL+"/simple")
			fmt.Fprintf(&b, kind+"\n", fmt.Sprintf("{ url = %q, hash = \"sha256:%s\" }", x.FileURL(p), sum))
		case "pylock":
			fmt.Fprintf(&b, "\n[[packages]]\nname = %q\nversion = %q\n", name, p.Version)
			fmt.Fprintf(&b, kind+"\n", fmt.Sprintf("{ name = %q, url = %q, hashes = { sha256 = %q } }", p.File(), x.FileURL(p), sum))
		default:
			fmt.Fprintf(&b, "\n[[package]]\nname = %q\nversion = %q\ngroups = [\"default\"]\nfiles = [{file = %q, hash = \"sha256:%s\"}]\n", name, p.Version, p.File(), sum)
		}
	}
	return b.String()
}

// TestReal_PythonLocks builds an app from a lock file that names files and no addresses: each is fetched once, by its name from
// an index on loopback. The other tools' are in TestSlow_PythonLocks.
func TestReal_PythonLocks(t *testing.T) {
	lockedApps(t, "poetry")
}

func lockedApps(t *testing.T, tools ...string) {
	for _, tool := range tools {
		t.Run(tool, func(t *testing.T) {
			mark := "# " + t.TempDir() + "\n" // files of its own, so that no earlier run has fetched them
			flask, gunicorn := stub("Flask", "9.0"), stub("gunicorn", "99.0")
			flask.Source += mark
			gunicorn.Source += mark
			gunicorn.Sdist = tool == "uv"
			list := []pypitest.Package{flask, gunicorn}
			x := pythonIndex(t, list...)
			r := newRig(t)
			r.Env = func() []string { return []string{"PIP_INDEX_URL=" + x.URL + "/simple/"} }
			file := tool + ".lock"
			if tool == "pylock" {
				file = "pylock.toml"
			}
			a := r.tree(t, "python-"+tool, map[string]string{
				"pyproject.toml": "[project]\nname = \"shop\"\nversion = \"0\"\nrequires-python = \">=3.11\"\ndependencies = [\"flask\", \"gunicorn>=20\"]\n",
				"app.py":         lockedApp, file: lockFor(tool, x, list),
			})
			one, plan := a.build(t)
			if plan.Tool.From != file || one.Resolution.Template != "python/locked" || len(one.Resolution.Fixed) != 0 {
				t.Errorf("%+v, %+v", plan.Tool, one.Resolution)
			}
			if got := serve(t, one, contract(t, one, plan).Processes["web"]); got != "version 1" {
				t.Errorf("answers %q", got)
			}
			if tool == "uv" {
				lifecycle(t, a, "app.py", "README.md")
			}
			if n := x.Downloads.Load(); n != int64(len(list)) {
				t.Errorf("%d downloads of %d files", n, len(list))
			}
		})
	}
}
