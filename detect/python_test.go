package detect

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"hop3/detect/internal/pypi"
)

func TestParseRequirements(t *testing.T) {
	lines, err := parseRequirements("requirements.txt", []byte("Flask[async]>=3 , <4 # web\r\n\nJinja2==3.1.6 \\\n    --hash=sha256:aa\nzope.interface ; python_version<'3'\n-r base.txt\n-cother.txt\n--index-url https://x\n"))
	if err != nil || len(lines) != 6 {
		t.Fatalf("%+v, %v", lines, err)
	}
	r := lines[0].req
	if r.Name != "flask" || r.Spec != ">=3,<4" || !slices.Equal(r.Extras, []string{"async"}) || r.Pinned() {
		t.Errorf("%+v", r)
	}
	if r := lines[1]; !r.hashed || !r.req.Pinned() || r.req.Line != 3 {
		t.Errorf("%+v", r)
	}
	if r := lines[2].req; r.Name != "zope-interface" || r.Marker == "" {
		t.Errorf("%+v", r)
	}
	if lines[3].include != "base.txt" || lines[4].include != "other.txt" || !lines[4].constraint {
		t.Errorf("%+v", lines[3:])
	}
	for _, bad := range []string{"flask=1", "flask >", "???", "a b"} {
		if _, err := parseRequirements("r", []byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		} else if _, ok := errors.AsType[*ParseError](err); !ok {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"-e ../x", "git+https://x/y", "-e git+https://x/y", "/lib", "./x.whl", "x @ https://y", "https://y/x.tar.gz", "--find-links dir"} {
		if _, err := parseRequirements("r", []byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		} else if _, ok := errors.AsType[*UnsupportedError](err); !ok {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseRequirements(f *testing.F) {
	f.Add([]byte("flask[async]>=3,<4 ; x --hash=a \\\n b\n-r x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := parseRequirements("r", data)
		if err != nil {
			return
		}
		for _, l := range lines {
			if l.include+l.local+l.option == "" && (l.req.Name != pypi.Normal(l.req.Name) || l.req.Name == "" || strings.ContainsAny(l.req.Spec, " \n")) {
				t.Fatalf("%q gave %+v", data, l)
			}
		}
	})
}

func TestPython_App(t *testing.T) {
	for _, c := range []struct {
		web  string
		tree []string
	}{
		{"python3 -m gunicorn --bind $HOST:$PORT app:site", []string{"requirements.txt", "flask", "app.py", "\"\"\"\napp = Flask()\n\"\"\"\nfrom flask import Flask as F\nsite = F(\n  __name__,\n)\n"}},
		{"gunicorn --bind $HOST:$PORT shop:app", []string{"requirements.txt", "flask\ngunicorn", "src/shop/__init__.py", "import flask\napp: flask.Flask = flask.Flask(__name__)\n"}},
		{"gunicorn --bind $HOST:$PORT 'shop:create_app()'", []string{"requirements.txt", "flask\ngunicorn", "shop/__init__.py", "from flask import Flask\ndef create_app(config=None, *, debug: bool = f(1, 2)) -> Flask:\n  return Flask(__name__)\n"}},
		{"uvicorn --host $HOST --port $PORT main:app", []string{"requirements.txt", "python-fasthtml", "main.py", "from fasthtml.common import *\napp, rt = fast_app()\n"}},
		{"hypercorn --bind $HOST:$PORT app:app", []string{"requirements.txt", "quart", "app.py", "from quart import Quart\napp = Quart(__name__)\n"}},
		{"python3 -m uvicorn --host $HOST --port $PORT app:app", []string{"requirements.txt", "starlette", "app.py", "from starlette.applications import Starlette\napp = Starlette()\n"}},
		{"gunicorn --worker-class aiohttp.GunicornWebWorker --bind $HOST:$PORT app:app", []string{"requirements.txt", "aiohttp\ngunicorn", "app.py", "from aiohttp import web\napp = web.Application()\n"}},
		{"waitress-serve --listen=$HOST:$PORT app:app", []string{"requirements.txt", "bottle\nwaitress", "app.py", "import bottle\napp = bottle.default_app()\n"}},
		{"waitress-serve --listen=$HOST:$PORT --call app:create_app", []string{"requirements.txt", "flask\nwaitress", "app.py", "def create_app(): return Flask(__name__)\n"}},
		{"streamlit run app.py --server.address $HOST --server.port $PORT --server.headless true", []string{"requirements.txt", "streamlit", "app.py", "import streamlit as st\n"}},
		{"env GRADIO_SERVER_NAME=$HOST GRADIO_SERVER_PORT=$PORT python3 app.py", []string{"requirements.txt", "gradio", "app.py", "import gradio as gr\n"}},
		{"python3 -c 'from shop.cli import main; raise SystemExit(main())'", []string{"pyproject.toml", "[project]\nname='x'\n[project.scripts]\nshop='shop.cli:main'", "src/shop/cli.py", "", "src/shop/__init__.py", ""}},
		{"python3 -m shop", []string{"pyproject.toml", "[project]\nname='x'", "shop/__main__.py", ""}},
		{"python3 bot.py", []string{"requirements.txt", "discord", "bot.py", "app = App()\n"}},
		{"sanic --host=$HOST --port=$PORT server:app", []string{"requirements.txt", "sanic", "server.py", "from sanic import Sanic\napp = Sanic('x')\n"}},
		{"python3 -m gunicorn --bind $HOST:$PORT site.wsgi:application", []string{"requirements.txt", "django", "manage.py", "os.environ.setdefault(\n  'DJANGO_SETTINGS_MODULE', 'site.settings')", "site/wsgi.py", ""}},
	} {
		p, err := Detect(files(c.tree...))
		if got := p.Processes.Command("web"); err != nil || got != c.web {
			t.Errorf("%q: %q, %v, want %q", c.tree, got, err, c.web)
		}
	}
}

func TestPython_Packages(t *testing.T) {
	const sum = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	uv := "version = 1\nrequires-python = \">=3.11\"\n[[package]]\nname = \"shop\"\nversion = \"0\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"bottle\" }, { name = \"colorama\", marker = \"sys_platform == 'win32'\" }]\n" +
		"[[package]]\nname = \"bottle\"\nversion = \"0.13.2\"\nsource = { registry = \"https://x/simple\" }\nwheels = [{ url = \"https://x/bottle-0.13.2-py2.py3-none-any.whl\", hash = \"" + sum + "\" }]\n[[package]]\nname = \"colorama\"\nversion = \"1\"\n"
	project := "[project]\nname = \"shop\"\nrequires-python = \">=3.11\"\ndependencies = [\"bottle>=0.13\"]\n"
	p, err := Detect(files("pyproject.toml", project, "uv.lock", uv, "main.py", ""))
	if err != nil || p.Tool != (Tool{"uv", "uv.lock"}) || p.Runtimes[0].Version != ">=3.11" {
		t.Fatalf("%+v, %v", p, err)
	}
	locked, err := p.Python.Locked("3.13", "x86_64")
	if err != nil || len(locked) != 1 || locked[0] != (PythonFile{Package: "bottle", Version: "0.13.2", Name: "bottle-0.13.2-py2.py3-none-any.whl", Address: true}) {
		t.Errorf("%+v, %v", locked, err)
	}
	for name, c := range map[string]struct {
		want string
		tree []string
	}{
		"stale uv":                   {"uv.lock is out of step with pyproject.toml:4: bottle>=1 is asked for, 0.13.2 is locked", []string{"pyproject.toml", strings.Replace(project, "0.13", "1", 1), "uv.lock", uv, "main.py", ""}},
		"not locked":                 {"uv.lock is out of step with pyproject.toml:4: flask is not locked", []string{"pyproject.toml", strings.Replace(project, "bottle>=0.13", "flask", 1), "uv.lock", uv, "main.py", ""}},
		"broken uv":                  {"uv.lock:2: ", []string{"pyproject.toml", project, "uv.lock", "version = 1\n[[package\n", "main.py", ""}},
		"broken project":             {"pyproject.toml:2: ", []string{"pyproject.toml", "[project\n", "main.py", ""}},
		"stale pipenv":               {"Pipfile.lock is out of step with Pipfile:2: bottle==0.13.2 is asked for, 0.12 is locked", []string{"Pipfile", "[packages]\nbottle = \"==0.13.2\"\n", "Pipfile.lock", `{"default":{"bottle":{"version":"==0.12","hashes":[]}}}`, "main.py", ""}},
		"a folder that is not there": {"requirements.txt:1: lib is no folder of the tree", []string{"requirements.txt", "-e ./lib\n", "main.py", ""}},
	} {
		_, err := Detect(files(c.tree...))
		h, hints := errors.AsType[interface {
			error
			Hint() string
		}](err)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || !hints || h.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err = Detect(files("requirements.txt", "-c c.txt\n--index-url https://x\n-e ./lib\nflask==3.1.1\n", "c.txt", "x<1\n", "lib/src/l/__init__.py", "", "lib/setup.cfg", "[metadata]\nname = l\n[options]\ninstall_requires =\n    # the client\n    requests >=2\n\n    six\n", "main.py", ""))
	if err != nil || p.Python.Text != "-c c.txt\n--index-url https://x\nflask==3.1.1\nrequests>=2\nsix\n" || p.Manifest.Env["PYTHONPATH"] != "lib/src" {
		t.Errorf("%q, %q, %v", p.Python.Text, p.Manifest.Env["PYTHONPATH"], err)
	}
	p, err = Detect(files("setup.py", "from setuptools import setup\nsetup(name='x', install_requires=['flask >= 3', 'gunicorn'])\n", "app.py", "app = Flask(__name__)"))
	if err != nil || p.Python.Text != "flask>=3\ngunicorn\n" || p.Tool.From != "setup.py" {
		t.Errorf("%+v, %v", p.Python, err)
	}
}

func FuzzPyLines(f *testing.F) {
	f.Add("a = f'x\\'' \"\"\"b\n\"\"\" ; c(\n1) \\\n d # e\nfrom a.b import (c as d, e)\nasync def f(a, *, b=[1,2]): pass\n")
	f.Fuzz(func(t *testing.T, src string) {
		m := readModule(src)
		for _, l := range m.lines {
			if len(l.tokens) == 0 || l.line < 1 || l.line > 1+strings.Count(src, "\n") {
				t.Fatalf("%q: %+v", src, l)
			}
			l.function()
		}
		findApp(m, &PythonFacts{}, false)
		findApp(m, &PythonFacts{}, true)
	})
}

func FuzzReadINI(f *testing.F) {
	f.Add("[options]\ninstall_requires =\n  a\n  # b\n\n[x]\nk: v\n")
	f.Fuzz(func(t *testing.T, src string) {
		readINI(src)
		tr, err := load(fstest.MapFS{"setup.cfg": {Data: []byte(src)}, "setup.py": {Data: []byte(src)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := setupRequirements(tr, "."); err != nil {
			if _, ok := errors.AsType[*ParseError](err); !ok {
				t.Fatal(err)
			}
		}
	})
}
