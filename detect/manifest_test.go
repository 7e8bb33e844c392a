package detect

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// files makes a tree of name, content pairs.
func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1]), Mode: 0o644}
	}
	return m
}

func manifestOf(t *testing.T, pairs ...string) (Manifest, error) {
	t.Helper()
	tr, err := load(files(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := readManifest(tr, "")
	return m, err
}

// allKeys is a hop3.toml with every key that is read, and two that will be.
const allKeys = `
[metadata]
id = "shop"
title = "Shop"
[build]
stack = "procfile"
packages = ["ffmpeg", "python3.pkgs.pip"]
before-build = "one"
build = ["two", "three"]
after-build = "four"
test = "five"
builder = "auto"
[run]
start = "new"
workers = { mail = "m" }
before-run = "migrate"
start-timeout = 90
[env]
A = "toml"
N = 3
K = { generate = "hex", length = 32 }
DB = { from = "postgres", key = "DATABASE_URL" }
[port]
web = 5000
[healthcheck]
path = "/healthz"
interval = "200ms"
timeout = 2
retries = 5
command = "check"
[domains]
list = ["a.example"]
[processes.worker]
count = 3
memory = "512M"
cpu = 0.5
pids = 64
stop-signal = "int"
stop-timeout = "1m"
start-timeout = "2m"
drain-timeout = "3s"
restart-limit = 4
swap = "exclusive"
[processes.extra]
command = "x"
[cron.clean]
schedule = "0 3 * * *"
command = "clean"
overlap = "replace"
timeout = "1h"
[[volumes]]
name = "uploads"
path = "public/uploads"
[backup]
paths = ["x"]
[waf]
on = true
[[addons]]
type = "postgres"
name = "db"
extensions = ["pg_trgm"]
[[addons]]
type = "redis"
as = "CACHE_URL"
[nix]
nixpkgs = "github:NixOS/nixpkgs/abc"
inputs = { x = "github:o/r/0123456789012345678901234567890123456789" }
`

func TestManifest_AllKeys(t *testing.T) {
	m, err := manifestOf(t,
		"ENV", "A=env\nB=\"two words\"\n# c\n",
		"app.json", `{"env":{"A":"json","S":{"generator":"secret"},"D":{"value":"d","description":"x"}},"formation":{"web":{"quantity":2}},
			"scripts":{"dokku":{"predeploy":"pre","postdeploy":"post"}},"healthchecks":{"web":[{"type":"startup","path":"/up","attempts":3}]},
			"cron":[{"command":"c","schedule":"@daily"}]}`,
		"Procfile", "web: old\nworker: w\n",
		".slugignore", "*.psd\n# x\n/test\n",
		"hop3.toml", allKeys)
	if err != nil {
		t.Fatal(err)
	}
	three := 3
	if len(m.warnings) != 2 || !strings.Contains(m.warnings[0], "backup is not used yet") {
		t.Errorf("warnings %q", m.warnings)
	}
	w := m.Processes["worker"]
	switch {
	case m.ID != "shop", m.Env["A"] != "toml", m.Env["B"] != "two words", m.Env["D"] != "d", m.Env["N"] != "3":
		t.Errorf("env %v, id %q", m.Env, m.ID)
	case m.EnvGenerate["S"].Kind != "hex", m.EnvGenerate["K"] != Generate{"hex", 32}, m.EnvFrom["DB"] != EnvFrom{"postgres", "DATABASE_URL"}:
		t.Errorf("env %v %v", m.EnvGenerate, m.EnvFrom)
	case m.Formation["web"] != 2, m.Formation["worker"] != 3, w.Count == nil || *w.Count != three:
		t.Errorf("formation %v", m.Formation)
	case w.Command != "w", w.Memory != 512<<20, w.CPU != 500, w.Pids != 64, w.StopSignal != "SIGINT", w.StopTimeout != time.Minute, w.Swap != "exclusive", w.StartTimeout != 2*time.Minute, w.DrainTimeout != 3*time.Second, w.RestartLimit != 4:
		t.Errorf("worker %+v", w)
	case m.Processes["web"].Command != "new", m.Processes["mail"].Command != "m", m.Release != "migrate", m.Postdeploy != "post":
		t.Errorf("%+v", m)
	case !reflect.DeepEqual(m.Health, Health{Path: "/healthz", Interval: 200 * time.Millisecond, Timeout: 2 * time.Second, Retries: 5, Command: "check"}), m.StartTimeout != 90*time.Second, m.Port != 5000:
		t.Errorf("%+v", m.Health)
	case len(m.Cron) != 2, m.Cron[1] != Cron{"clean", "0 3 * * *", "clean", "replace", time.Hour}, m.Volumes[0] != Volume{"uploads", "public/uploads"}:
		t.Errorf("%+v %+v", m.Cron, m.Volumes)
	case m.Build.Build != "two && three", m.Build.Before != "one", m.Build.Test != "five", !slices.Equal(m.Domains, []string{"a.example"}):
		t.Errorf("%+v", m.Build)
	case !reflect.DeepEqual(m.Addons, []Addon{{Name: "db", Type: "postgres", Extensions: []string{"pg_trgm"}, From: "hop3.toml [[addons]]"}, {Type: "redis", As: "CACHE_URL", From: "hop3.toml [[addons]]"}}):
		t.Errorf("%+v", m.Addons)
	case m.Nix.Nixpkgs == "", !strings.HasPrefix(m.Nix.Inputs["x"], "github:o/r/"), !slices.Equal(m.Ignore, []string{"*.psd", "/test"}):
		t.Errorf("%+v", m.Nix)
	}
	if names := []string{m.procs[0].Name, m.procs[1].Name}; !slices.Equal(names, []string{"web", "worker"}) || m.procs[0].From != "hop3.toml [run] start" {
		t.Errorf("%+v", m.procs)
	}
}

func TestManifest_AddonsOfAppJSON(t *testing.T) {
	m, err := manifestOf(t, "app.json", `{"addons":["heroku-postgresql:mini",{"plan":"heroku-redis","as":"job_queue","options":{"x":1}}]}`)
	want := []Addon{{Type: "heroku-postgresql:mini", From: "app.json addons"}, {Name: "job-queue", Type: "heroku-redis", As: "JOB_QUEUE_URL", From: "app.json addons"}}
	if err != nil || !reflect.DeepEqual(m.Addons, want) {
		t.Errorf("%+v, %v", m.Addons, err)
	}
}

func TestManifest_Errors(t *testing.T) {
	for _, c := range []struct {
		file, text string
		line       int
		msg        string
	}{
		{"hop3.toml", "[run]\nstrat = \"x\"\n", 2, `unknown key "run.strat"; did you mean "start"?`},
		{"hop3.toml", "[biuld]\nstack = \"go\"\n", 1, `did you mean "build"?`},
		{"hop3.toml", "[processes.web]\n\nmemroy = 1\n", 3, `did you mean "memory"?`},
		{"hop3.toml", "[run\n", 2, ""},
		{"hop3.toml", "[run]\nstart = 3\n", 2, "a command is a string"},
		{"hop3.toml", "[healthcheck]\nretries = \"x\"\n", 2, ""},
		{"hop3.toml", "[healthcheck]\n\ninterval = \"soon\"\n", 3, "duration"},
		{"hop3.toml", "[healthcheck]\npath = \"up\"\n", 2, "begins with /"},
		{"hop3.toml", "[processes.web]\nswap = \"never\"\n", 2, "overlap"},
		{"hop3.toml", "[processes.web]\nmemory = \"lots\"\n", 2, "size"},
		{"hop3.toml", "[processes.web]\ncpu = -1\n", 2, "cpu"},
		{"hop3.toml", "[processes.\"a b\"]\ncommand = \"x\"\n", 0, "process name"},
		{"hop3.toml", "[env]\n\"A B\" = \"x\"\n", 2, "letters"},
		{"hop3.toml", "[env]\nA = { generate = \"x\" }\n", 2, "one of"},
		{"hop3.toml", "[env]\nA = { genrate = \"hex\" }\n", 2, `did you mean "generate"?`},
		{"hop3.toml", "[port]\nweb = 99999\n", 2, "65535"},
		{"hop3.toml", "[build]\npackages = [\"a;b\"]\n", 2, "not the name of a package"},
		{"app.json", "{\n\"env\": [\n]}", 2, ""},
		{"app.json", "{", 1, ""},
		{"app.json", `{"addons":["a","a","a","a","a","a","a","a","a"]}`, 0, "at most 8"},
		{"app.json", `{"addons":[{"as":"X"}]}`, 0, "each is a name"},
		{"app.json", `{"addons":[{"plan":"heroku-redis","as":"-"}]}`, 0, "not the beginning"},
		{"hop3.toml", "[[addons]]\nname = \"db\"\n", 1, "needs a type"},
		{"hop3.toml", "[[addons]]\ntype = \"postgres\"\nname = \"D B\"\n", 3, "is not 1 to 32"},
		{"hop3.toml", "[[addons]]\ntpye = \"postgres\"\n", 2, `did you mean "type"?`},
		{"hop3.toml", "[[addons]]\ntype = \"postgres\"\nextensions = [\"a;b\"]\n", 3, "not the name of an extension"},
		{"ENV", "A=1\nnope\n", 2, "NAME=value"},
	} {
		_, err := manifestOf(t, c.file, c.text)
		pe, ok := errors.AsType[*ParseError](err)
		if !ok || pe.File != c.file || c.line != 0 && pe.Line != c.line || !strings.Contains(pe.Msg, c.msg) {
			t.Errorf("%s %q: %v, want line %d %q", c.file, c.text, err, c.line, c.msg)
		}
	}
}

func TestManifest_FolderOverRoot(t *testing.T) {
	tree := []string{
		"Procfile", "web: root\nold: root\nrelease: root", "ENV", "A=root\nB=root", "app.json", `{"formation":{"web":{"quantity":2}},"cron":[{"command":"a","schedule":"@daily"}]}`,
		"hop3.toml", "[build]\nroot = \"svc\"\n[env]\nC = \"toml\"\n[run.workers]\nmail = \"toml\"\n[cron.x]\nschedule = \"@daily\"\ncommand = \"b\"\n",
		"svc/Procfile", "web: folder\nmail: folder", "svc/ENV", "B=folder\nC=folder", "svc/app.json", `{"formation":{"mail":{"quantity":3}}}`, "svc/.slugignore", "*.psd", "svc/main.py", "", "svc/x.psd", "",
	}
	p, err := Detect(files(tree...))
	if err != nil {
		t.Fatal(err)
	}
	m := p.Manifest
	if len(p.Processes) != 2 || p.Processes.Command("web") != "folder" || p.Processes.Command("mail") != "toml" || p.Release != "" {
		t.Errorf("%+v, release %q", p.Processes, p.Release)
	}
	if m.Env["A"]+m.Env["B"]+m.Env["C"] != "rootfoldertoml" || m.Formation["web"] != 2 || m.Formation["mail"] != 3 || len(m.Cron) != 2 {
		t.Errorf("%+v", m)
	}
	if !slices.Contains(p.Ignored, "x.psd") || p.Root != "svc" {
		t.Errorf("%q %q", p.Ignored, p.Root)
	}
	_, err = Detect(files("hop3.toml", "[build]\nroot = \"svc\"", "svc/Procfile", "web x"))
	if err == nil || !strings.HasPrefix(err.Error(), "svc/Procfile:1: ") {
		t.Error(err)
	}
}

func TestManifest_Names(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"hop3.toml", "[run.workers]\n\"a b\" = \"x\"", `hop3.toml:2: [run.workers]: "a b" is not`},
		{"hop3.toml", "\n[run.workers]\nrelease = \"x\"", "hop3.toml:3: [run.workers]: the name release is reserved"},
		{"hop3.toml", "[cron.\"../x\"]\nschedule=\"@daily\"\ncommand=\"x\"", `hop3.toml:1: [cron]: "../x" is not`},
		{"hop3.toml", "[cron.static]\nschedule=\"@daily\"\ncommand=\"x\"", "hop3.toml:1: [cron]: the name static is reserved"},
		{"hop3.toml", "[processes.\"a.b\"]\ncommand=\"x\"", `hop3.toml:1: [processes]: "a.b" is not`},
		{"hop3.toml", "[processes.static]\ncommand=\"x\"", "the name static is reserved"},
		{"hop3.toml", "[processes.web]\ncount=101", "hop3.toml:2: processes.web.count: lies between 0 and 100"},
		{"app.json", "{\"formation\":{\n\"a/b\":{\"quantity\":1}}}", `app.json:2: formation: "a/b" is not`},
		{"app.json", "{\"formation\":{\n\"release\":{}}}", "app.json:2: formation: the name release is reserved"},
		{"app.json", "{\"formation\":{\n\n\"web\":{\"quantity\":-1}}}", "app.json:3: formation.web: quantity lies between 0 and 100"},
		{"app.json", "{\"formation\":{\"web\":{\"quantity\":101}}}", "app.json:1: formation.web: quantity lies"},
	} {
		if _, err := manifestOf(t, c.file, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}
