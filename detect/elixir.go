package detect

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ElixirFacts are what the Elixir template needs beyond the plan.
type ElixirFacts struct {
	App       string // of mix.exs
	Release   string // the name of the release that is built
	Declared  bool   // mix.exs declares releases
	Hex       []HexPackage
	Git       []HexGit
	Manifests []string // what decides about dependencies: mix.exs, mix.lock, config
	Assets    string   // the mix task that makes the front end, ""
	Esbuild   bool     // the hex package runs a program that it would download
	Tailwind  string   // the same, its major version; ""
	Rebar     bool     // a dependency is built by rebar3
	Native    bool     // a dependency compiles C
}

func claimElixir(t *tree) []Evidence {
	if t.has("mix.exs") {
		return []Evidence{{File: "mix.exs", Why: "mix project"}}
	}
	return nil
}

func planElixir(t *tree, p *Plan) error {
	facts := &ElixirFacts{}
	p.Elixir = facts
	p.Tool = Tool{Name: "mix", From: "mix.exs"}
	data, err := t.read("mix.exs")
	if err != nil {
		return err
	}
	mix, err := parseMix("mix.exs", data)
	if err != nil {
		return err
	}
	if err := facts.release(t, mix); err != nil {
		return err
	}
	if err := facts.packages(t, mix); err != nil {
		return err
	}
	if len(facts.Hex)+len(facts.Git) > 0 {
		p.Tool = Tool{Name: "mix with hex packages", From: "mix.lock"}
	}
	p.Runtimes = elixirRuntimes(t, p, mix)
	if phoenix := facts.has("phoenix"); phoenix {
		p.Frameworks = append(p.Frameworks, "phoenix")
		p.env("PHX_SERVER", "true")
		p.generate("SECRET_KEY_BASE", Generate{Kind: "urlsafe", Length: 64})
	}
	for _, f := range []string{"phoenix_live_view", "ash", "bandit", "plug_cowboy"} {
		if facts.has(f) {
			p.Frameworks = append(p.Frameworks, f)
		}
	}
	p.generate("RELEASE_COOKIE", Generate{Kind: "urlsafe", Length: 48})
	facts.assets(t, p, mix)
	return startElixir(t, p, mix)
}

// has reports whether a package is part of a production build.
func (f *ElixirFacts) has(app string) bool {
	return slices.ContainsFunc(f.Hex, func(p HexPackage) bool { return p.App == app }) ||
		slices.ContainsFunc(f.Git, func(g HexGit) bool { return g.App == app })
}

// release finds the app's name and that of its release.
func (f *ElixirFacts) release(t *tree, mix *mixFile) error {
	app, _ := mix.project("app")
	if app.kind == exName {
		f.App = app.text
	}
	releases, declared := mix.project("releases")
	f.Release = f.App
	if f.Declared = declared; len(releases.keys) > 0 {
		f.Release = releases.keys[0]
		if d, ok := mix.project("default_release"); ok && d.kind == exName {
			f.Release = d.text
		}
	}
	_, umbrella := mix.project("apps_path")
	switch {
	case umbrella && !declared:
		return &UnsupportedError{What: "an umbrella without releases", Evidence: fmt.Sprintf("mix.exs:%d", t.lineOf("mix.exs", "apps_path")),
			Fix: "add releases: [NAME: [applications: [APP: :permanent]]] to project in mix.exs"}
	case !hexName.MatchString(f.Release):
		return &ParseError{File: "mix.exs", Line: t.lineOf("mix.exs", "def project"), Msg: "project has no app: with a plain name"}
	}
	return nil
}

