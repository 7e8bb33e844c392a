package detect

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPlaceOf(t *testing.T) {
	tr, err := load(files("package.json", "{\n \"scripts\": {\n  \"start\": \"x\",\n \"start:prod\": \"y\"},\n \"engines\": {\n  \"npm\": \"1\",\n  \"node\": \"22\"\n }\n}\n",
		"pyproject.toml", "[project]\nname = 'x'\nrequires-python = '>=3'\n[tool.poetry]\ndependencies = { x = 1, python = '3' }\n",
		"mise.toml", "[tools]\nnodejs = '22'\n", ".tool-versions", "# node 1\nruby 3\nnode 22\n", ".nvmrc", "22\n", "pubspec.yaml", "name: sdk\nenvironment:\n  sdk: ^3\n",
		"global.json", "{\"sdk\":\n{\"version\":\"8\"}}", "api/Cargo.toml", "[package]\nname = 'edition'\nedition = '2021'\n", "Cargo.toml", "[workspace]\npackage.rust-version = '1.80'\n",
		"composer.json", "{\"require\":\n{\"php\":\"8\"},\"config\":{\n\"platform\":{\n\"php\":\"8.1\"}}}", "system.properties", "#java\njava.runtime.version=17\n"))
	if err != nil {
		t.Fatal(err)
	}
	var p Plan
	p.note("mix.exs", 4)
	p.note("mix.exs", 9)
	for _, c := range []struct {
		name, from, file string
		line             int
	}{
		{"node", "engines.node", "package.json", 7}, {"web", "package.json scripts.start", "package.json", 3}, {"web", "package.json scripts.start:prod", "package.json", 4},
		{"python", "pyproject.toml requires-python", "pyproject.toml", 3}, {"python", "pyproject.toml tool.poetry.dependencies.python", "pyproject.toml", 5},
		{"node", "mise.toml", "mise.toml", 2}, {"node", ".tool-versions", ".tool-versions", 3}, {"node", ".nvmrc", ".nvmrc", 0}, {"dart", "pubspec.yaml", "pubspec.yaml", 3},
		{"dotnet", "global.json", "global.json", 2}, {"rust", "api/Cargo.toml edition 2021", "api/Cargo.toml", 3}, {"rust", "Cargo.toml workspace.package.rust-version", "Cargo.toml", 2},
		{"php", "composer.json", "composer.json", 2}, {"php", "composer.json config.platform", "composer.json", 4}, {"java", "system.properties", "system.properties", 2},
		{"elixir", "mix.exs", "mix.exs", 4}, {"web", "main.go:3 package main", "main.go:3", 3}, {"web", "package.json scripts.gone", "package.json", 0}, {"node", "default", "default", 0}, {"", "", "", 0},
	} {
		if got := p.placeOf(tr, c.name, c.from); got != (place{c.file, c.line}) {
			t.Errorf("%s from %q: %v, want %s:%d", c.name, c.from, got, c.file, c.line)
		}
	}
}

// TestKeyLine has texts in which a search for the words would find another line.
func TestKeyLine(t *testing.T) {
	for _, c := range []struct {
		text, key string
		want      int
	}{
		{"a = \"\"\"\nb = 1\n\"\"\"\nb = 2\n", "b", 4}, {"a = '''\n[t]\nk = 1\n'''\n[t]\nk = 2", "t.k", 6}, {"a = [\n \"k = 1\", # k = 2\n]\nk = 3", "k", 4},
		{"# [t]\n[t] # x\n\"k\" = 1", "t.k", 3}, {"[[t]]\na.b.c = 1", "t.a.b", 2}, {"t = { x = { k = 0 }, k = 1 }", "t.k", 1}, {"t = [{k = 1}]\n", "t.k", 0},
		{"[a.\"b.c\"]\nd = 1", "a.b", 0}, {"k = \"\"\"\n", "x", 0}, {"= 1\nk = 2", "k", 2}, {"", "k", 0}, {"[", "k", 0}, {"k", "k", 0},
	} {
		if got := keyLine(c.text, strings.Split(c.key, ".")); got != c.want {
			t.Errorf("%s of %q: %d, want %d", c.key, c.text, got, c.want)
		}
	}
	for _, c := range []struct {
		text, key string
		want      int
	}{
		{"{\"x\": \"engines\",\n\"engines\":{\n\"a\":{\"node\":1},\n\"node\":2}}", "engines.node", 4}, {"{a:[{\"k\":1}],\n// k: 1\n'k':\n2}", "k", 3},
		{"{\"a\":1,/*\n*/\"k\":1}", "k", 2}, {"{\"k", "k", 0}, {"]]}}:", "k", 0}, {"", "k", 0}, {"{\"a\":\"k\"}", "k", 0},
	} {
		if got := jsonLine(c.text, strings.Split(c.key, ".")); got != c.want {
			t.Errorf("%s of %q: %d, want %d", c.key, c.text, got, c.want)
		}
	}
}

func FuzzKeyLine(f *testing.F) {
	for _, text := range []string{"[a]\nb = {c = [1, '''x''']}\n", "{\"a\":{\"b\":[1,{}]}}", "a:\n  b: 1\n", "b 1\nb=2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		keys := []string{"a", "b"}
		for _, got := range []int{keyLine(text, keys), jsonLine(text, keys), yamlKeyLine([]byte(text), keys), fieldLine(text, keys...)} {
			if got < 0 || got > lines {
				t.Errorf("line %d of %d in %q", got, lines, text)
			}
		}
	})
}

