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
	case start != "" && !(s.dir != "" && devServer(start)) && !nxServer(start):
		p.start("web", startCommand(short), pkg.file+" scripts.start")
		return nil
	}
	if startFile(t, p, pkg, short) {
		return nil
	}
	if s.dir == "" || !hasPages(t) {
		if ok, err := startMember(t, p, pkg); ok || err != nil {
			return err
		}
	}
	if s.dir != "" {
		p.Static, p.SPA = s.dir, s.routes
		p.Evidence = append(p.Evidence, s.why)
		if s.unsure != "" {
			p.warn(s.unsure)
		}
		return nil
	}
	return startFramework(t, p, pkg)
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
func startFramework(t *tree, p *Plan, pkg packageJSON) error {
	builds := pkg.Scripts["build"] != ""
	switch {
	case pkg.depends("nuxt"):
		p.start("web", "node .output/server/index.mjs", "nuxt")
	case pkg.depends("@sveltejs/adapter-node"):
		p.start("web", "node build", "@sveltejs/adapter-node")
	case pkg.depends("@sveltejs/kit") && pkg.depends("svelte-adapter-bun"):
		p.start("web", "node build", "@sveltejs/kit")
	case pkg.depends("@sveltejs/kit"):
		return &UnsupportedError{What: "SvelteKit without an adapter that builds a server", Evidence: pkg.file,
			Fix: "depend on @sveltejs/adapter-node and name it in svelte.config.js instead of adapter-auto; @sveltejs/adapter-static where all pages can be built ahead"}
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
	case pkg.depends("@tanstack/react-start", "@tanstack/solid-start"):
		return startTanstack(t, p, pkg)
	case pkg.depends("@nestjs/core"):
		p.start("web", "node dist/main", "nest")
	case pkg.depends("@angular/ssr"):
		p.start("web", "node "+shellWord(path.Join(angularOutput(t), "server/server.mjs")), "@angular/ssr")
	case builds && strings.HasPrefix(path.Clean(pkg.Main), "dist/"):
		p.start("web", "node "+shellWord(path.Clean(pkg.Main)), pkg.file+" main, which the build makes")
	default:
		p.try("the output of a framework (nuxt, sveltekit, astro, next, remix, nest, vite, …)")
	}
	return nil
}

// startTanstack serves what TanStack Start builds when no plug-in makes it a server: a handler, and a folder of files. srvx,
// on which the framework itself is built, serves both.
func startTanstack(t *tree, p *Plan, pkg packageJSON) error {
	hoisted := p.Node.Manager != "pnpm" && p.Node.Manager != "yarn-berry" // others let an app run what its packages depend on
	locked := slices.ContainsFunc(p.Node.Tarballs, func(tb Tarball) bool { return tb.Name == "srvx" })
	switch {
	case pkg.depends("@cloudflare/vite-plugin", "@netlify/vite-plugin-tanstack-start"):
		return &UnsupportedError{What: "TanStack Start built for another platform", Evidence: pkg.file,
			Fix: "for hop3 build it without the plug-in of Cloudflare or Netlify: add nitro to the plug-ins of vite.config.ts and to the dependencies"}
	case pkg.depends("srvx") || hoisted && (locked || p.Node.Resolve):
		p.start("web", "srvx serve --prod --static ../client --host $HOST --port $PORT --entry dist/server/server.js", "tanstack start without nitro")
		return nil
	}
	return &UnsupportedError{What: "TanStack Start without a server", Evidence: pkg.file,
		Fix: "add srvx to the dependencies, which serves what it builds, or nitro to them and to the plug-ins of vite.config.ts"}
}

// nxServer reports whether a start script runs Nx's servers for development.
func nxServer(script string) bool {
	w := strings.Fields(strings.TrimPrefix(script, "npx "))
	return len(w) > 1 && w[0] == "nx" && (w[1] == "serve" || w[1] == "dev")
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
