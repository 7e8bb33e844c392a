package detect

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// SiteFacts are how a site generator is run.
type SiteFacts struct {
	Generator string // "hugo"
	Package   string // its attribute in nixpkgs
	Command   string
}

// A staticfile is what Staticfile says of a site (Cloud Foundry's format, and Railpack's index_fallback).
type staticfile struct {
	root     string
	fallback bool // missing pages are answered by the first page, which routes in the browser
	warnings []string
}

func readStaticfile(t *tree) (staticfile, error) {
	var s staticfile
	if !t.has("Staticfile") {
		return s, nil
	}
	b, err := t.read("Staticfile")
	if err != nil {
		return s, err
	}
	var doc yaml.Node
	if err := decodeYAML("Staticfile", b, &doc); err != nil {
		return s, err
	}
	if len(doc.Content) == 0 {
		return s, nil // an empty one only says that this is a static site
	}
	if doc.Content[0].Kind != yaml.MappingNode {
		return s, &ParseError{File: "Staticfile", Line: doc.Content[0].Line, Msg: "it is a list of keys and values: root: public"}
	}
	known := []string{"root", "index_fallback", "pushstate", "directory", "gzip", "host_dot_files", "force_https", "ssi", "http_strict_transport_security", "status_codes", "location_include", "pushstate_redirect"}
	for i := 0; i+1 < len(doc.Content[0].Content); i += 2 {
		key, value := doc.Content[0].Content[i], doc.Content[0].Content[i+1]
		on := slices.Contains([]string{"true", "enabled", "on", "yes", "visible"}, strings.ToLower(value.Value))
		switch {
		case key.Value == "root" && value.Kind == yaml.ScalarNode:
			s.root = value.Value
		case key.Value == "index_fallback" || key.Value == "pushstate":
			s.fallback = on
		case key.Value == "gzip" || key.Value == "force_https":
		case slices.Contains(known, key.Value):
			if on || value.Kind != yaml.ScalarNode {
				s.warnings = append(s.warnings, fmt.Sprintf("Staticfile:%d %s is not used", key.Line, key.Value))
			}
		default:
			s.warnings = append(s.warnings, fmt.Sprintf("Staticfile:%d %s is not known%s", key.Line, clip(key.Value), didYouMean(key.Value, known)))
		}
	}
	return s, nil
}

// A generator makes a site of its sources.
type generator struct {
	name, attr string
	files      []string // any of them, with one of beside where that is set
	beside     []string // folders
	command    string
	output     string
}

func generators() []generator {
	return []generator{
		{"Hugo", "hugo", []string{"hugo.toml", "hugo.yaml", "hugo.json"}, nil, "hugo --minify --destination public", "public"},
		{"Hugo", "hugo", []string{"config.toml"}, []string{"archetypes", "layouts"}, "hugo --minify --destination public", "public"}, // which only Hugo has
		{"Zola", "zola", []string{"config.toml"}, []string{"templates", "content"}, "zola build --output-dir public --force", "public"},
		{"Hugo", "hugo", []string{"config.toml", "config.yaml"}, []string{"archetypes", "layouts", "themes", "content"}, "hugo --minify --destination public", "public"},
		{"MkDocs", "mkdocs", []string{"mkdocs.yml", "mkdocs.yaml"}, nil, "mkdocs build --site-dir site", "site"},
		{"Jekyll", "jekyll", []string{"_config.yml"}, []string{"_posts", "_layouts", "_includes"}, "jekyll build --destination _site", "_site"},
		{"mdBook", "mdbook", []string{"book.toml"}, nil, "mdbook build --dest-dir book", "book"},
	}
}

// siteGenerator returns the generator whose sources t holds, and the file that says so. Sites whose generator is a package of
// another stack's manifest are that stack's.
func siteGenerator(t *tree) (generator, string) {
	if t.first("package.json", "Gemfile", "requirements.txt", "pyproject.toml", "Pipfile", "go.mod", "Cargo.toml") != "" {
		return generator{}, ""
	}
	for _, g := range generators() {
		f := t.first(g.files...)
		if f == "" {
			continue
		}
		if len(g.beside) == 0 || slices.ContainsFunc(g.beside, func(d string) bool { return t.dirs[d] }) {
			return g, f
		}
	}
	return generator{}, ""
}

// planSite plans a site that a generator makes. It reports whether there is one.
func planSite(t *tree, p *Plan, root string) bool {
	g, file := siteGenerator(t)
	if g.name == "" || root != "" && root != g.output || p.Static != "" && p.Static != g.output {
		return false
	}
	p.Tool = Tool{Name: strings.ToLower(g.name), From: file}
	p.Frameworks = append(p.Frameworks, strings.ToLower(g.name))
	p.Static = g.output
	p.Site = &SiteFacts{Generator: g.name, Package: g.attr, Command: g.command}
	return true
}
