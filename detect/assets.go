package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// assetDirs are the folders where apps of other stacks keep a front end, beside the root.
func assetDirs() []string {
	return []string{".", "frontend", "client", "web", "ui", "assets", "webapp", "front", "app/frontend", "web/frontend", "web/ui", "internal/web", "static_src", "theme/static_src"}
}

// planAssets adds the front ends of an app of another stack: folders with a package.json that has a build script. One at the
// root builds those below it.
func planAssets(t *tree, p *Plan) error {
	if !slices.Contains(usesNodeForAssets(), p.Stack) {
		return nil
	}
	for _, dir := range assetDirs() {
		file := path.Join(dir, "package.json")
		if !t.has(file) {
			continue
		}
		pkg, err := readPackageIn(t, file)
		if err != nil {
			return err
		}
		if pkg.Scripts["build"] == "" && pkg.Scripts["heroku-build"] == "" && pkg.Scripts["heroku-postbuild"] == "" {
			continue
		}
		if dir != "." && ownServer(t, dir, pkg) {
			p.warn(fmt.Sprintf("%s is a server of its own: deploy it as another app, with root = %q under [build] of hop3.toml", dir, dir))
			continue
		}
		if err := planAsset(t, p, dir, pkg); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
	}
	return nil
}

// ownServer reports whether what a front end's framework builds has to be run.
func ownServer(t *tree, dir string, pkg packageJSON) bool {
	sub, err := t.sub(dir)
	if err != nil {
		return false
	}
	return pkg.depends("next", "nuxt", "@remix-run/node", "@nestjs/core", "@react-router/serve") && findSite(sub, pkg).dir == ""
}

func planAsset(t *tree, p *Plan, dir string, pkg packageJSON) error {
	sub := t
	if dir != "." {
		var err error
		if sub, err = t.sub(dir); err != nil {
			return err
		}
	}
	q := Plan{Version: planVersion, Stack: "node", Root: path.Join(p.Root, dir), Static: ".", BuildEnv: p.BuildEnv}
	q.Manifest = newManifest()
	q.Manifest.Build.Versions = p.Manifest.Build.Versions
	if _, err := nodeParts(sub, &q); err != nil {
		return placed(err, 1, dir)
	}
	build := strings.Join(q.Node.Steps, "; ")
	p.Evidence = append(p.Evidence, Evidence{File: path.Join(dir, "package.json"), Line: t.lineOf(path.Join(dir, "package.json"), `"build"`), Why: "front end: " + build, Weight: weightWeak})
	for _, w := range q.Warnings {
		p.warn(strings.TrimPrefix(dir+": ", ".: ") + w)
	}
	for _, s := range q.secret {
		p.secret = append(p.secret, path.Join(dir, s))
	}
	p.Assets = append(p.Assets, Asset{Stack: "node", Dir: dir, Tool: q.Tool.Name, Build: build, Plan: &q, Everything: pkg.depends("tailwindcss", "@tailwindcss/cli", "@tailwindcss/vite", "@tailwindcss/postcss")})
	return nil
}
