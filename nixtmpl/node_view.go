package nixtmpl

import (
	"strings"

	"hop3/detect"
)

// A nodeView is what the Node templates need beyond the plan.
type nodeView struct {
	Kind                   string // npm, yarn, yarn-berry, pnpm, bun
	Packages               bool   // something is installed
	Whole                  bool   // it is fetched as a whole, once
	Open, Addressed        bool   // the lock file names no address of some packages, and of some it does
	Dev                    bool   // the steps need packages that the app does not
	Graft                  bool   // node_modules is more than one link
	Site                   bool   // only files are served
	Steps                  string
	Tool, ToolFrom         string // attribute of the package manager
	Override               bool
	Production, Everything string // flags that install
	Keys                   []string
}

func nodeViewOf(p detect.Plan, r Resolution) nodeView {
	f := p.Node
	v := nodeView{
		Kind: f.Manager, Steps: strings.Join(f.Steps, "\n"), Site: p.Static != "" && len(p.Processes) == 0,
		Packages: f.Resolve || f.Lock != "" && (len(f.Tarballs) > 0 || len(f.Manifests) > 1),
		Whole:    f.Resolve || f.Manager == "yarn-berry", Tool: r.ToolAttr, Keys: manifestKeys(),
	}
	if len(p.Runtimes) > 1 && v.Tool != "" {
		v.ToolFrom = p.Runtimes[1].From + " → " + p.Runtimes[1].Version
	}
	v.Override = v.Tool != "" && v.Kind != "bun"
	for _, t := range f.Tarballs {
		v.Open, v.Addressed = v.Open || t.URL == "", v.Addressed || t.URL != ""
	}
	v.Open = v.Open || !v.Addressed
	v.Graft = v.Packages && (v.Steps != "" || len(f.Manifests) > 1)
	v.Dev = v.Packages && v.Steps != "" && f.DevPackages && !v.Site
	v.Production = map[string]string{"npm": "--omit=dev", "pnpm": "--prod", "yarn": "--production", "bun": "--production", "yarn-berry": "--all --production"}[v.Kind]
	v.Everything = map[string]string{"npm": "--include=dev"}[v.Kind]
	if f.Resolve {
		v.Production, v.Everything = "--omit=dev", "--include=dev"
	}
	if v.Tool == "yarn-berry_3" { // it cannot leave out what only the build needs
		v.Production, v.Dev = "", false
	}
	if v.Site && v.Steps != "" {
		v.Production = v.Everything
	}
	return v
}

// manifestKeys are the keys of package.json that decide about packages, for one manager or another.
func manifestKeys() []string {
	return []string{
		"bin", "bundleDependencies", "catalog", "catalogs", "dependencies", "dependenciesMeta", "devDependencies", "installConfig", "name",
		"optionalDependencies", "overrides", "patchedDependencies", "peerDependencies", "peerDependenciesMeta", "pnpm", "private",
		"resolutions", "trustedDependencies", "version", "workspaces",
	}
}
