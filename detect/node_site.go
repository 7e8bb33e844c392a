package detect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// A site is what a front end's build leaves for the router to serve.
type site struct {
	dir    string   // "" when there is none
	routes bool     // the pages route in the browser: what is missing is answered by index.html
	why    Evidence // of dir
	unsure string   // a warning, when a setting could not be read
}

// findSite tells front ends that need no server, by their packages and by the settings of their builds.
func findSite(t *tree, pkg packageJSON) site {
	deps := pkg.depends
	switch {
	case pkg.file == "" || pkg.Scripts["build"] == "":
		return site{}
	case deps("next"):
		if c := setting(t, "output", "next.config.js", "next.config.mjs", "next.config.ts"); c.value == "export" {
			return c.site(outputDir(t, "distDir", "out", "next.config.js", "next.config.mjs", "next.config.ts"), false, "next exports pages")
		}
		return site{}
	case deps("nuxt", "@tanstack/react-start", "@tanstack/solid-start", "@remix-run/node", "@angular/ssr", "vike", "@solidjs/start", "@builder.io/qwik-city", "@qwik.dev/router"):
		return site{}
	case deps("@react-router/dev"):
		if c := setting(t, "ssr", "react-router.config.ts", "react-router.config.js"); c.value == "false" {
			return c.site("build/client", true, "react-router without ssr")
		}
		return site{}
	case deps("@sveltejs/kit"):
		if deps("@sveltejs/adapter-static") {
			c := setting(t, "fallback", "svelte.config.js", "svelte.config.ts")
			return c.site("build", c.value != "" && c.value != "404.html", "@sveltejs/adapter-static")
		}
		return site{}
	case deps("astro"):
		return astroSite(t, pkg)
	case deps("react-scripts", "@craco/craco", "react-app-rewired"):
		return site{dir: "build", routes: true, why: pkg.evidence(t, "react-scripts builds pages into build", "react-scripts", "@craco/craco", "react-app-rewired")}
	case deps("@angular/core") && t.has("angular.json"):
		return site{dir: path.Join(angularOutput(t), angularBrowser(t)), routes: true, why: Evidence{File: "angular.json", Line: lineIn(t, "angular.json", []string{"projects"}), Why: "angular builds pages"}}
	case deps("gatsby"):
		return site{dir: "public", why: pkg.evidence(t, "gatsby builds pages into public", "gatsby")}
	case deps("@docusaurus/core"):
		return site{dir: "build", why: pkg.evidence(t, "docusaurus builds pages into build", "@docusaurus/core")}
	case deps("@11ty/eleventy"):
		return site{dir: "_site", why: pkg.evidence(t, "eleventy builds pages into _site", "@11ty/eleventy")}
	case deps("@vue/cli-service"):
		return site{dir: "dist", routes: true, why: pkg.evidence(t, "vue-cli-service builds pages into dist", "@vue/cli-service")}
	case deps("expo") && strings.Contains(pkg.Scripts["build"], "expo export"):
		return site{dir: "dist", routes: true, why: pkg.evidence(t, "expo exports pages into dist", "expo")}
	case deps("vite", "rolldown-vite"):
		return viteSite(t, pkg)
	case deps("parcel"):
		return site{dir: "dist", routes: true, why: pkg.evidence(t, "parcel builds pages into dist", "parcel")}
	}
	return site{}
}

func viteConfigs() []string {
	var list []string
	for _, ext := range []string{"ts", "js", "mjs", "mts", "cjs", "cts"} {
		list = append(list, "vite.config."+ext)
	}
	return list
}