// packages reads mix.lock and keeps what a production build needs.
func (f *ElixirFacts) packages(t *tree, mix *mixFile) error {
	f.Manifests = elixirManifests(t, mix)
	deps, all := mix.deps()
	var roots []string
	for _, d := range deps {
		if d.inProd() && d.kind != "path" {
			roots = append(roots, d.app)
		}
		if d.path != "" && d.inProd() {
			if err := f.local(t, d); err != nil {
				return err
			}
			all = false
		}
	}
	if !t.has("mix.lock") {
		if len(roots) > 0 {
			return &ParseError{File: "mix.exs", Line: t.lineOf("mix.exs", roots[0]), Msg: fmt.Sprintf("%d dependencies (%s, …) and no mix.lock: run mix deps.get and commit it", len(roots), clip(roots[0]))}
		}
		return nil
	}
	data, err := t.read("mix.lock")
	if err != nil {
		return err
	}
	lock, err := parseMixLock("mix.lock", data)
	if err != nil {
		return err
	}
	for _, d := range deps {
		if d.inProd() && d.kind != "path" && !lock.has(d.app) {
			return &ParseError{File: "mix.exs", Line: d.line, Msg: clip(d.app) + " is not in mix.lock: run mix deps.get and commit it"}
		}
	}
	if _, umbrella := mix.project("apps_path"); all && !umbrella {
		lock = lock.reach(roots)
	}
	f.Hex, f.Git = lock.hex, lock.git
	for _, p := range f.Hex {
		f.Rebar = f.Rebar || !slices.Contains(p.managers, "mix") && (slices.Contains(p.managers, "rebar3") || slices.Contains(p.managers, "rebar"))
		f.Native = f.Native || p.App == "elixir_make" || slices.Equal(p.managers, []string{"make"})
	}
	return nil
}

func (l mixLock) has(app string) bool {
	return slices.ContainsFunc(l.hex, func(p HexPackage) bool { return p.App == app }) ||
		slices.ContainsFunc(l.git, func(g HexGit) bool { return g.App == app })
}

// local takes the files of a dependency inside the tree into what the dependencies are built from.
func (f *ElixirFacts) local(t *tree, d mixDep) error {
	dir := path.Clean(d.path)
	if path.IsAbs(dir) || strings.HasPrefix(dir, "..") || !t.dirs[dir] {
		return &ParseError{File: "mix.exs", Line: d.line, Msg: clip(d.app) + ": path: " + clip(d.path) + " is not in the pushed tree"}
	}
	for _, file := range t.order {
		if strings.HasPrefix(file, dir+"/") && !slices.Contains(f.Manifests, file) {
			f.Manifests = append(f.Manifests, file)
		}
	}
	return nil
}

// elixirManifests are the files that dependencies are built from. The configuration is among them: it is compiled in.
func elixirManifests(t *tree, mix *mixFile) []string {
	list := []string{"mix.exs"}
	umbrella := ""
	if a, ok := mix.project("apps_path"); ok && a.kind == exText {
		umbrella = path.Clean(a.text)
	}
	for _, f := range t.order {
		dir, base := path.Split(f)
		child := umbrella != "" && strings.HasPrefix(f, umbrella+"/") && strings.Count(f, "/") == strings.Count(umbrella, "/")+2
		switch {
		case f == "mix.lock", f == "rebar.config", child && base == "mix.exs":
		case path.Ext(f) == ".exs" && dir == "config/" && base != "runtime.exs" && base != "test.exs" && base != "dev.exs":
		case slices.Contains(mix.reads, f):
		default:
			continue
		}
		if f != "mix.exs" {
			list = append(list, f)
		}
	}
	return list
}

// elixirRuntimes asks for Elixir first, then for Erlang/OTP. Version managers write both as 1.18.2-otp-27.
func elixirRuntimes(t *tree, p *Plan, mix *mixFile) []Runtime {
	pack := buildpackConfig(t)
	elixir := []request{p.asked("elixir"), pinned(t, ".elixir-version", "v"), {pack["elixir_version"], "elixir_buildpack.config"}}
	erlang := []request{p.asked("erlang"), pinned(t, ".erlang-version", "OTP-"), {pack["erlang_version"], "elixir_buildpack.config"}}
	elixir = append(elixir, polyglot(t, "elixir")...)
	erlang = append(erlang, polyglot(t, "erlang")...)
	for i, q := range elixir {
		version, otp, both := strings.Cut(q.version, "-otp-")
		if both {
			elixir[i].version = version
		}
		if both && !slices.ContainsFunc(erlang, func(e request) bool { return e.from == q.from }) {
			erlang = append(erlang, request{otp, q.from})
		}
	}
	if v, ok := mix.project("elixir"); ok && v.kind == exText {
		elixir = append(elixir, request{v.text, "mix.exs"})
		p.note("mix.exs", v.line)
	}
	list := []Runtime{runtime("elixir", elixir, "")}
	if e := runtime("erlang", erlang, ""); e.Version != "" {
		list = append(list, e)
	}
	return list
}

