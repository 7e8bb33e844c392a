package detect

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// startNode finds the web command: scripts.start, main, the usual entry files, then what the framework builds. A front end
// that needs no server is served by the router.
func startNode(t *tree, p *Plan, pkg packageJSON) error {
	proposeRelease(t, p, pkg)
	s := findSite(t, pkg)
	if p.Static != "" {
		clean := path.Clean(strings.TrimSuffix(p.Static, "/"))
		if !fs.ValidPath(clean) {
			return &ParseError{File: "Procfile", Line: t.lineOf("Procfile", procStatic+":"), Msg: fmt.Sprintf("static: %q is not a folder below the app", clip(p.Static))}
		}
		p.Static, p.SPA = clean, s.dir != "" && s.routes
	}
	if !p.wantsStart() {
		return nil
	}
	short, _, _ := strings.Cut(p.Node.Manager, "-")
	start := pkg.Scripts["start"]
	p.try(cmp.Or(pkg.file, "package.json") + " scripts.start")
	switch {
	case start != "" && pkg.depends("@nestjs/core") && strings.HasPrefix(start, "nest ") && pkg.Scripts["start:prod"] != "":
		p.start("web", short+" run start:prod", pkg.file+" scripts.start:prod")
		return nil
	case start != "" && !(s.dir != "" && devServer(start)):
		p.start("web", startCommand(short), pkg.file+" scripts.start")
		return nil
	}
	if startFile(t, p, pkg, short) {
		return nil
	}
	if s.dir != "" {
		p.Static, p.SPA = s.dir, s.routes
		p.Evidence = append(p.Evidence, s.why)
		if s.unsure != "" {
			p.warn(s.unsure)
		}
		return nil
	}
	startFramework(t, p, pkg)
	return nil
}

// startCommand runs scripts.start; only bun calls that "bun run".
func startCommand(manager string) string {
	if manager == "bun" {
		return "bun run start"
	}
	return manager + " start"
}

// startFile takes main or an entry file that is there.
func startFile(t *tree, p *Plan, pkg packageJSON, manager string) bool {
	runner, entries := "node ", []string{"server.js", "index.js", "app.js", "server.mjs", "index.mjs", "server.cjs", "index.cjs"}
	if manager == "bun" {
		runner, entries = "bun ", append(entries, "index.ts", "server.ts", "src/index.ts", "index.tsx", "src/index.tsx")
	}
	p.try(cmp.Or(pkg.file, "package.json") + " main")
	if f := path.Clean(cmp.Or(pkg.Main, "server.js")); pkg.Main != "" && t.has(f) {
		p.start("web", runner+shellWord(f), pkg.file+" main")
		return true
	}
	for _, f := range entries {
		p.try(f)
		if t.has(f) {
			p.start("web", runner+f, f)
			return true
		}
	}
	return false
}

// startFramework starts what the build of a framework leaves behind.
func startFramework(t *tree, p *Plan, pkg packageJSON) {
	builds := pkg.Scripts["build"] != ""
	switch {
	case pkg.depends("nuxt"):
		p.start("web", "node .output/server/index.mjs", "nuxt")
	case pkg.depends("@sveltejs/adapter-node"):
		p.start("web", "node build", "@sveltejs/adapter-node")
	case pkg.depends("@sveltejs/kit"):
		p.start("web", "node build", "@sveltejs/kit")
		if !pkg.depends("svelte-adapter-bun") {
			p.warn("@sveltejs/adapter-auto builds no server here: depend on @sveltejs/adapter-node and name it in svelte.config.js")
		}
	case pkg.depends("@astrojs/node"):
		p.start("web", "node ./dist/server/entry.mjs", "@astrojs/node")
	case pkg.depends("next") && builds:
		p.start("web", "next start", "next")
	case pkg.depends("@react-router/serve"):
		p.start("web", "react-router-serve ./build/server/index.js", "@react-router/serve")
	case pkg.depends("@remix-run/serve"):
		p.start("web", "remix-serve ./build/server/index.js", "@remix-run/serve")
	case pkg.depends("@tanstack/react-start", "@tanstack/solid-start") && pkg.depends("nitro", "nitropack", "@tanstack/nitro-v2-vite-plugin", "vinxi"):
		p.start("web", "node .output/server/index.mjs", "tanstack start")
	case pkg.depends("@nestjs/core"):
		p.start("web", "node dist/main", "nest")
	case pkg.depends("@angular/ssr"):
		p.start("web", "node "+shellWord(path.Join(angularOutput(t), "server/server.mjs")), "@angular/ssr")
	case builds && strings.HasPrefix(path.Clean(pkg.Main), "dist/"):
		p.start("web", "node "+shellWord(path.Clean(pkg.Main)), pkg.file+" main, which the build makes")
	case t.has("turbo.json") && pkg.depends("turbo"):
		p.start("web", "turbo run start", "turbo.json")
	default:
		p.try("the output of a framework (nuxt, sveltekit, astro, next, remix, nest, vite, …)")
	}
}

// proposeRelease names the command that brings a database up to date; it is the author's to run it.
func proposeRelease(t *tree, p *Plan, pkg packageJSON) {
	if p.Release == "" && pkg.depends("prisma") && slices.ContainsFunc(t.order, func(f string) bool { return inFolder(f, "prisma/migrations") }) {
		p.warn(`prisma/migrations is not applied by itself: add "release: prisma migrate deploy" to the Procfile`)
	}
}

// devServer reports whether a start script only runs a framework's server for development or preview.
func devServer(script string) bool {
	w := strings.Fields(script)
	for len(w) > 0 && (w[0] == "npx" || strings.Contains(w[0], "=") || w[0] == "cross-env") {
		w = w[1:]
	}
	if len(w) == 0 || strings.ContainsAny(script, "&;|") {
		return false
	}
	sub := ""
	if len(w) > 1 {
		sub = w[1]
	}
	switch w[0] {
	case "vite":
		return sub == "" || sub[0] == '-' || sub == "dev" || sub == "serve" || sub == "preview"
	case "react-scripts", "react-app-rewired", "craco", "docusaurus", "vue-cli-service":
		return sub == "start" || sub == "serve"
	case "ng":
		return sub == "serve" || sub == "s"
	case "astro", "gatsby", "next":
		return true
	case "eleventy", "vitepress", "parcel", "expo", "react-router":
		return true
	}
	return false
}