func viteSite(t *tree, pkg packageJSON) site {
	words := strings.Fields(pkg.Scripts["build"])
	for i, w := range words {
		if dir, ok := strings.CutPrefix(w, "--outDir="); ok || w == "--outDir" && i+1 < len(words) {
			if !ok {
				dir = words[i+1]
			}
			return site{dir: path.Clean(dir), routes: true, why: Evidence{File: pkg.file, Line: t.lineOf(pkg.file, "--outDir"), Why: "vite build --outDir"}}
		}
	}
	c := setting(t, "outDir", viteConfigs()...)
	s := c.site(cmp.Or(c.value, "dist"), true, "vite builds pages")
	if c.file == "" {
		s.why = pkg.evidence(t, "vite builds pages into dist", "vite", "rolldown-vite")
	}
	root := setting(t, "root", viteConfigs()...)
	if root.value != "" && root.value != "." && c.value == "" {
		s.dir = path.Join(root.value, "dist")
	} else if root.value != "" && c.value != "" {
		s.dir = path.Join(root.value, c.value)
	}
	if !fs.ValidPath(s.dir) {
		return site{} // outside the app: another stack's folder
	}
	if s.unsure == "" && root.dynamic {
		s.unsure = root.warning("dist")
	}
	return s
}

func astroSite(t *tree, pkg packageJSON) site {
	configs := []string{"astro.config.mjs", "astro.config.ts", "astro.config.js"}
	out := setting(t, "output", configs...)
	if out.value == "server" || out.value == "hybrid" || pkg.depends("@astrojs/node", "@astrojs/vercel", "@astrojs/netlify", "@astrojs/cloudflare", "@astrojs/deno") {
		return site{}
	}
	dir := setting(t, "outDir", configs...)
	s := dir.site(path.Clean(cmp.Or(dir.value, "dist")), false, "astro builds pages")
	if dir.file == "" {
		s.why = pkg.evidence(t, "astro builds pages into dist", "astro")
	}
	return s
}

func outputDir(t *tree, key, fallback string, files ...string) string {
	if c := setting(t, key, files...); c.value != "" && fs.ValidPath(path.Clean(c.value)) {
		return path.Clean(c.value)
	}
	return fallback
}

// angularOutput reads where the first application of angular.json is built to.
func angularOutput(t *tree) string {
	var doc struct {
		DefaultProject string `json:"defaultProject"`
		Projects       map[string]struct {
			Type      string `json:"projectType"`
			Architect map[string]struct {
				Builder string `json:"builder"`
				Options struct {
					OutputPath json.RawMessage `json:"outputPath"`
				} `json:"options"`
			} `json:"architect"`
		} `json:"projects"`
	}
	if json.Unmarshal(plainJSON(t.source("angular.json")), &doc) != nil {
		return "dist"
	}
	names := slices.Sorted(maps.Keys(doc.Projects))
	if doc.DefaultProject != "" {
		names = append([]string{doc.DefaultProject}, names...)
	}
	for _, name := range names {
		pr := doc.Projects[name]
		if pr.Type == "library" {
			continue
		}
		var dir string
		if raw := pr.Architect["build"].Options.OutputPath; json.Unmarshal(raw, &dir) != nil || dir == "" {
			var o struct{ Base string }
			_ = json.Unmarshal(raw, &o) // absent or another shape: the default
			dir = cmp.Or(o.Base, "dist/"+name)
		}
		if dir = path.Clean(dir); fs.ValidPath(dir) {
			return dir
		}
	}
	return "dist"
}

// angularBrowser is the folder below the output that the newer builder puts pages into.
func angularBrowser(t *tree) string {
	src := string(t.source("angular.json"))
	if strings.Contains(src, ":application\"") || strings.Contains(src, "@angular/build:") {
		return "browser"
	}
	return ""
}

// site makes a site of a setting that decides.
func (c configured) site(dir string, routes bool, why string) site {
	s := site{dir: dir, routes: routes, why: Evidence{File: c.file, Line: c.line, Why: fmt.Sprintf("%s into %s", why, dir)}}
	if c.dynamic {
		s.unsure = c.warning(dir)
	}
	return s
}

func (c configured) warning(dir string) string {
	return fmt.Sprintf("%s:%d: %s is computed, so %s is served; if the build writes elsewhere, say so in the Procfile: static: DIR", c.file, c.line, c.key, dir)
}
