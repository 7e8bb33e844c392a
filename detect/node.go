package detect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// NodeFacts are what the Node template needs beyond the plan.
type NodeFacts struct {
	Lock           string // "package-lock.json", "npm-shrinkwrap.json" or "" when there are no dependencies
	LockDigest     string // of Lock, hex
	BuildScript    string // what to run before the app is complete: "npm run build", or ""
	DevPackages    bool   // the lock file has packages that only the build needs
	InstallScripts bool   // a package compiles or fetches something when it is installed
	Tarballs       []Tarball
}

// A Tarball is one package of the lock file. URL is "" where the lock file leaves the registry open.
type Tarball struct{ Name, Version, URL, Integrity string }

// packageJSON is what is read of package.json.
type packageJSON struct {
	Name            string            `json:"name"`
	Main            string            `json:"main"`
	Scripts         map[string]string `json:"scripts"`
	Dependencies    map[string]string `json:"dependencies"`
	DevDependencies map[string]string `json:"devDependencies"`
	OptionalDeps    map[string]string `json:"optionalDependencies"`
	Engines         json.RawMessage   `json:"engines"`
	PackageManager  string            `json:"packageManager"`
	Workspaces      json.RawMessage   `json:"workspaces"`
	Volta           struct {
		Node string `json:"node"`
	} `json:"volta"`
}

// enginesNode reads engines.node; ancient packages have engines as a list, which means nothing.
func (pkg packageJSON) enginesNode() string {
	var engines map[string]string
	if json.Unmarshal(pkg.Engines, &engines) != nil {
		return ""
	}
	return engines["node"]
}

func readPackage(t *tree) (packageJSON, error) {
	var pkg packageJSON
	b, err := t.read("package.json")
	if err != nil {
		return pkg, err
	}
	return pkg, decodeJSON("package.json", b, &pkg)
}

func claimNode(t *tree) []Evidence {
	if t.has("package.json") {
		return []Evidence{{File: "package.json", Why: "manifest"}}
	}
	if f := t.first("server.js", "index.js", "server.mjs", "index.mjs"); f != "" && !t.has("index.html") {
		return []Evidence{{File: f, Why: "program without a manifest"}}
	}
	return nil
}

func planNode(t *tree, p *Plan) error {
	p.Node = &NodeFacts{}
	p.env("NODE_ENV", "production")
	if !t.has("package.json") {
		p.Tool = Tool{Name: "node", From: p.Evidence[len(p.Evidence)-1].File}
		p.Runtimes = []Runtime{nodeRuntime(t, p, packageJSON{})}
		return startNode(t, p, packageJSON{})
	}
	pkg, err := readPackage(t)
	if err != nil {
		return err
	}
	if err := npmOnly(t, pkg); err != nil {
		return err
	}
	if err := planLock(t, p, pkg); err != nil {
		return err
	}
	p.Runtimes = []Runtime{nodeRuntime(t, p, pkg)}
	for _, f := range nodeFrameworks() {
		if _, ok := pkg.Dependencies[f.dep]; ok {
			p.Frameworks = append(p.Frameworks, f.name)
		}
	}
	if p.Manifest.Build.Build != "" {
		p.Node.BuildScript = p.Manifest.Build.Build
	} else if pkg.Scripts["build"] != "" {
		p.Node.BuildScript = "npm run build"
	}
	for _, s := range []string{"preinstall", "install", "postinstall", "prepare"} {
		if pkg.Scripts[s] != "" {
			p.warn(fmt.Sprintf("package.json scripts.%s is not run: dependencies are installed before the app's files are there", s))
		}
	}
	return startNode(t, p, pkg)
}

func nodeFrameworks() []struct{ name, dep string } {
	return []struct{ name, dep string }{
		{"astro", "astro"}, {"express", "express"}, {"fastify", "fastify"}, {"hono", "hono"}, {"koa", "koa"}, {"nest", "@nestjs/core"},
		{"next", "next"}, {"nuxt", "nuxt"}, {"remix", "@remix-run/node"},
	}
}

// npmOnly refuses what another package manager owns.
func npmOnly(t *tree, pkg packageJSON) error {
	const fix = "commit a package-lock.json made by npm install --package-lock-only and remove the other lock files"
	if name, _, _ := strings.Cut(pkg.PackageManager, "@"); name != "" && name != "npm" {
		return &UnsupportedError{What: name, Evidence: fmt.Sprintf("package.json:%d packageManager", t.lineOf("package.json", `"packageManager"`)), Fix: fix}
	}
	if t.first("package-lock.json", "npm-shrinkwrap.json") == "" {
		for _, l := range []struct{ file, tool string }{
			{"pnpm-lock.yaml", "pnpm"}, {".yarnrc.yml", "yarn berry"}, {"yarn.lock", "yarn"}, {"bun.lock", "bun"}, {"bun.lockb", "bun"},
		} {
			if t.has(l.file) {
				return &UnsupportedError{What: l.tool, Evidence: l.file, Fix: fix}
			}
		}
	}
	if len(pkg.Workspaces) > 0 && string(pkg.Workspaces) != "null" {
		return &UnsupportedError{What: "npm workspaces", Evidence: fmt.Sprintf("package.json:%d", t.lineOf("package.json", `"workspaces"`)),
			Fix: "set root under [build] in hop3.toml to a package that has a lock file of its own"}
	}
	return nil
}

func nodeRuntime(t *tree, p *Plan, pkg packageJSON) Runtime {
	requests := []request{
		p.asked("node"),
		{strings.TrimPrefix(t.line(".node-version"), "v"), ".node-version"},
		{strings.TrimPrefix(t.line(".nvmrc"), "v"), ".nvmrc"},
		{pkg.Volta.Node, "package.json volta.node"},
	}
	requests = append(requests, polyglot(t, "node", "nodejs")...)
	engines := pkg.enginesNode()
	if engines == "*" {
		engines = ""
	}
	requests = append(requests, request{engines, "engines.node"})
	r := runtime("node", requests, "lts")
	if engines != "" && r.From != "engines.node" && !nodeAgrees(r.Version, engines) {
		p.warn(fmt.Sprintf("node %s (%s) does not satisfy engines.node %q", r.Version, r.From, engines))
	}
	return r
}

// startNode finds the web command: scripts.start, main, then the usual entry files.
func startNode(t *tree, p *Plan, pkg packageJSON) error {
	if !p.wantsStart() {
		return nil
	}
	p.try("package.json scripts.start")
	if pkg.Scripts["start"] != "" {
		p.start("web", "npm start", "package.json scripts.start")
		return nil
	}
	p.try("package.json main")
	if f := path.Clean(cmp.Or(pkg.Main, "server.js")); pkg.Main != "" && t.has(f) {
		p.start("web", "node "+shellWord(f), "package.json main")
		return nil
	}
	for _, f := range []string{"server.js", "index.js", "app.js", "server.mjs", "index.mjs"} {
		p.try(f)
		if t.has(f) {
			p.start("web", "node "+f, f)
			return nil
		}
	}
	return nil
}

// shellWord quotes s for a POSIX shell where it is not plain.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:@%+,", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// hasDependencies reports whether anything has to be installed.
func (pkg packageJSON) hasDependencies() []string {
	all := map[string]string{}
	for _, m := range []map[string]string{pkg.Dependencies, pkg.DevDependencies, pkg.OptionalDeps} {
		maps.Copy(all, m)
	}
	return slices.Sorted(maps.Keys(all))
}
