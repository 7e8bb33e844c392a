package nixtmpl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hop3/detect"
)

// TestReal_Examples builds each example with real nix, runs it from its closure, changes one line, and changes what no
// build reads.
func TestReal_Examples(t *testing.T) {
	for _, c := range []struct{ name, file, doc string }{
		{"go", "main.go", "README.md"},
		{"go-deps", "internal/greet/greet.go", "README.md"},
		{"node", "server.js", "README.md"},
		{"deno", "main.ts", "README.md"},
		{"python-flask", "app.py", "README.md"},
		{"static", "public/index.html", "README.md"},
		{"procfile", "www/index.html", "README.md"},
		{"nix", "src/hello.py", ""}, // what its own flake rebuilds is its author's choice
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newRig(t).example(t, c.name)
			lifecycle(t, a, c.file, c.doc)
		})
	}
}

func lifecycle(t *testing.T, a *app, file, doc string) {
	t.Helper()
	one, plan := a.build(t)
	l := contract(t, one, plan)
	if got := page(t, one, l); !strings.Contains(got, "version 1") {
		t.Fatalf("answers %q", got)
	}
	again, _ := a.build(t)
	if again.Out != one.Out {
		t.Errorf("the same tree gave %s, then %s", one.Out, again.Out)
	}
	a.replace(t, file, "version 1", "version 2")
	two, _ := a.build(t)
	if got := page(t, two, l); !strings.Contains(got, "version 2") {
		t.Errorf("after the change it answers %q", got)
	}
	for name, path := range one.Layers {
		if two.Layers[name] != path && name != "package" {
			t.Errorf("a change of one line rebuilt the layer %s: %s, then %s", name, path, two.Layers[name])
		}
	}
	t.Logf("closure %s in %d paths; built in %v, no-op %v, one line %v", mib(two.Size), len(two.Closure), one.Took, again.Took, two.Took)
	if doc == "" {
		return
	}
	a.write(t, doc, "# other words\n")
	a.write(t, ".gitignore", "x\n")
	a.write(t, "docs/more.md", "more\n")
	if three, _ := a.build(t); three.Out != two.Out {
		t.Errorf("a change of the documentation rebuilt the app")
	}
}

