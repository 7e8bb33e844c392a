package detect

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// own are files that hop3, git and other tools read and hardly any app does: a change of them rebuilds nothing unless the
// app names them.
func own() []string {
	return []string{
		"Procfile", "hop3.toml", "app.json", "ENV", ".slugignore", ".gitignore", ".gitattributes", ".gitmodules", ".github",
		".gitlab-ci.yml", ".editorconfig", "Dockerfile", ".dockerignore", "docker-compose.yml",
	}
}

// toolOutput reports whether a folder at the root is what version control or the tools of p's stack left there.
func toolOutput(name string, p Plan) bool {
	switch name {
	case ".git", ".hg", ".svn":
		return true
	case "node_modules", ".next":
		return p.Node != nil && (p.Node.Lock != "" || p.Node.Resolve) // without a lock the pushed folder is all there is
	case "__pycache__", ".venv", "venv", ".tox":
		return p.Stack == "python"
	}
	return false
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

// ignored returns the paths that the build must not depend on: what .slugignore names, what tools made, and hop3's own files
// and documentation that no other file mentions. Of a static site what is served counts, and all of it.
func ignored(t *tree, p Plan) []string {
	list := append(slugIgnored(t, p.Manifest.Ignore), "flake.nix", "flake.lock") // which the build itself writes
	list = append(list, p.secret...)
	site, _, _ := strings.Cut(p.Static, "/")
	if m := p.Manifest.Build; p.Stack != "static" || p.Static == "." || len(p.Processes) > 0 || m.Before+m.Build+m.After != "" || p.Site != nil {
		site = "" // more than the folder that is served counts
	}
	var docs []string
	for _, name := range t.top(maxEntries) {
		name = strings.TrimSuffix(name, "/")
		switch {
		case toolOutput(name, p), site != "" && name != site:
			list = append(list, name)
		case slices.Contains(own(), name), p.Stack != "static" && isDoc(name):
			docs = append(docs, name)
		}
	}
	list = append(list, unmentioned(t, p, docs)...)
	slices.Sort(list)
	return slices.Compact(list)
}

const (
	mentionBudget = 32 << 20 // bytes that are read to find out who mentions a document
	mentionFiles  = 2_000    // files that are read for it: each costs a question to git
)

// unmentioned returns those of docs that neither a command nor a file outside docs names as a word or embeds by a pattern.
// It reads each file once. When the tree has more text than mentionBudget or more
// files than mentionFiles, or was not listed to its end, nothing is known and it returns none.
func unmentioned(t *tree, p Plan, docs []string) []string {
	if t.truncated {
		return nil
	}
	left := slices.Clone(docs)
	drop := func(text []byte) {
		left = slices.DeleteFunc(left, func(name string) bool { return holdsWord(text, name) })
	}
	m := p.Manifest
	drop([]byte(strings.Join([]string{m.Build.Before, m.Build.Build, m.Build.After, p.Release, m.Postdeploy}, "\n")))
	for _, pr := range p.Processes {
		drop([]byte(pr.Command))
	}
	var readers []string
	for _, f := range t.order {
		top, _, _ := strings.Cut(f, "/")
		if !slices.Contains(docs, top) && !isLock(f) && !isMedia(f) {
			readers = append(readers, f)
		}
	}
	if len(readers) > mentionFiles {
		return nil
	}
	budget := mentionBudget
	for _, f := range readers {
		if len(left) == 0 {
			break
		}
		text, ok := t.text(f, budget)
		if !ok {
			return nil
		}
		budget -= len(text)
		drop(text)
		if path.Dir(f) == "." && strings.HasSuffix(f, ".go") {
			left = slices.DeleteFunc(left, func(name string) bool { return embeds(string(text), name) })
		}
	}
	return left
}

// holdsWord reports whether text holds word with no letter, digit or _ on either side.
func holdsWord(text []byte, word string) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(word))
		if i < 0 {
			return false
		}
		i += from
		end := i + len(word)
		if (i == 0 || !wordByte(text[i-1])) && (end == len(text) || !wordByte(text[end])) {
			return true
		}
		from = i + 1
	}
}

func wordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// isLock reports whether a file is a lock file: those name thousands of packages, "docs" among them, and read nothing.
func isLock(f string) bool {
	switch path.Base(f) {
	case "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "deno.lock", "go.sum", "Gemfile.lock", "gems.locked", "composer.lock", "cpanfile.snapshot":
		return true
	}
	return false
}

// isMedia reports whether a file cannot name another: pictures, fonts, sound.
func isMedia(f string) bool {
	switch strings.ToLower(path.Ext(f)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".woff", ".woff2", ".ttf", ".otf", ".eot", ".mp3", ".mp4", ".webm", ".pdf", ".zip", ".gz":
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

// slugHides refuses a .slugignore that takes away what the stack was known by: the build would not find it.
func slugHides(t *tree, p *Plan) error {
	if len(p.Manifest.Ignore) == 0 {
		return nil
	}
	for _, e := range p.Winner.Evidence {
		if e.Weight < weightEntry || !t.has(e.File) {
			continue
		}
		for dir := e.File; dir != "."; dir = path.Dir(dir) {
			i := slices.IndexFunc(p.Manifest.Ignore, func(pattern string) bool { return matchesAny([]string{pattern}, dir) })
			if i >= 0 {
				return &ParseError{File: ".slugignore", Line: t.lineOf(".slugignore", p.Manifest.Ignore[i]),
					Msg: fmt.Sprintf("%s takes away %s, which the build needs", clip(p.Manifest.Ignore[i]), e.File)}
			}
		}
	}
	return nil
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
