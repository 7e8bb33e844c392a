package nixtmpl

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"hop3/detect"
)

var update = flag.Bool("update", false, "rewrite the want/ files of the cases")

// setForCases is the package set that the cases render for: small, and not today's newest of anything.
func setForCases() RenderOptions {
	return RenderOptions{
		Name: "blog",
		Available: map[string][]string{"go": {"1.24", "1.25"}, "node": {"20", "22", "23", "24"}, "python": {"3.13"}, "guile": {"3.0"}, "haunt": {"0.3"},
			"rust": {"1.85"}, "crystal": {"1.14"}, "ghc": {"9.6"}, "swift": {"6.0"}, "zig": {"0.13", "0.14"},
			"elixir": {"1.17", "1.18"}, "erlang": {"26", "27"}, "gleam": {"1.11"}, "dotnet": {"8.0", "9.0"}, "dart": {"3.8"}, "r": {"4.4"},
			"pnpm": {"8", "9", "10"}, "yarn": {"1"}, "yarn-berry": {"3", "4"}, "bun": {"1"}, "deno": {"2"},
			"ruby": {"3.3"}, "php": {"8.4"}, "perl": {"5.40"}, "lua": {"5.4"},
			"java": {"11", "17", "21"}, "maven": {"3.9"}, "gradle": {"7", "8"}, "kotlin": {"2.1"}, "scala": {"2.13"}, "sbt": {"1.10"}, "leiningen": {"2.11"}, "clojure-tools": {"1.12"},
		},
		Packages: map[string]map[string]string{
			"ruby":    {"sinatra": "4.1.1", "puma": "6.6.0", "rackup": "2.1.0", "rack": "3.1.20", "rails": "7.2.2"},
			"perl":    {"Mojolicious": "9.39", "Plack": "1.0051", "Starman": "0.4017", "Dancer2": "1.1.2"},
			"haskell": {"aeson": "2.1.2.1", "hspec": "2.10", "http-types": "0.12.4", "scotty": "0.20.1", "text": "2.0.2", "wai": "3.2.4", "warp": "3.3.31"},
			"lua":     {"luasocket": "3.1.0", "luafilesystem": "1.8.0"},
			"r":       {"shiny": "1.10.0", "httpuv": "1.6.15", "dplyr": "1.1.4", "DT": "0.33", "golem": "0.5.1", "data.table": "1.16.4"},
		},
		PythonPackages: map[string]string{"flask": "3.1.1", "gunicorn": "23.0.0", "django": "5.2.3", "uvicorn": "0.32.0", "fastapi": "0.115.11"},
	}
}

// folder is where a stack's templates and cases are: the driver has the folder nix.
func folder(stack string) string {
	if stack == "nix" {
		return "flake"
	}
	return stack
}

// TestStacks runs every STACK/*.txtar: the tree, the wanted plan and the wanted flake, or the wanted error.
func TestStacks(t *testing.T) {
	files, err := filepath.Glob("*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.ToSlash(file), ".txtar"), func(t *testing.T) { runCase(t, file) })
	}
}

func runCase(t *testing.T, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	src := fstest.MapFS{}
	want := txtar.Archive{Comment: ar.Comment}
	for _, f := range ar.Files {
		if strings.HasPrefix(f.Name, "want/") {
			want.Files = append(want.Files, f)
			continue
		}
		src[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
	}
	got := outcome(t, src, filepath.Dir(file))
	if *update {
		ar.Files = append(slices.DeleteFunc(ar.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "want/") }), got...)
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if len(got) != len(want.Files) {
		t.Fatalf("%d results, %d wanted; run go test ./nixtmpl -run TestStacks -update and read the diff", len(got), len(want.Files))
	}
	for i, g := range got {
		if w := want.Files[i]; w.Name != g.Name || string(w.Data) != string(g.Data) {
			t.Errorf("%s differs; run go test ./nixtmpl -run TestStacks -update and read the diff. Got:\n%s", g.Name, g.Data)
		}
	}
}

