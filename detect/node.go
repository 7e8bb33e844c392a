package detect

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// NodeFacts are what the Node template needs beyond the plan.
type NodeFacts struct {
	Manager        string   // "npm", "yarn", "yarn-berry", "pnpm" or "bun"
	Lock           string   // the lock file, "" when there are no dependencies or none is committed
	LockDigest     string   // of Lock, or of what is resolved without one, hex
	LockVersion    int      // of package-lock.json
	Resolve        bool     // dependencies and no lock file: what npm finds first is kept
	Manifests      []string // package.json of the app and of its workspaces
	Files          []string // what else decides about packages: lock file, settings, patches
	Settings       string   // .npmrc without what is secret
	Steps          []string // commands that complete the app, in order
	Writes         bool     // a step changes installed packages: they are copied instead of linked
	DevPackages    bool     // the lock file may have packages that only the build needs
	InstallScripts bool     // a package compiles or fetches something when it is installed
	Bun            bool     // bun is the runtime
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
	DevEngines struct {
		Runtime        json.RawMessage `json:"runtime"`
		PackageManager json.RawMessage `json:"packageManager"`
	} `json:"devEngines"`

	file string // package.json or package.json5
}

// engine reads one of engines; ancient packages have engines as a list, which means nothing.
func (pkg packageJSON) engine(name string) string {
	var engines map[string]string
	if json.Unmarshal(pkg.Engines, &engines) != nil || engines[name] == "*" {
		return ""
	}
	return engines[name]
}

// devEngine reads an entry of devEngines, which is one object or a list of them.
func devEngine(raw json.RawMessage, want string) string {
	type engine struct{ Name, Version string }
	var list []engine
	if json.Unmarshal(raw, &list) != nil {
		var one engine
		if json.Unmarshal(raw, &one) != nil {
			return ""
		}
		list = []engine{one}
	}
	for _, e := range list {
		if e.Name == want {
			return e.Version
		}
	}
	return ""
}

// depends reports whether the package names dep among what runs or what builds.
func (pkg packageJSON) depends(deps ...string) bool {
	return slices.ContainsFunc(deps, func(d string) bool {
		return pkg.Dependencies[d] != "" || pkg.DevDependencies[d] != "" || pkg.OptionalDeps[d] != ""
	})
}

// evidence is that the package depends on the first of deps that it names.
func (pkg packageJSON) evidence(t *tree, why string, deps ...string) Evidence {
	e := Evidence{File: pkg.file, Why: why}
	for _, kind := range []string{"dependencies", "devDependencies", "optionalDependencies"} {
		for _, d := range deps {
			e.Line = cmp.Or(e.Line, lineIn(t, pkg.file, []string{kind, d}))
		}
	}
	return e
}

func readPackage(t *tree) (packageJSON, error) { return readPackageIn(t, "package.json") }

func readPackageIn(t *tree, file string) (packageJSON, error) {
	pkg := packageJSON{file: file}
	b, err := t.read(file)
	if err != nil {
		return pkg, err
	}
	return pkg, decodeJSON(file, b, &pkg)
}

func claimNode(t *tree) []Evidence {
	if t.has("package.json") {
		return []Evidence{{File: "package.json", Why: "manifest"}}
	}
	if t.has("package.json5") {
		return []Evidence{{File: "package.json5", Why: "manifest"}}
	}
	if f := t.first("server.js", "index.js", "server.mjs", "index.mjs", "server.cjs", "index.cjs"); f != "" && !t.has("index.html") {
		return []Evidence{{File: f, Why: "program without a manifest"}}
	}
	return nil
}

func planNode(t *tree, p *Plan) error {
	pkg, err := nodeParts(t, p)
	if err != nil {
		return err
	}
	return startNode(t, p, pkg)
}

// nodeParts plans all but how the app starts.
func nodeParts(t *tree, p *Plan) (packageJSON, error) {
	p.Node = &NodeFacts{Manager: "npm"}
	p.env("NODE_ENV", "production")
	pkg, err := nodeManifest(t, p)
	if err != nil {
		return pkg, err
	}
	if pkg.file == "" {
		p.Tool = Tool{Name: "node", From: p.Evidence[len(p.Evidence)-1].File}
		p.Runtimes = []Runtime{nodeRuntime(t, p, pkg)}
		return pkg, nil
	}
	version, err := chooseManager(t, p, pkg)
	if err != nil {
		return pkg, err
	}
	members, err := workspaces(t, pkg)
	if err != nil {
		return pkg, err
	}
	if err := planLock(t, p, pkg, members); err != nil {
		return pkg, err
	}
	p.Runtimes = []Runtime{nodeRuntime(t, p, pkg)}
	if version.Name != "" {
		p.Runtimes = append(p.Runtimes, version)
	}
	nodeFiles(t, p, members)
	for _, f := range nodeFrameworks() {
		if pkg.depends(f.dep) {
			p.Frameworks = append(p.Frameworks, f.name)
		}
	}
	p.Frameworks = slices.Compact(p.Frameworks)
	nodeSteps(t, p, pkg)
	return pkg, nil
}

// nodeManifest reads the manifest; without one its file is "".
func nodeManifest(t *tree, p *Plan) (packageJSON, error) {
	if t.has("package.json") {
		return readPackage(t)
	}
	if !t.has("package.json5") {
		return packageJSON{}, nil
	}
	b, err := t.read("package.json5")
	if err != nil {
		return packageJSON{}, err
	}
	pkg := packageJSON{file: "package.json5"}
	return pkg, decodeJSON("package.json5", plainJSON5(b), &pkg)
}

// nodeFrameworks are told by the packages that only their apps depend on.
func nodeFrameworks() []struct{ name, dep string } {
	return []struct{ name, dep string }{
		{"angular", "@angular/core"}, {"astro", "astro"}, {"cra", "react-scripts"}, {"express", "express"}, {"fastify", "fastify"},
		{"gatsby", "gatsby"}, {"hono", "hono"}, {"koa", "koa"}, {"nest", "@nestjs/core"}, {"next", "next"}, {"nuxt", "nuxt"},
		{"react-router", "@react-router/dev"}, {"remix", "@remix-run/node"}, {"remix", "@remix-run/serve"}, {"sveltekit", "@sveltejs/kit"},
		{"tanstack-start", "@tanstack/react-start"}, {"tanstack-start", "@tanstack/solid-start"}, {"vite", "vite"},
	}
}

func nodeRuntime(t *tree, p *Plan, pkg packageJSON) Runtime {
	requests := []request{
		p.asked("node"),
		{strings.TrimPrefix(t.line(".node-version"), "v"), ".node-version"},
		{strings.TrimPrefix(t.line(".nvmrc"), "v"), ".nvmrc"},
		{pkg.Volta.Node, "package.json volta.node"},
	}
	requests = append(requests, polyglot(t, "node", "nodejs")...)
	engines := pkg.engine("node")
	requests = append(requests, request{devEngine(pkg.DevEngines.Runtime, "node"), "devEngines.runtime"}, request{engines, "engines.node"})
	return runtime("node", requests, "lts")
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

// hasDependencies returns what has to be installed, sorted.
func (pkg packageJSON) hasDependencies() []string {
	all := map[string]string{}
	for _, m := range []map[string]string{pkg.Dependencies, pkg.DevDependencies, pkg.OptionalDeps} {
		maps.Copy(all, m)
	}
	return slices.Sorted(maps.Keys(all))
}
