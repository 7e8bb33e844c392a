package detect

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// own are files that hop3 and git read and no app does: a change of them rebuilds nothing.
func own() []string {
	return []string{
		"flake.nix", "flake.lock", "Procfile", "hop3.toml", "app.json", "ENV", ".slugignore", ".git", ".gitignore", ".gitattributes",
		".gitmodules", ".github", ".gitlab-ci.yml", ".editorconfig", "Dockerfile", ".dockerignore", "docker-compose.yml",
	}
}

// isDoc reports whether a name at the root is documentation.
func isDoc(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch stem {
	case "README", "LICENSE", "LICENCE", "CHANGELOG", "CHANGES", "CONTRIBUTING", "AUTHORS", "NOTICE", "SECURITY", "CODE_OF_CONDUCT":
		return true
	}
	return name == "docs" || name == "doc"
}

// ignored returns the paths that the build must not depend on: hop3's own files, what .slugignore names, and documentation
// that no other file mentions. Of a static site what is served counts, and all of it.
func ignored(t *tree, p Plan) []string {
	list := append(slugIgnored(t, p.Manifest.Ignore), "flake.nix", "flake.lock") // which the build itself writes
	site, _, _ := strings.Cut(p.Static, "/")
	if m := p.Manifest.Build; p.Static == "." || len(p.Processes) > 0 || m.Before+m.Build+m.After != "" {
		site = "" // more than the folder that is served counts
	}
	var docs []string
	for _, name := range t.top(maxEntries) {
		name = strings.TrimSuffix(name, "/")
		switch {
		case slices.Contains(own(), name), skipDir(name), site != "" && name != site:
			list = append(list, name)
		case p.Stack != "static" && isDoc(name):
			docs = append(docs, name)
		}
	}
	for _, d := range docs {
		if !mentioned(t, d, docs) {
			list = append(list, d)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// mentioned reports whether a file outside the documentation holds the name as a word, or embeds by a pattern that matches.
func mentioned(t *tree, name string, docs []string) bool {
	word := regexp.MustCompile(`(^|[^A-Za-z0-9_])` + regexp.QuoteMeta(name) + `([^A-Za-z0-9_]|$)`)
	for _, f := range t.order {
		top, _, _ := strings.Cut(f, "/")
		if slices.Contains(docs, top) || slices.Contains(own(), top) || isLock(f) {
			continue
		}
		b := t.source(f)
		if word.Match(b) {
			return true
		}
		if path.Dir(f) == "." && strings.HasSuffix(f, ".go") && embeds(string(b), name) {
			return true
		}
	}
	return false
}

// isLock reports whether a file is a lock file: those name thousands of packages, "docs" among them, and read nothing.
func isLock(f string) bool {
	switch path.Base(f) {
	case "package-lock.json", "npm-shrinkwrap.json", "go.sum":
		return true
	}
	return false
}

// embeds reports whether a go:embed line of a root package takes name in by a pattern.
func embeds(source, name string) bool {
	for l := range strings.Lines(source) {
		args, ok := strings.CutPrefix(strings.TrimSpace(l), "//go:embed ")
		if !ok {
			continue
		}
		for _, pattern := range strings.Fields(args) {
			pattern = strings.TrimPrefix(strings.Trim(pattern, "\"`"), "all:")
			if ok, err := path.Match(pattern, name); pattern == "." || ok && err == nil {
				return true
			}
		}
	}
	return false
}

// slugIgnored returns the topmost paths of t that match a pattern of .slugignore. As at Heroku, patterns are shell globs
// relative to the root, a pattern without a slash matches in every folder, and ! is not known.
func slugIgnored(t *tree, patterns []string) []string {
	if len(patterns) == 0 {
		return nil
	}
	var list []string
	hit := map[string]bool{}
	names := slices.Clone(t.order)
	for d := range t.dirs {
		names = append(names, d)
	}
	slices.Sort(names)
	for _, n := range names {
		if n == "." || hit[path.Dir(n)] {
			hit[n] = n != "."
			continue
		}
		if matchesAny(patterns, n) {
			hit[n] = true
			list = append(list, n)
		}
	}
	return list
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		p = strings.TrimSuffix(p, "/")
		subject := name
		if rest, anchored := strings.CutPrefix(p, "/"); anchored {
			p = rest
		} else if !strings.Contains(p, "/") {
			subject = path.Base(name)
		}
		if ok, err := path.Match(p, subject); ok && err == nil {
			return true
		}
	}
	return false
}