// whole are the sources that have no line, and why. docs/detection.md has the same list.
func whole() []struct{ sources, why string } {
	return []struct{ sources, why string }{
		{`default`, "no file asks"},
		{`\.nvmrc|\.node-version|\.[a-z]+-?version|\.R-version|\.dvmrc|runtime\.txt|rust-toolchain|\.zigversion`, "a file of one line"},
		{`[^ ]*next\.config\.[a-z]+|config/puma\.rb`, "the file's presence decides"},
		{`.*\.(lua|pl|psgi|cbl|cob|js|mjs|cjs|ts|tsx|php|py|rb|scm|R|sh)( \(no shebang\))?|bin/[^ ]+|[^ ]*config\.ru.*`, "the whole file is the program"},
		{`[^ ]*Cargo\.toml src/.*`, "a program by the name of its file"},
		{`default\.nix's main program|flake\.nix .*`, "Nix finds it when it builds"},
		{`nuxt|next|nest|remix|tanstack start.*|@[a-z-]+/[a-z-]+.*`, "a package that the framework's rule names: its manifest is evidence"},
	}
}

// TestCorpus_Lines holds that whatever a plan says of a version or a command has a line, or is one of whole; and that a line
// of evidence is missing only where the presence of the file is what counts.
func TestCorpus_Lines(t *testing.T) {
	used := make([]bool, len(whole()))
	check := func(t *testing.T, what, from string, line int) {
		if line > 0 {
			return
		}
		i := slices.IndexFunc(whole(), func(w struct{ sources, why string }) bool {
			return regexp.MustCompile(`^(` + w.sources + `)$`).MatchString(from)
		})
		if i < 0 {
			t.Errorf("%s from %q has no line", what, from)
			return
		}
		used[i] = true
	}
	for name, tree := range corpus(t) {
		p, err := Detect(tree)
		if err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, r := range p.Runtimes {
				check(t, r.Name, r.From, r.Line)
				for _, l := range r.Losers {
					check(t, r.Name, l.From, l.Line)
				}
			}
			for _, q := range p.Processes {
				check(t, q.Name, q.From, q.Line)
			}
			if p.Release != "" && p.Manifest.releaseFrom != "" {
				check(t, "release", p.Manifest.releaseFrom, p.releaseLine)
			}
			for _, e := range p.Evidence {
				if e.Line == 0 && !presence(e.Why) {
					t.Errorf("evidence %s has no line", e)
				}
			}
		})
	}
	for i, w := range whole() {
		if !used[i] {
			t.Errorf("nothing in the corpus is %s: %s", w.sources, w.why)
		}
	}
}

// presence reports whether the presence of a file, or its whole content, is the evidence.
func presence(why string) bool {
	return slices.Contains([]string{
		"CMake project", "manifest", "gems", "python project", "processes", "solution", "static site", "R program", "lua program", "perl program",
		"the only folder, and nothing at the root says what this is", "ruby application", "build program", "build file", "sbt build", "build script", "project",
		"list of modules", "package", "dependencies", "Gleam project", "module", "workspace", "site that haunt builds", "Hugo site", "Zola site", "R project", "COBOL program", "page at the root",
		"program without a manifest", "php application", "Scheme program", "program without a module", "Meson project", "mix project", "Leiningen project", "page in public",
		"Dart package", "R packages", "script that starts the app", "the tools of the app", "rockspec", "package description", ".NET project",
	}, why)
}

// TestPlaces_OfRuntimes has formats whose versions stand under keys of their own kind.
func TestPlaces_OfRuntimes(t *testing.T) {
	const mix = "defmodule A.MixProject do\n  use Mix.Project\n  def project do\n    [app: :a, version: \"0.1.0\", releases: [a: []]]\n  end\nend\n"
	const pom = "<project>\n<modelVersion>4.0.0</modelVersion>\n<groupId>a</groupId><artifactId>a</artifactId><version>1</version>\n<build><plugins>\n<plugin>\n" +
		"<groupId>org.jetbrains.kotlin</groupId><artifactId>kotlin-maven-plugin</artifactId><version>2.0.0</version></plugin></plugins></build>\n</project>\n"
	for _, c := range []struct {
		name string
		line int
		tree []string
	}{
		{"elixir", 2, []string{"mix.exs", mix, "elixir_buildpack.config", "# x\nelixir_version=1.17.0\nerlang_version=27.0\n"}},
		{"erlang", 3, []string{"mix.exs", mix, "elixir_buildpack.config", "# x\nelixir_version=1.17.0\nerlang_version=27.0\n"}},
		{"ghc", 3, []string{"cabal.project", "packages: .\n\nwith-compiler: ghc-9.6\n", "a.cabal", "cabal-version: 2.4\nname: a\nversion: 0.1\nexecutable a\n  main-is: Main.hs\n  build-depends: base\n", "Main.hs", "main = print 1\n"}},
		{"kotlin", 5, []string{"pom.xml", pom, "Procfile", "web: java -jar a.jar\n"}},
	} {
		p, err := Detect(files(c.tree...))
		i := slices.IndexFunc(p.Runtimes, func(r Runtime) bool { return r.Name == c.name })
		if err != nil || i < 0 || p.Runtimes[i].Line != c.line {
			t.Errorf("%s: %+v, %v, want line %d", c.name, p.Runtimes, err, c.line)
		}
	}
}
