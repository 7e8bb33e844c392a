package detect

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// failures are what other tools are known to get wrong, or what is easily got wrong, each with the case of the corpus that
// shows what hop3 does.
func failures() map[string]string {
	return map[string]string{
		"a project file of C# deep in a tree of Node makes it C#":               "node/deep-csproj",
		"one edge function makes a site of Node Deno":                           "node/deno-import",
		"a package is started by the project's name, and is called otherwise":   "python/name-differs",
		"Poetry is seen only beside a requirements.txt":                         "python/poetry-only",
		"a file's version beats the one that the user set":                      "node/precedence",
		"of a version only the major counts, and it is too old for the bundler": "node/vite-needs-newer",
		"a code name in .nvmrc is an error":                                     "node/nvmrc-codename",
		"the wanted version of Go is passed over in silence":                    "go/workspace-toolchain",
		"a PHP that is no longer there fails in the evaluation":                 "php/eol",
		"migrations of Elixir run in the build, which has no database":          "elixir/migrations",
		"assets of Phoenix are built before the modules that they need":         "elixir/phoenix-assets",
		"a folder inside a crate is taken for a member of the workspace":        "rust/workspace-glob",
		"of several modules the wrong jar is started":                           "java/multi-module",
		"Gradle's plain jar is taken for the one that starts":                   "java/gradle-twice",
		"an app of Nx is found only in apps/":                                   "node/nx-anywhere",
		"turbo.json is not there when the build wants it":                       "node/turbo",
		"the folder of one app of several cannot be named":                      "node/root",
		"a start command of the user's own does not count":                      "node/custom-start",
		"a front end without a server is started as one":                        "node/vite-spa",
		"a server is served as files, because it has a front end":               "node/vite-custom-start",
		"200.html is not served for a missing page":                             "static/fallback",
		"the Node that compiles assets of Rails has another version":            "ruby/rails-node",
		"Deno is held at its first major":                                       "deno/plain",
		"several lock files: one is taken, and nobody is told":                  "node/several-locks",
		"a folder called public makes a site of it":                             "node/public-folder",

		"runtime.txt beats the tool's own pin":                          "python/pin-over-runtime-txt",
		"dependencies of development are not looked at":                 "node/dev-dependency",
		"a library is needed because its name is somewhere in the lock": "node/sharp-in-lock",
		"pg is found inside another word":                               "ruby/pg-substring",
		"the Ruby that the Gemfile names is not found":                  "ruby/eol",
		"the release of a Procfile is started as the server":            "php/laravel-worker",
		"CMake gets the tools of Meson":                                 "cpp/cmake",
		"main:app is started where the app is in app.py":                "python/flask-in-app",
		"Flask beside Django wins":                                      "python/django-before-flask",
		"Django with ASGI alone starts nothing":                         "python/django-asgi-only",
		"what Zig builds is called like the folder":                     "zig/zon",
		"the port of Spring stands behind -jar, where Java ignores it":  "java/gradle-legacy",
		"a pom in another language is taken for a folder":               "clojure/pom-beside",
		"of two targets of Crystal any one is started":                  "crystal/two-targets",
		"a required module that is called go… is taken for the go line": "go/require-before-go-line",
		".NET listens at a port of its own":                             "dotnet/web",
		"config.toml is Hugo's and Zola's: the wrong one builds":        "static/hugo-toml",
		"a misspelt name, and nobody says so":                           "none/misspelt",
		"a manifest that is kept out of the commit, and nobody says so": "none/gitignored",
		"a manifest that is kept out of the build, and nobody says so":  "python/slugignore",
		"an application object in a text or a comment is started":       "python/fastapi-after-text",
		"a merge conflict in a lock file fails without its line":        "node/npm-malformed",
	}
}

// rules are those of docs/detection.md that choose between stacks, and the sources of a version and of a start.
func rules() map[string]string {
	return map[string]string{
		"stack in hop3.toml": "nix/explicit", "the app's own recipe": "nix/own-flake", "a flake that hop3 wrote does not count": "go/flake-of-hop3",
		"what the Procfile runs": "python/procfile-says", "known pairs": "python/maturin", "a manifest beats none": "node/public-folder",
		"a front end of another stack": "python/with-node-assets", "what can be started beats a manifest": "node/with-fastlane", "more weight": "go/with-docs-in-ruby",
		"the only folder": "node/only-folder", "several folders": "none/several-folders", "root in hop3.toml": "node/root",
		"the tool's own pin": "node/node-version-file", "a list of versions": "go/script-with-version", "the manifest's version": "node/vite-needs-newer",
		"a pin that breaks the manifest": "node/pin-breaks-engines", "an end of life": "python/eol",
		"the Procfile is the whole list": "node/processes", "a script": "node/npm-two", "a framework's object": "python/flask-in-app", "an entry file": "node/entry-only",
		"the refusal says what was tried": "node/no-start", "the only server of a workspace": "node/workspace-one-server", "several servers": "node/workspace-several",
		"a proposed migration": "python/migrations", "a declared release": "ruby/rails-release",
	}
}

// TestCorpus_Covers holds the corpus to it: a case for each known failure and each rule, and three for each tool.
func TestCorpus_Covers(t *testing.T) {
	for _, list := range []map[string]string{failures(), rules()} {
		for what, name := range list {
			if _, err := os.Stat(filepath.Join("testdata/corpus", name+".txtar")); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	const least = 3
	count := tools(t)
	for _, must := range []string{
		"node/npm", "node/yarn", "node/yarn-berry", "node/pnpm", "node/bun", "python/pip", "python/uv", "python/poetry", "python/pdm", "python/pipenv", "django", "flask", "fastapi",
		"go/go modules", "go/go workspace", "go/go vendor", "rails", "rack", "php/composer", "php/php", "laravel", "java/maven", "java/gradle", "spring-boot", "phoenix",
		"F#", "C#", "cpp/cmake", "cpp/meson", "nix/flake", "nix/default.nix", "nix/shell.nix", "clojure/leiningen", "clojure/clojure tools", "lua/luarocks", "static/files", "vite",
	} {
		count[must] += 0 // so that one without a case is found
	}
	for tool, n := range count {
		framework := !strings.ContainsAny(tool, "/#")
		if n < least && (!framework || n == 0) {
			t.Errorf("%s has %d cases, want %d or more", tool, n, least)
		}
	}
}

// tools counts the cases of each tool as STACK/TOOL, and of each framework. Generators of sites count together.
func tools(t *testing.T) map[string]int {
	t.Helper()
	cases, err := filepath.Glob("testdata/corpus/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, file := range cases {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range ar.Files {
			if f.Name != "want/plan.json" {
				continue
			}
			var p toolPlan
			if err := json.Unmarshal(f.Data, &p); err != nil {
				t.Fatal(file, err)
			}
			count[toolOf(p)]++
			for _, name := range p.Frameworks {
				count[name]++
			}
		}
		if filepath.Base(filepath.Dir(file)) == "dotnet" {
			count[map[bool]string{true: "F#", false: "C#"}[strings.Contains(string(txtar.Format(ar)), ".fsproj")]]++
		}
	}
	return count
}

// A toolPlan is what a plan says of its tools.
type toolPlan struct {
	Stack      string
	Frameworks []string
	Tool       struct{ Name string }
	Runtimes   []struct{ Name string }
}

func toolOf(p toolPlan) string {
	name := p.Tool.Name
	for _, r := range p.Runtimes {
		if r.Name == "yarn-berry" {
			name = r.Name
		}
	}
	if p.Stack == "static" && name != "files" {
		name = "a generator"
	}
	return p.Stack + "/" + name
}
