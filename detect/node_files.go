package detect

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// workspaces returns the folders of the members that the root manifest names, sorted.
func workspaces(t *tree, pkg packageJSON) ([]string, error) {
	patterns, err := workspacePatterns(t, pkg)
	if err != nil || len(patterns) == 0 {
		return nil, err
	}
	var members []string
	for _, f := range t.order {
		dir := path.Dir(f)
		if path.Base(f) != "package.json" || dir == "." {
			continue
		}
		in := false
		for _, p := range patterns {
			if not, ok := strings.CutPrefix(p, "!"); ok {
				in = in && !globDir(not, dir)
			} else {
				in = in || globDir(p, dir)
			}
		}
		if in {
			members = append(members, dir)
		}
	}
	return members, nil
}

func workspacePatterns(t *tree, pkg packageJSON) ([]string, error) {
	if b := t.source("pnpm-workspace.yaml"); b != nil {
		var doc struct {
			Packages []string `yaml:"packages"`
		}
		if err := decodeYAML("pnpm-workspace.yaml", b, &doc); err != nil {
			return nil, err
		}
		if len(doc.Packages) > 0 {
			return doc.Packages, nil
		}
	}
	if len(pkg.Workspaces) == 0 {
		return nil, nil
	}
	var list []string
	if json.Unmarshal(pkg.Workspaces, &list) == nil {
		return list, nil
	}
	var doc struct {
		Packages []string `json:"packages"`
	}
	if err := json.Unmarshal(pkg.Workspaces, &doc); err != nil {
		return nil, &ParseError{File: pkg.file, Line: t.lineOf(pkg.file, `"workspaces"`), Msg: "workspaces is a list of folders, or an object with such a list as packages"}
	}
	return doc.Packages, nil
}

// globDir reports whether a folder matches a workspace pattern: ** stands for any number of folders.
func globDir(pattern, dir string) bool {
	return globParts(strings.Split(path.Clean(strings.TrimSuffix(pattern, "/")), "/"), strings.Split(dir, "/"))
}

func globParts(pattern, parts []string) bool {
	const most = 16 // of parts, as deep as a tree is listed
	if len(pattern) > most {
		return false
	}
	if len(pattern) == 0 || len(parts) == 0 {
		return len(parts) == 0 && (len(pattern) == 0 || len(pattern) == 1 && pattern[0] == "**")
	}
	if pattern[0] == "**" {
		if len(pattern) > 1 && pattern[1] == "**" {
			return globParts(pattern[1:], parts)
		}
		return globParts(pattern[1:], parts) || globParts(pattern, parts[1:])
	}
	ok, err := path.Match(pattern[0], parts[0])
	return ok && err == nil && globParts(pattern[1:], parts[1:])
}

// nodeFiles lists the files that decide about packages, beside the manifests.
func nodeFiles(t *tree, p *Plan, members []string) {
	f := p.Node
	f.Manifests = []string{"package.json"}
	if !t.has("package.json") {
		f.Manifests, f.Files = nil, append(f.Files, "package.json5")
	}
	for _, m := range members {
		f.Manifests = append(f.Manifests, path.Join(m, "package.json"))
	}
	for _, name := range []string{f.Lock, ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", ".pnpmfile.cjs", "bunfig.toml"} {
		if name != "" && t.has(name) {
			f.Files = append(f.Files, name)
		}
	}
	for _, name := range t.order {
		if inFolder(name, "patches") || inFolder(name, ".yarn/patches") || inFolder(name, ".yarn/plugins") || inFolder(name, ".yarn/releases") {
			f.Files = append(f.Files, name)
		}
	}
	slices.Sort(f.Files)
	f.Files = slices.Compact(f.Files)
	npmrc(t, p)
}

func inFolder(name, dir string) bool { return strings.HasPrefix(name, dir+"/") }

// npmrc takes the settings of .npmrc that say how packages are installed. Where they come from is the server's business, and
// what is secret must not reach the store: then the file is left out of the build.
func npmrc(t *tree, p *Plan) {
	var keep []string
	n := 0
	for l := range strings.Lines(string(t.source(".npmrc"))) {
		n++
		key, value, ok := strings.Cut(strings.TrimSpace(l), "=")
		key = strings.TrimSpace(key)
		switch {
		case !ok || key[:min(1, len(key))] == "#" || key[:min(1, len(key))] == ";":
		case strings.HasPrefix(key, "//") || strings.HasPrefix(key, "_") || strings.Contains(key, "password"):
			if !strings.Contains(value, "${") {
				p.warn(fmt.Sprintf(".npmrc:%d holds a secret: the file is left out of the build; name a variable there and set it with config:set", n))
				p.secret = append(p.secret, ".npmrc")
			}
		case strings.HasSuffix(key, "registry") || strings.Contains(value, "${") || strings.Contains(key, "proxy") || strings.Contains(key, "cafile"):
		default:
			keep = append(keep, key+"="+strings.TrimSpace(value))
		}
	}
	if len(keep) > 0 {
		p.Node.Settings = strings.Join(keep, "\n") + "\n"
	}
}

// nodeSteps lists the commands that complete the app, as npm and Heroku run them: what install would run of the app's own
// scripts, then the build.
func nodeSteps(t *tree, p *Plan, pkg packageJSON) {
	short, _, _ := strings.Cut(p.Node.Manager, "-")
	run := func(script string) { p.Node.Steps = append(p.Node.Steps, short+" run "+script) }
	for _, s := range []string{"heroku-prebuild", "preinstall", "install", "postinstall", "prepare"} {
		if pkg.Scripts[s] == "" || gitHooks(pkg.Scripts[s]) {
			continue
		}
		run(s)
	}
	p.Node.Writes = len(p.Node.Steps) > 0 || pkg.depends("prisma", "@prisma/client", "patch-package")
	build := "build"
	if pkg.Scripts["heroku-build"] != "" {
		build = "heroku-build"
	}
	switch command, why := monorepoBuild(t, p, pkg); {
	case p.Manifest.Build.Build != "":
		p.Node.Steps = append(p.Node.Steps, p.Manifest.Build.Build)
	case pkg.Scripts[build] != "":
		run(build)
	case command != "":
		p.Node.Steps = append(p.Node.Steps, command)
		p.warn("package.json has no script build: " + command + " is run, because of " + why)
	}
	if pkg.Scripts["heroku-postbuild"] != "" {
		run("heroku-postbuild")
	}
}

// monorepoBuild is what builds a repository whose root has no build script, and the file that says so.
func monorepoBuild(t *tree, p *Plan, pkg packageJSON) (command, why string) {
	if t.has("turbo.json") && pkg.depends("turbo") {
		return "turbo run build", "turbo.json"
	}
	if t.has("nx.json") && pkg.depends("nx") {
		return "nx run-many -t build", "nx.json"
	}
	if t.has("lerna.json") && pkg.depends("lerna") {
		return "lerna run build", "lerna.json"
	}
	if len(p.Node.Steps) == 0 && pkg.depends("typescript") && t.has("tsconfig.json") && strings.HasPrefix(pkg.Main, "dist/") && !t.has(pkg.Main) {
		return "tsc", "main " + pkg.Main + " and tsconfig.json"
	}
	return "", ""
}

// gitHooks reports whether a script only installs hooks for committing, which a build has no use for.
func gitHooks(script string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(script), " ")
	return slices.Contains([]string{"husky", "lefthook", "simple-git-hooks"}, first) && !strings.ContainsAny(script, "&;|")
}
