package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// The weights of evidence. A stack's weight is the sum over the kinds that it has, each counted once: three manifests do
// not outweigh one manifest with its lock file.
const (
	weightOutright = 100 // the app's own recipe: it wins outright
	weightManifest = 60  // a manifest at the root; Evidence.Weight 0 means this
	weightLock     = 40  // a lock file, or what only this stack's tools write
	weightEntry    = 25  // a root file that a program starts from
	weightWeak     = 10  // below the root, or left by a helper's tools as often
)

// A clue is a file, or a pattern of root files, and what it weighs for a stack.
type clue struct {
	weight int
	files  []string
}

// clues weighs the files of each stack: those that it claims a tree by when the claim leaves the weight open, and those that
// make a claim stronger and never make one themselves.
func clues() map[string][]clue {
	jvm := []clue{{weightLock, []string{"mvnw", "gradlew", "gradle.lockfile"}}, {weightWeak, []string{".java-version", ".sdkmanrc", "system.properties"}}}
	return map[string][]clue{
		"nix":     {{weightOutright, []string{"flake.nix"}}},
		"php":     {{weightLock, []string{"composer.lock", "artisan"}}, {weightEntry, []string{"index.php"}}},
		"ruby":    {{weightLock, []string{"Gemfile.lock", "gems.locked"}}, {weightEntry, []string{"config.ru", "bin/rails", "app.rb", "main.rb", "server.rb"}}},
		"elixir":  {{weightLock, []string{"mix.lock"}}},
		"go":      {{weightEntry, []string{"main.go"}}, {weightWeak, []string{"go.sum"}}},
		"java":    jvm,
		"kotlin":  jvm,
		"scala":   {{weightLock, []string{"project/build.properties"}}},
		"clojure": {{weightLock, []string{"deps-lock.json"}}},
		"rust":    {{weightLock, []string{"Cargo.lock"}}, {weightEntry, []string{"src/main.rs"}}, {weightWeak, []string{"rust-toolchain", "rust-toolchain.toml"}}},
		"dotnet":  {{weightLock, []string{"packages.lock.json", "global.json"}}, {weightEntry, []string{"Program.cs", "Program.fs"}}},
		"python": {
			{weightManifest, []string{"setup.py"}}, // before *.py
			{weightLock, []string{"uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "manage.py"}},
			{weightEntry, []string{"main.py", "app.py", "wsgi.py", "asgi.py", "server.py", "bot.py"}},
			{weightWeak, []string{"*.py", ".python-version", "runtime.txt"}},
		},
		"deno": {{weightLock, []string{"deno.lock"}}, {weightEntry, []string{"main.ts", "server.ts", "mod.ts"}}},
		"node": {
			{weightLock, []string{"package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"}},
			{weightEntry, []string{"server.js", "index.js", "server.mjs", "index.mjs", "server.cjs", "index.cjs", "server.ts", "index.ts"}},
			{weightWeak, []string{".nvmrc", ".node-version"}},
		},
		"gleam":    {{weightLock, []string{"manifest.toml"}}},
		"swift":    {{weightLock, []string{"Package.resolved"}}, {weightWeak, []string{".swift-version"}}},
		"dart":     {{weightLock, []string{"pubspec.lock"}}},
		"crystal":  {{weightLock, []string{"shard.lock"}}},
		"haskell":  {{weightLock, []string{"cabal.project.freeze", "stack.yaml.lock"}}},
		"zig":      {{weightLock, []string{"build.zig.zon"}}},
		"cpp":      {{weightWeak, []string{"CMakePresets.json", "conanfile.txt", "vcpkg.json"}}},
		"perl":     {{weightLock, []string{"cpanfile.snapshot"}}, {weightEntry, []string{"app.psgi", "app.pl"}}},
		"lua":      {{weightLock, []string{"luarocks.lock"}}, {weightEntry, []string{"main.lua", "app.lua", "server.lua"}}},
		"r":        {{weightLock, []string{"renv.lock"}}, {weightEntry, []string{"app.R", "plumber.R", "entrypoint.R", "server.R", "main.R", "run.R", "api.R"}}},
		"scheme":   {{weightEntry, []string{"main.scm", "server.scm", "web.scm", "app.scm", "init.scm"}}},
		"static":   {{weightManifest, []string{"Staticfile"}}, {weightEntry, []string{"index.html", "*/index.html"}}},
		"shell":    {{weightEntry, []string{"*.sh"}}},
		"procfile": {{weightEntry, []string{"Procfile"}}},
	}
}

// weigh gives each piece of evidence its weight and adds what makes the claim stronger, in the order of the table.
func weigh(t *tree, stack string, claimed []Evidence) []Evidence {
	list := slices.Clone(claimed)
	rules := clues()[stack]
	for i, e := range list {
		if e.Weight == 0 {
			list[i].Weight = weightOf(rules, e.File)
		}
	}
	for _, c := range rules {
		for _, f := range c.files {
			known := slices.ContainsFunc(list, func(e Evidence) bool { return e.File == f })
			if !known && t.has(f) {
				list = append(list, Evidence{File: f, Why: whyWeight(c.weight), Weight: c.weight})
			}
		}
	}
	return list
}

func weightOf(rules []clue, file string) int {
	for _, c := range rules {
		for _, f := range c.files {
			if ok, err := path.Match(f, file); ok && err == nil {
				return c.weight
			}
		}
	}
	switch {
	case slices.Contains(manifests(), file):
		return weightManifest
	case strings.Contains(file, "/"):
		return weightWeak
	case isSource(file):
		return weightEntry
	}
	return weightManifest
}

// isSource reports whether a file is code, so that a claim by it alone is a program without a manifest.
func isSource(file string) bool {
	switch path.Ext(file) {
	case ".rb", ".ru", ".py", ".js", ".mjs", ".cjs", ".ts", ".mts", ".tsx", ".jsx", ".go", ".php", ".pl", ".psgi", ".lua", ".R", ".r", ".cbl", ".cob", ".scm", ".sh",
		".java", ".kt", ".clj", ".ex", ".exs", ".rs", ".c", ".cc", ".cpp", ".cr", ".dart", ".hs", ".zig", ".swift", ".html":
		return true
	}
	return false
}

func whyWeight(weight int) string {
	switch weight {
	case weightLock:
		return "lock file"
	case weightEntry:
		return "where a program starts"
	}
	return "supports it"
}

// total is the weight of a stack: each kind of evidence once.
func total(list []Evidence) int {
	sum := 0
	var seen []int
	for _, e := range list {
		if !slices.Contains(seen, e.Weight) {
			seen = append(seen, e.Weight)
			sum += e.Weight
		}
	}
	return sum
}

// heaviest is the weight of the best single piece of evidence.
func heaviest(list []Evidence) int {
	most := 0
	for _, e := range list {
		most = max(most, e.Weight)
	}
	return most
}

// usesNodeForAssets are the stacks whose apps carry a package.json to build their front end. Native add-ons, scripts and
// reports beside a Node server belong to that server instead.
func usesNodeForAssets() []string {
	return []string{
		"php", "ruby", "elixir", "go", "java", "kotlin", "scala", "clojure", "rust", "dotnet", "python",
		"gleam", "swift", "dart", "crystal", "haskell", "perl",
	}
}

// servable reports whether the tree holds something of the stack that can be started. A manifest alone often belongs to
// tools: a Gemfile to a phone app's release scripts, a requirements.txt to a server's helper, a go.mod to a site's theme.
func servable(t *tree, stack string) bool {
	under := func(suffix string) bool {
		return slices.ContainsFunc(t.order, func(f string) bool {
			return strings.HasSuffix("/"+f, suffix) && !strings.Contains("/"+f, "/vendor/") && !strings.Contains("/"+f, "/testdata/")
		})
	}
	root := func(ext string) bool {
		return slices.ContainsFunc(t.in("."), func(f string) bool { return path.Ext(f) == ext })
	}
	switch stack {
	case "node":
		pkg, err := readPackage(t)
		return err != nil || pkg.Scripts["start"] != "" || t.first("server.js", "server.mjs", "server.ts") != ""
	case "python":
		return pythonEntry(t) != "" || under("/asgi.py") || under("/wsgi.py") || under("/__main__.py")
	case "go":
		return root(".go") || under("/main.go")
	case "rust":
		return under("/main.rs") || t.dirs["src/bin"]
	case "ruby":
		return t.first("config.ru", "bin/rails", "config/application.rb", "_config.yml") != "" || root(".rb")
	case "perl":
		return perlEntry(t) != "" || len(t.in("script")) > 0
	case "php":
		return t.first("artisan", "public/index.php", "web/index.php") != "" || root(".php")
	}
	return true
}

// givesWay returns why stack a leaves the tree to b although nothing in their weights says so, "" if it does not.
func givesWay(t *tree, a, b string) string {
	switch {
	case a == "deno" && b == "node":
		pkg, err := readPackage(t)
		if err == nil && (pkg.Scripts["start"] != "" || pkg.Scripts["build"] != "") {
			return "package.json has a start or build script: deno.json serves its functions or tools"
		}
	case a == "static" && b == "node" && t.has("Staticfile"):
		pkg, err := readPackage(t)
		if err == nil && pkg.Scripts["build"] != "" {
			return "package.json builds what Staticfile serves"
		}
	case a == "java" && b == "clojure":
		return "Leiningen and the Clojure tools write a pom.xml too"
	case a == "rust" && b == "python":
		if backend := buildBackend(t); backend == "maturin" || strings.HasPrefix(backend, "setuptools_rust") {
			return "pyproject.toml builds the crate: " + backend
		}
	}
	return ""
}

// starters are the programs that a Procfile's web command begins with, by the stack that they are part of.
func starters() map[string]string {
	return map[string]string{
		"node": "node", "npm": "node", "npx": "node", "yarn": "node", "pnpm": "node", "bun": "node", "next": "node",
		"python": "python", "python3": "python", "gunicorn": "python", "uvicorn": "python", "daphne": "python", "hypercorn": "python",
		"waitress-serve": "python", "uwsgi": "python", "flask": "python", "streamlit": "python", "poetry": "python", "uv": "python", "pipenv": "python",
		"bundle": "ruby", "ruby": "ruby", "rails": "ruby", "bin/rails": "ruby", "puma": "ruby", "rackup": "ruby", "rake": "ruby",
		"php": "php", "vendor/bin/heroku-php-apache2": "php", "vendor/bin/heroku-php-nginx": "php", "heroku-php-apache2": "php", "heroku-php-nginx": "php",
		"mix": "elixir", "deno": "deno", "perl": "perl", "plackup": "perl", "starman": "perl", "hypnotoad": "perl", "lua": "lua", "luajit": "lua", "Rscript": "r", "guile": "scheme", "dotnet": "dotnet", "lein": "clojure",
	}
}

// started returns the stack whose program the declared web command runs, and where that is written; "" if it cannot be told.
func started(m Manifest) (stack, from string) {
	for _, p := range m.procs {
		if p.Name != "web" {
			continue
		}
		for _, w := range strings.Fields(p.Command) {
			if name, _, set := strings.Cut(w, "="); w == "exec" || w == "env" || set && envName.MatchString(name) {
				continue // what stands before the program
			}
			return starters()[strings.TrimPrefix(w, "./")], fmt.Sprintf("%s runs %s", p.From, clip(w))
		}
	}
	return "", ""
}
