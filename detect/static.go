package detect

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// siteDirs are the folders that site generators and front ends leave their pages in, in the order in which they are tried.
func siteDirs() []string { return []string{"public", "dist", "_site", "build", "www"} }

func claimStatic(t *tree) []Evidence {
	if t.has("Staticfile") {
		return []Evidence{{File: "Staticfile", Why: "static site"}}
	}
	if dir, line := staticLine(t); dir != "" {
		return []Evidence{{File: "Procfile", Line: line, Why: "static: " + dir}}
	}
	if g, file := siteGenerator(t); g.name != "" {
		return []Evidence{{File: file, Why: g.name + " site", Weight: weightManifest}}
	}
	if t.has("Procfile") && !onlyStatic(t) {
		return nil // it says how the pages are served
	}
	if t.has("index.html") {
		return []Evidence{{File: "index.html", Why: "page at the root"}}
	}
	for _, d := range siteDirs() {
		if f := path.Join(d, "index.html"); t.has(f) {
			return []Evidence{{File: f, Why: "page in " + d}}
		}
	}
	return nil
}

// staticLine returns the folder that a Procfile serves, "" if none, and the line.
func staticLine(t *tree) (string, int) {
	procs, err := ParseProcfile(t.source("Procfile"))
	if err != nil {
		return "", 0
	}
	for _, p := range procs {
		if p.Name == procStatic {
			return p.Command, t.lineOf("Procfile", procStatic+":")
		}
	}
	return "", 0
}

// onlyStatic reports whether the Procfile starts no process.
func onlyStatic(t *tree) bool {
	procs, _ := ParseProcfile(t.source("Procfile")) // an error was reported when the manifest was read
	for _, p := range procs {
		if p.Name != procStatic && p.Name != procRelease {
			return false
		}
	}
	return true
}

func planStatic(t *tree, p *Plan) error {
	p.Tool = Tool{Name: "files", From: p.Evidence[0].File}
	file, err := readStaticfile(t)
	if err != nil {
		return err
	}
	p.SPA = file.fallback
	p.Warnings = append(p.Warnings, file.warnings...)
	for _, f := range []string{"_headers", "_redirects", "netlify.toml", "vercel.json", "Staticfile.auth"} {
		if t.has(f) {
			p.warn(f + " is not used: the router sets its own headers and has no rules")
		}
	}
	if planSite(t, p, file.root) {
		return nil
	}
	dir := cmp.Or(p.Static, file.root)
	if dir == "" {
		dir = detectSite(t)
	}
	dir, err = siteDir(t, dir)
	if err != nil {
		return err
	}
	if !t.has(path.Join(dir, "index.html")) {
		p.warn("there is no index.html in the folder that is served")
	}
	p.Static = dir
	return nil
}

// detectSite is the folder that is served when nothing names it: one with a page.
func detectSite(t *tree) string {
	if t.has("index.html") {
		return "."
	}
	for _, d := range siteDirs() {
		if t.has(path.Join(d, "index.html")) {
			return d
		}
	}
	return "."
}

// siteDir checks that dir is a folder of t and returns it clean.
func siteDir(t *tree, dir string) (string, error) {
	clean := path.Clean(strings.TrimSuffix(dir, "/"))
	if !fs.ValidPath(clean) || !t.dirs[clean] {
		file := t.first("Procfile", "Staticfile", "hop3.toml")
		return "", &ParseError{File: file, Line: t.lineOf(file, dir), Msg: fmt.Sprintf("static: no folder %q in the tree", clip(dir))}
	}
	return clean, nil
}
