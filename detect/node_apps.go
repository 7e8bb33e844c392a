package detect

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A nodeApp is a member of a workspace that can be deployed: what serves it, or the folder of its pages.
type nodeApp struct {
	dir     string
	command string // from the root; "" when Static is served
	site    site
	from    string
	builds  bool // it has a script build
}

// name is what the process of the app is called.
func (a nodeApp) name() string { return path.Base(a.dir) }

// startMember starts an app of a workspace whose root starts nothing: the only server, else the one that is called like one,
// else the only site. The other servers are processes of their own names. It reports whether there was one.
func startMember(t *tree, p *Plan, pkg packageJSON) (bool, error) {
	apps, err := nodeApps(t, p, pkg)
	if err != nil || len(apps) == 0 {
		return false, err
	}
	servers := slices.DeleteFunc(slices.Clone(apps), func(a nodeApp) bool { return a.command == "" })
	var names []string
	for _, a := range apps {
		names = append(names, a.dir)
	}
	switch web := webApp(servers, nxDefault(t)); {
	case web >= 0:
		p.start("web", servers[web].command, servers[web].from)
		for i, a := range servers {
			if i != web && a.name() != "web" && checkProcName(a.name()) == nil {
				p.start(a.name(), a.command, a.from)
			}
		}
	case len(servers) == 0 && len(apps) == 1:
		s := apps[0].site
		p.Static, p.SPA = path.Join(apps[0].dir, s.dir), s.routes
		s.why.File = path.Join(apps[0].dir, s.why.File)
		p.Evidence = append(p.Evidence, s.why)
		if s.unsure != "" {
			p.warn(apps[0].dir + "/" + s.unsure)
		}
	default:
		p.try("the only app of the workspace (there are several: " + join(names) + ")")
		p.try("one that is called web, server, api or app")
		for _, a := range apps[:min(len(apps), maxChosen)] {
			p.chosen = append(p.chosen, a.hint())
		}
		return false, nil
	}
	memberBuild(t, p, pkg, apps)
	return true, nil
}

// hint is the line of a Procfile that chooses the app.
func (a nodeApp) hint() string {
	if a.command == "" {
		return fmt.Sprintf("to deploy %s, add this line to a Procfile: static: %s", a.dir, path.Join(a.dir, a.site.dir))
	}
	return fmt.Sprintf("to deploy %s, add this line to a Procfile: web: %s", a.dir, a.command)
}

// webApp is the place of the app that the router asks, -1 if that cannot be told; preferred is the name of one that goes first.
func webApp(apps []nodeApp, preferred string) int {
	if len(apps) == 1 {
		return 0
	}
	for _, name := range []string{preferred, "web", "server", "api", "app"} {
		if i := slices.IndexFunc(apps, func(a nodeApp) bool { return a.name() == name }); i >= 0 {
			return i
		}
	}
	return -1
}

// memberBuild builds the members that have a build script, where neither the root nor a tool of monorepos does.
func memberBuild(t *tree, p *Plan, pkg packageJSON, apps []nodeApp) {
	command, _ := monorepoBuild(t, p, pkg)
	if pkg.Scripts["build"] != "" || pkg.Scripts["heroku-build"] != "" || p.Manifest.Build.Build != "" || command != "" {
		return
	}
	short, _, _ := strings.Cut(p.Node.Manager, "-")
	switch short {
	case "npm":
		p.Node.Steps = append(p.Node.Steps, "npm run build --workspaces --if-present")
	case "pnpm":
		p.Node.Steps = append(p.Node.Steps, "pnpm -r --if-present run build")
	default: // yarn and bun have no command that passes members without the script over
		for _, a := range apps {
			if a.builds {
				p.Node.Steps = append(p.Node.Steps, "(cd "+shellWord(a.dir)+" && "+short+" run build)")
			}
		}
	}
}

const (
	maxMembers = 200 // of a workspace that are looked at for apps
	maxChosen  = 6   // apps that a refusal says how to choose
)

// nodeApps are the members of a workspace, and the projects of Nx, that can be deployed, by folder.
func nodeApps(t *tree, p *Plan, pkg packageJSON) ([]nodeApp, error) {
	members, err := workspaces(t, pkg)
	if err != nil {
		return nil, err
	}
	if t.has("nx.json") {
		for _, f := range t.order {
			if dir := path.Dir(f); path.Base(f) == "project.json" && dir != "." && !slices.Contains(members, dir) {
				members = append(members, dir)
			}
		}
	}
	slices.Sort(members)
	var apps []nodeApp
	for _, dir := range members[:min(len(members), maxMembers)] {
		if sideFolder(dir) {
			continue
		}
		app, err := nodeAppIn(t, p, dir, pkg)
		if err != nil {
			return nil, err
		}
		if app.command != "" || app.site.dir != "" {
			apps = append(apps, app)
		}
	}
	return apps, nil
}

// sideFolder reports whether a folder of a repository holds what helps its developers.
func sideFolder(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		switch part {
		case "docs", "doc", "example", "examples", "e2e", "test", "tests", "tool", "tools", "tooling", "scripts", "storybook":
			return true
		}
		if strings.HasSuffix(part, "-e2e") {
			return true
		}
	}
	return false
}

