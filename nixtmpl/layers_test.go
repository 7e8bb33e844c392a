package nixtmpl

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hop3/detect"
)

// appSources has, for each example, a file that only its app layer reads.
var appSources = map[string]string{
	"clojure": "src/hello/core.clj", "cobol": "index.cbl", "cpp": "src/main.cpp", "crystal": "src/hello.cr", "dart": "bin/server.dart", "deno": "main.ts",
	"dotnet": "Program.cs", "elixir": "lib/hello.ex", "gleam": "src/hello.gleam", "go": "main.go", "go-deps": "cmd/web/main.go", "go-services": "main.go",
	"go-vite": "main.go", "go-workspace": "web/main.go", "haskell": "app/Main.hs", "java": "src/main/java/hello/Main.java", "java-gradle": "src/main/java/hello/Main.java",
	"kotlin": "src/Main.kt", "lua": "main.lua", "node": "server.js", "node-berry": "server.js", "node-bun": "server.js", "node-pnpm": "server.js",
	"node-vite": "src/main.js", "node-yarn": "server.js", "perl": "app.pl", "php": "index.php", "php-composer": "src/Page.php", "procfile": "www/index.html",
	"python-django": "hello/views.py", "python-flask": "app.py", "python-poetry": "app.py", "python-uv": "app.py", "python-wheels": "app.py", "r": "app.R",
	"ruby": "app.rb", "ruby-rails": "config/routes.rb", "rust": "src/http.rs", "scala": "src/Main.scala", "scheme": "main.scm", "shell": "start.sh",
	"static": "public/index.html", "swift": "Sources/hello/main.swift", "zig": "src/main.zig",
}

// recorded are the attributes that the stacks ask for whose toolchains the offline set lacks.
var recorded = map[string][]string{
	"dart": {"dart"}, "gleam": {"gleam", "erlang"}, "dotnet": {"dotnet-sdk_8", "dotnet-sdk_9", "dotnet-aspnetcore_8", "dotnet-aspnetcore_9"},
	"swift": {"swift", "swiftpm", "gcc"}, "zig": {"zig", "zig_0_13", "zig_0_14"},
}

// TestExamples_Layers evaluates every example three times: as it is, with another source file, and with other words in its README
// and its flake. A source changes the app and no layer below it; words change nothing.
func TestExamples_Layers(t *testing.T) {
	r := newRig(t)
	dirs, err := os.ReadDir("../examples")
	if err != nil {
		t.Fatal(err)
	}
	var names, exprs []string
	for _, d := range dirs {
		stack, _, _ := strings.Cut(d.Name(), "-")
		if stack == "nix" || stack == "systemd" { // what its own flake rebuilds is its author's choice; no app of its own
			continue
		}
		if appSources[d.Name()] == "" {
			t.Errorf("the example %s has no source file in this test", d.Name())
			continue
		}
		o, set := r.Options("hello"), strings.TrimPrefix(r.Set.FlakeRef(), "path:")
		if missing := recorded[stack]; missing != nil {
			o, set = setForCases(), recorderOf(t, append([]string{"curl", "cacert", "busybox"}, missing...))
		}
		names = append(names, d.Name())
		exprs = append(exprs, fmt.Sprintf("{ set = %s; trees = [ %s ]; }", set, strings.Join(variants(t, d.Name(), o), " ")))
	}
	for i, trees := range evaluations(t, exprs) {
		layersHold(t, names[i], trees)
	}
}

// layersHold compares the store paths of the three trees of an example.
func layersHold(t *testing.T, name string, trees []map[string]string) {
	t.Helper()
	one, source, words := trees[0], trees[1], trees[2]
	if one["default"] == "" || one["default"] == source["default"] {
		t.Errorf("%s: a change of %s changes nothing: %s", name, appSources[name], one["default"])
	}
	for layer, path := range one {
		if layer != "default" && source[layer] != path {
			t.Errorf("%s: a change of %s rebuilds the layer %s", name, appSources[name], layer)
		}
		if words[layer] != path {
			t.Errorf("%s: other words in README and flake rebuild %s", name, layer)
		}
	}
}

// variants writes the three trees of an example and returns their folders.
func variants(t *testing.T, name string, o RenderOptions) []string {
	t.Helper()
	var list []string
	for _, add := range []map[string]string{{}, {appSources[name]: "\n"}, {"README.md": "more\n", ".gitignore": "x\n", "docs/more.md": "more\n", "flake.lock": "{}\n"}} {
		dir := t.TempDir()
		if err := errors.Join(os.CopyFS(dir, os.DirFS(filepath.Join("../examples", name))), os.MkdirAll(filepath.Join(dir, "docs"), 0o755)); err != nil {
			t.Fatal(err)
		}
		for file, text := range add {
			old, _ := os.ReadFile(filepath.Join(dir, file)) // none is empty
			if err := os.WriteFile(filepath.Join(dir, file), append(old, text...), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		plan, err := detect.Detect(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		flake, err := Render(plan, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		flake = fmt.Appendf(flake, "# %d more words\n", len(add))
		if err := os.WriteFile(filepath.Join(dir, "flake.nix"), flake, 0o644); err != nil {
			t.Fatal(err)
		}
		list = append(list, dir)
	}
	return list
}

// recorderOf writes a package set that has the named attributes only and builds nothing.
func recorderOf(t *testing.T, names []string) string {
	t.Helper()
	lib, err := os.ReadFile("packages/flake/lib.nix")
	if err != nil {
		t.Fatal(err)
	}
	dir, quoted := t.TempDir(), []string{}
	for _, n := range slices.Compact(slices.Sorted(slices.Values(names))) {
		quoted = append(quoted, fmt.Sprintf("%q", n))
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "lib.nix"), lib, 0o644), os.WriteFile(filepath.Join(dir, "flake.nix"), fmt.Appendf(nil, recorder, strings.Join(quoted, " ")), 0o644)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// evaluations evaluates all trees in one run of nix, which writes nothing: for each tree its store paths by attribute. A layer that is fetched has the path of its hash.
func evaluations(t *testing.T, exprs []string) [][]map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "all.nix")
	expr := `let
  eval = { set, trees }: map (tree: let
      nixpkgs = outputs (import (set + "/flake.nix")) { };
      outputs = flake: inputs: let self = flake.outputs (inputs // { inherit self; }); in self;
    in builtins.mapAttrs (_: p: p.outPath) (outputs (import (tree + "/flake.nix")) { inherit nixpkgs; }).packages.x86_64-linux) trees;
in map eval [
  ` + strings.Join(exprs, "\n  ") + "\n]\n"
	if err := os.WriteFile(file, []byte(expr), 0o644); err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd := exec.Command("nix-instantiate", "--eval", "--strict", "--json", "--readonly-mode", file)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var found [][]map[string]string
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	return found
}