// buildpackConfig reads the NAME=value lines of elixir_buildpack.config.
func buildpackConfig(t *tree) map[string]string {
	values := map[string]string{}
	for l := range strings.Lines(string(t.source("elixir_buildpack.config"))) {
		l, _, _ = strings.Cut(strings.TrimSpace(l), "#")
		if k, v, ok := strings.Cut(l, "="); ok {
			values[strings.TrimSpace(k)] = strings.Trim(strings.TrimSpace(v), `"'v`)
		}
	}
	return values
}

// assets finds how the front end is made, and which programs that takes.
func (f *ElixirFacts) assets(t *tree, p *Plan, mix *mixFile) {
	aliases, _ := mix.project("aliases")
	if _, ok := aliases.get("assets.deploy"); ok {
		f.Assets = "assets.deploy"
	} else if f.has("phoenix") && t.dirs["priv/static"] {
		f.Assets = "phx.digest"
	}
	f.Esbuild = f.has("esbuild")
	if f.has("tailwind") {
		f.Tailwind = tailwindMajor(t)
	}
	if t.has("assets/package.json") && f.Assets == "assets.deploy" {
		p.warn("assets/package.json is not installed: esbuild and tailwind run without npm packages")
	}
	for _, name := range []string{"rustler_precompiled", "cc_precompiler"} {
		if f.has(name) && name == "rustler_precompiled" {
			p.warn(name + " downloads compiled code while it builds, which has no network: such a package does not build")
		}
	}
}

// tailwindMajor reads config :tailwind, version: "4.0.9".
func tailwindMajor(t *tree) string {
	tokens, err := exTokens("config/config.exs", t.source("config/config.exs"))
	if err != nil {
		return "3"
	}
	in := false
	for i, tok := range tokens {
		switch {
		case tok.word("config") && i+1 < len(tokens):
			in = tokens[i+1].kind == exAtom && tokens[i+1].text == "tailwind"
		case in && tok.kind == exKey && tok.text == "version" && i+1 < len(tokens) && tokens[i+1].kind == exString:
			major, _, _ := strings.Cut(tokens[i+1].text, ".")
			return major
		}
	}
	return "3"
}

func startElixir(t *tree, p *Plan, mix *mixFile) error {
	f := p.Elixir
	for i, pr := range p.Processes {
		if command, ok := releaseCommand(pr.Command, f.Release); ok {
			p.warn(fmt.Sprintf("%s: %s is run as the release: %s", pr.Name, pr.Command, command))
			p.Processes[i].Command = command
		} else if first, _, _ := strings.Cut(pr.Command, " "); first == "mix" || first == "iex" {
			p.warn(fmt.Sprintf("%s: a release has no %s; write it as %s eval \"…\"", pr.Name, first, f.Release))
		}
	}
	if m := migrations(t); m != "" && p.Release == "" {
		p.warn(fmt.Sprintf("migrations are not run: add the line `release: %s eval %q` to the Procfile", f.Release, m))
	}
	if p.wantsStart() {
		line := t.lineOf("mix.exs", "app:")
		p.start("web", f.Release+" start", cmp.Or(map[bool]string{true: fmt.Sprintf("mix.exs:%d release", line)}[line > 0], "mix.exs release"))
	}
	return nil
}

// releaseCommand translates the commands that start an app from its sources: what they run is the release.
func releaseCommand(command, release string) (string, bool) {
	words := strings.Fields(command)
	for len(words) > 0 && strings.HasPrefix(words[0], "MIX_ENV=") {
		words = words[1:]
	}
	rest := strings.Join(words, " ")
	if _, after, ok := strings.Cut(rest, " -S mix "); ok && strings.HasPrefix(rest, "elixir ") {
		rest = "mix " + after
	}
	switch rest {
	case "mix phx.server", "mix phoenix.server", "mix run --no-halt", "mix run --no-halt --no-compile":
		return release + " start", true
	}
	return command, false
}

// migrations returns the call that runs Ecto's migrations in a release, "" if the app has none.
func migrations(t *tree) string {
	for _, f := range t.order {
		if path.Base(f) != "release.ex" {
			continue
		}
		tokens, err := exTokens(f, t.source(f))
		if err != nil {
			continue
		}
		module := ""
		for i, tok := range tokens[:max(len(tokens)-1, 0)] {
			switch {
			case tok.word("defmodule"):
				module = tokens[i+1].text
			case tok.word("def") && tokens[i+1].word("migrate") && module != "":
				return module + ".migrate()"
			}
		}
	}
	return ""
}