// nodeAppIn plans a member as if it stood alone.
func nodeAppIn(t *tree, p *Plan, dir string, root packageJSON) (nodeApp, error) {
	app := nodeApp{dir: dir}
	sub, err := t.sub(dir)
	if err != nil {
		return app, err
	}
	pkg := packageJSON{}
	if sub.has("package.json") {
		if pkg, err = readPackage(sub); err != nil {
			return app, placed(err, 1, dir)
		}
	}
	if sub.has("project.json") || t.has("nx.json") {
		if nxApp(sub, &app, root, pkg, p.Node.Manager); app.command != "" || app.site.dir != "" {
			return app, nil
		}
	}
	if pkg.file == "" || pkg.depends("expo", "react-native", "electron") {
		return app, nil
	}
	app.builds = pkg.Scripts["build"] != ""
	q := Plan{Stack: "node", Manifest: newManifest(), Node: &NodeFacts{Manager: p.Node.Manager}}
	short, _, _ := strings.Cut(p.Node.Manager, "-")
	if start := pkg.Scripts["start"]; watches(start) && pkg.Scripts["start:prod"] != "" {
		q.start("web", short+" run start:prod", "package.json scripts.start:prod")
	} else if !watches(start) && (start != "" || pkg.Scripts["build"] != "") {
		if err := startNode(sub, &q, pkg); err != nil {
			return app, placed(err, 1, dir)
		}
	}
	if command := q.Processes.Command("web"); command != "" && !library(sub, q.Processes[0].From) {
		app.command, app.from = "cd "+shellWord(dir)+" && exec "+ofMember(short, command), path.Join(dir, q.Processes[0].From)
		if file, _, _ := strings.Cut(q.Processes[0].From, " "); !sub.has(file) { // a package of a framework
			app.from = path.Join(dir, "package.json") + " " + q.Processes[0].From
		}
	} else if q.Static != "" && hasPages(sub) {
		app.site = findSite(sub, pkg)
	}
	return app, nil
}

// library reports whether a start command was found by what a library has as well: its main file.
func library(t *tree, from string) bool {
	return t.has(from) || strings.HasSuffix(from, " main") || strings.Contains(from, " main,")
}

// ofMember runs a program of a member's packages: only pnpm keeps them from the root's.
func ofMember(manager, command string) string {
	if first, _, _ := strings.Cut(command, " "); manager == "pnpm" && first != "pnpm" && first != "node" {
		return "pnpm exec " + command
	}
	return command
}

// watches reports whether a start script runs a server for development.
func watches(script string) bool {
	w := strings.Fields(script)
	if slices.Contains(w, "next") && slices.Contains(w, "start") {
		return false
	}
	return slices.Contains(w, "watch") || slices.Contains(w, "--watch") || slices.Contains(w, "nodemon") || slices.Contains(w, "dev") || devServer(script)
}

// hasPages tells a site from a library that the same tool builds.
func hasPages(t *tree) bool {
	return t.first("index.html", "public/index.html", "src/index.html", "src/pages/index.astro", "astro.config.mjs", "next.config.js", "next.config.mjs", "next.config.ts") != ""
}

// nxProject is what is read of Nx's project.json.
type nxProject struct {
	Name    string `json:"name"`
	Type    string `json:"projectType"`
	Targets map[string]struct {
		Executor string `json:"executor"`
		Options  struct {
			OutputPath json.RawMessage `json:"outputPath"`
		} `json:"options"`
	} `json:"targets"`
}

// nxApp fills app for a project of Nx: by the executor of its target build, or by Next.js where a plug-in infers the targets.
func nxApp(t *tree, app *nodeApp, root, pkg packageJSON, manager string) {
	var doc nxProject
	file := path.Join(app.dir, "project.json")
	if b := t.source("project.json"); b != nil && json.Unmarshal(plainJSON(b), &doc) != nil {
		return
	}
	if doc.Type == "library" {
		return
	}
	build := doc.Targets["build"]
	out := nxOutput(build.Options.OutputPath, app.dir)
	_, kind, _ := strings.Cut(build.Executor, "/")
	switch {
	case kind == "node:webpack" || kind == "webpack:webpack" && pkg.depends("express") || kind == "js:node" || kind == "esbuild:esbuild" || kind == "node:build":
		app.command, app.from = "node "+shellWord(path.Join(out, "main.js")), file+" targets.build"
	case kind == "next:build":
		app.command, app.from = "next start "+shellWord(out), file+" targets.build"
	case build.Executor == "" && pkg.Scripts["start"] == "" && (pkg.depends("next") || root.depends("next")) && t.first("next.config.js", "next.config.mjs", "next.config.ts") != "":
		app.command, app.from = "cd "+shellWord(app.dir)+" && exec "+ofMember(manager, "next start"), path.Join(app.dir, t.first("next.config.js", "next.config.mjs", "next.config.ts"))
	case kind == "vite:build" || strings.HasSuffix(kind, ":application") || strings.HasSuffix(kind, ":browser") || strings.HasSuffix(kind, ":browser-esbuild") || kind == "webpack:webpack" && hasPages(t):
		if strings.HasSuffix(kind, ":application") {
			out = path.Join(out, "browser")
		}
		up := strings.Repeat("../", 1+strings.Count(app.dir, "/"))
		app.site = site{dir: up + out, routes: true, why: Evidence{File: "project.json", Line: t.lineOf("project.json", `"build"`), Why: build.Executor + " builds pages into " + out}}
	}
}

// nxDefault is the project that nx.json names for commands without one, "" if it names none.
func nxDefault(t *tree) string {
	var doc struct {
		Default string `json:"defaultProject"`
	}
	_ = json.Unmarshal(plainJSON(t.source("nx.json")), &doc) // a broken one names none; nx will say so
	return doc.Default
}

// nxOutput is where a target builds to, from the root: Nx's default is dist and the project's own folder.
func nxOutput(raw json.RawMessage, dir string) string {
	var out string
	if json.Unmarshal(raw, &out) != nil {
		var o struct{ Base string }
		_ = json.Unmarshal(raw, &o) // absent or another shape: the default
		out = o.Base
	}
	if out == "" || !fs.ValidPath(path.Clean(out)) {
		return path.Join("dist", dir)
	}
	return path.Clean(out)
}