func outcome(t *testing.T, src fs.FS, dir string) []txtar.File {
	t.Helper()
	plan, err := detect.Detect(src)
	if err != nil {
		return []txtar.File{{Name: "want/error.json", Data: detect.ErrorJSON(err)}}
	}
	if folder(plan.Stack) != dir {
		t.Errorf("detected %q, in the folder %q", plan.Stack, dir)
	}
	js, err := plan.JSON()
	if err != nil {
		t.Fatal(err)
	}
	files := []txtar.File{{Name: "want/plan.json", Data: js}}
	flake, err := Render(plan, setForCases())
	if err != nil {
		return append(files, txtar.File{Name: "want/render-error", Data: []byte(err.Error() + "\n")})
	}
	parses(t, flake)
	if lines := strings.Count(string(flake), "\n"); lines > 130*(1+len(plan.Assets)) {
		t.Errorf("the flake has %d lines: too long to read", lines)
	}
	return append(files, txtar.File{Name: "want/flake.nix", Data: append(flake, '\n')})
}

// parses checks that real nix reads the flake.
func parses(t *testing.T, flake []byte) {
	t.Helper()
	needNix(t)
	file := filepath.Join(t.TempDir(), "flake.nix")
	if err := os.WriteFile(file, flake, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("nix-instantiate", "--parse", file).CombinedOutput(); err != nil {
		t.Errorf("nix-instantiate --parse: %v\n%s\n%s", err, out, flake)
	}
}

// TestStacks_Complete holds the legs of a stack together by its name.
func TestStacks_Complete(t *testing.T) {
	known := map[string]bool{"nix": true, "packages": true, "testdata": true} // packages of Go code
	for _, s := range detect.Stacks() {
		known[folder(s)] = true
		for _, leg := range []string{"../detect/" + s + ".go", folder(s) + "/*.nix.tmpl", folder(s) + "/*.txtar", "../examples/" + s + "*/README.md"} {
			if m, err := filepath.Glob(leg); len(m) == 0 || err != nil {
				t.Errorf("stack %q has no %s (%v)", s, leg, err)
			}
		}
	}
	dirs, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if d.IsDir() && !known[d.Name()] {
			t.Errorf("nixtmpl/%s belongs to no stack of package detect", d.Name())
		}
	}
	if _, err := detect.Detect(fstest.MapFS{}); err == nil {
		t.Error("an empty tree has a stack")
	} else if _, ok := errors.AsType[*detect.UnknownError](err); !ok {
		t.Errorf("an empty tree: %T, want *detect.UnknownError", err)
	}
}

// TestExamples_Detected checks that each example is of the stack that its name begins with.
func TestExamples_Detected(t *testing.T) {
	dirs, err := os.ReadDir("../examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if d.Name() == "systemd" || !d.IsDir() {
			continue
		}
		p, err := detect.Detect(os.DirFS(filepath.Join("../examples", d.Name())))
		if err != nil {
			t.Errorf("%s: %v", d.Name(), err)
			continue
		}
		if stack, _, _ := strings.Cut(d.Name(), "-"); p.Stack != stack {
			t.Errorf("%s is detected as %s", d.Name(), p.Stack)
		}
		flake, err := Render(p, setForCases())
		if err != nil {
			t.Errorf("%s: %v", d.Name(), err)
			continue
		}
		parses(t, flake)
	}
}

// TestRender_HostileTree puts what would break out of a string everywhere that a tree can put text.
func TestRender_HostileTree(t *testing.T) {
	needNix(t)
	const evil = `"; x = builtins.abort ''${y}'' "$(id) \` + "`id`"
	src := fstest.MapFS{
		"go.mod":       {Data: []byte("module example.com/x\n\ngo 1.24\n")},
		"main.go":      {Data: []byte("package main\nfunc main() {}\n")},
		"Procfile":     {Data: []byte("web: " + evil + "\nwith: " + evil + "\nrelease: " + evil + "\n")},
		"hop3.toml":    {Data: []byte("[build]\nbefore-build = '''" + evil + "'''\nbuild = '''" + evil + "'''\n[nix]\nnixpkgs = '''" + evil + "'''\n")},
		".slugignore":  {Data: []byte("*${x}*\n")},
		"a${x}\"b.txt": {Data: []byte("x")},
	}
	p, err := detect.Detect(src)
	if err != nil {
		t.Fatal(err)
	}
	o := setForCases()
	o.Name = evil
	flake, err := Render(p, o)
	if err != nil {
		t.Fatal(err)
	}
	parses(t, flake)
	if strings.Contains(string(flake), "abort ''${y}") {
		t.Errorf("bare interpolation in\n%s", flake)
	}
}