func page(t *testing.T, b Build, l launchFile) string {
	t.Helper()
	if l.Static == "" {
		return serve(t, b, l.Processes["web"])
	}
	data, err := os.ReadFile(filepath.Join(b.Out, "app", l.Static, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestReal_GoClosure holds the promise that a Go app without shell syntax needs nothing but itself.
func TestReal_GoClosure(t *testing.T) {
	b, _ := newRig(t).example(t, "go").build(t)
	if len(b.Closure) != 1 {
		t.Errorf("closure %q", b.Closure)
	}
	if len(b.Resolution.Fixed) != 0 {
		t.Errorf("an app without dependencies fetches %+v", b.Resolution.Fixed)
	}
}

// TestReal_HashKept checks that a found hash is found once, and that a broken build keeps it too.
func TestReal_HashKept(t *testing.T) {
	a := newRig(t).example(t, "go-deps")
	a.write(t, "cmd/web/broken.go", "package main\n\nvar x int = \"no\"\n")
	if _, _, err := a.tryBuild(t, nil); err == nil {
		t.Fatal("a program that does not compile was built")
	}
	known, err := a.rig.Hashes.lookup([]FixedOutput{})
	if err != nil || len(known) != 0 {
		t.Fatal(known, err)
	}
	plan, err := detect.Detect(os.DirFS(a.dir))
	if err != nil {
		t.Fatal(err)
	}
	fixed, err := FixedOutputs(plan, a.rig.Options(a.name))
	if err != nil || len(fixed) != 1 {
		t.Fatal(fixed, err)
	}
	if known, err = a.rig.Hashes.lookup(fixed); err != nil || known[fixed[0].Name] == "" {
		t.Fatalf("the hash was not kept: %v, %v", known, err)
	}
	if err := os.Remove(filepath.Join(a.dir, "cmd/web/broken.go")); err != nil {
		t.Fatal(err)
	}
	b, _ := a.build(t)
	if strings.Contains(string(b.Flake), FakeHash) {
		t.Error("the flake still has the fake hash")
	}
}

// TestReal_Shapes builds trees that no example shows.
func TestReal_Shapes(t *testing.T) {
	const goMain = "package main\n\nimport (\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc main() {\n\tb, _ := os.ReadFile(\"page.txt\")\n\thttp.ListenAndServe(os.Getenv(\"HOST\")+\":\"+os.Getenv(\"PORT\"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(b) }))\n}\n"
	for name, files := range map[string]map[string]string{
		"go-without-module": {".tool-versions": "golang 1.22\n", "main.go": goMain, "page.txt": "version 1"},
		"go-root-in-folder": {"hop3.toml": "[build]\nroot = \"svc\"\nbefore-build = \"echo version 1 > page.txt\"\n", "svc/go.mod": "module example.org/svc\n\ngo 1.22\n", "svc/main.go": goMain},
		"go-vendored": {
			"go.mod": "module example.org/v\n\ngo 1.22\n\nrequire example.com/lib v1.0.0\n", "go.sum": "",
			"vendor/modules.txt":            "# example.com/lib v1.0.0\n## explicit; go 1.22\nexample.com/lib\n",
			"vendor/example.com/lib/lib.go": "package lib\n\nconst File = \"page.txt\"\n",
			"main.go":                       strings.Replace(strings.Replace(goMain, "\"os\"\n", "\"os\"\n\n\t\"example.com/lib\"\n", 1), "\"page.txt\"", "lib.File", 1),
			"page.txt":                      "version 1",
		},
		"go-replaced": {
			"go.mod":         "module example.org/r\n\ngo 1.22\n\nrequire example.org/local v0.0.0\n\nrequire github.com/go-chi/chi/v5 v5.2.1 // indirect\n\nreplace example.org/local => ./local\n",
			"go.sum":         "github.com/go-chi/chi/v5 v5.2.1 h1:KOIHODQj58PmL80G2Eak4WdvUzjSJSm0vG72crDCqb8=\ngithub.com/go-chi/chi/v5 v5.2.1/go.mod h1:L2yAIGWB3H+phAw1NxKwWM+7eUH/lU8pOMm5hHcoops=\n",
			"local/go.mod":   "module example.org/local\n\ngo 1.22\n\nrequire github.com/go-chi/chi/v5 v5.2.1\n",
			"local/local.go": "package local\n\nimport \"github.com/go-chi/chi/v5\"\n\nvar File = map[bool]string{true: \"page.txt\"}[chi.NewRouter() != nil]\n",
			"main.go":        strings.Replace(strings.Replace(goMain, "\"os\"\n", "\"os\"\n\n\t\"example.org/local\"\n", 1), "\"page.txt\"", "local.File", 1),
			"page.txt":       "version 1",
		},
		"go-shell":       {"go.mod": "module example.org/sh\n\ngo 1.22\n", "main.go": goMain, "Procfile": "web: test -d . && cat page.txt && bin/sh\n", "page.txt": "version 1"},
		"node-no-deps":   {"package.json": `{"name":"x","engines":{"node":"22"},"scripts":{"start":"node server.js","build":"echo version 1 > page.txt"}}`, "server.js": "require('http').createServer((q,r)=>r.end(require('fs').readFileSync('page.txt'))).listen(process.env.PORT,process.env.HOST)"},
		"python-no-deps": {"main.py": "import os,http.server\nopen\nclass H(http.server.BaseHTTPRequestHandler):\n  def do_GET(s):\n    s.send_response(200);s.end_headers();s.wfile.write(b'version 1')\nhttp.server.HTTPServer((os.environ['HOST'],int(os.environ['PORT'])),H).serve_forever()\n"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newRig(t).tree(t, name, files)
			b, plan := a.build(t)
			l := contract(t, b, plan)
			if got := serve(t, b, l.Processes["web"]); !strings.Contains(got, "version 1") {
				t.Errorf("answers %q", got)
			}
			t.Logf("closure %s in %d paths", mib(b.Size), len(b.Closure))
		})
	}
}
