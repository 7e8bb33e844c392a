package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const (
	treeShown  = 24 // names of the top of the tree in an error
	maxAppDirs = 3  // folders that are named as where the app may be
)

// manifests are the root files by which stacks are known, and those that hop3 itself reads.
func manifests() []string {
	return []string{
		"Procfile", "hop3.toml", "Staticfile", "index.html", "flake.nix", "start.sh",
		"composer.json", "index.php", "Gemfile", "config.ru", "mix.exs", "go.mod", "go.work", "main.go", "pom.xml", "build.gradle", "build.gradle.kts",
		"settings.gradle", "settings.gradle.kts", "build.sbt", "project.clj", "deps.edn", "build.clj", "Cargo.toml", "requirements.txt",
		"pyproject.toml", "Pipfile", "setup.py", "manage.py", "deno.json", "deno.jsonc", "package.json", "gleam.toml", "Package.swift",
		"pubspec.yaml", "shard.yml", "stack.yaml", "cabal.project", "package.yaml", "build.zig", "CMakeLists.txt", "meson.build", "cpanfile",
		"haunt.scm", "renv.lock", "DESCRIPTION", "default.nix", "shell.nix",
	}
}

// unknown explains why nothing claimed t.
func unknown(t *tree) *UnknownError {
	e := &UnknownError{Tree: t.top(treeShown), Supported: Stacks(), Hints: misspelt(t, manifests())}
	e.Hints = append(e.Hints, containerHints(t)...)
	for _, d := range []string{"__pycache__", ".venv", "venv"} {
		if t.dirs[d] {
			e.Hints = append(e.Hints, d+"/ says Python, but there is no requirements.txt")
			break
		}
	}
	if t.dirs["node_modules"] {
		e.Hints = append(e.Hints, "node_modules/ is committed, but package.json is not")
	}
	if t.dirs["vendor/bundle"] {
		e.Hints = append(e.Hints, "vendor/bundle/ says Ruby, but there is no Gemfile")
	}
	byHand := slices.DeleteFunc(manifests(), func(f string) bool { return path.Ext(f) == ".lock" }) // *.lock is in many a .gitignore
	e.Hints = append(e.Hints, gitignored(t, byHand)...)
	for _, dir := range appDirs(t) {
		e.Hints = append(e.Hints, fmt.Sprintf("the app seems to be in %s/: set root = %q under [build] in hop3.toml", dir, dir))
	}
	return e
}

// misspelt names the root files that look like one of known that is not there.
func misspelt(t *tree, known []string) []string {
	missing := slices.DeleteFunc(slices.Clone(known), t.has)
	var hints []string
	for _, f := range t.in(".") {
		if slices.Contains(known, f) {
			continue
		}
		plain := f
		for _, ext := range []string{".txt", ".md", ".bak", ".example", ".sample", ".yml", ".yaml"} {
			if cut, ok := strings.CutSuffix(f, ext); ok && slices.Contains(missing, cut) {
				plain = cut
			}
		}
		best := nearest(plain, missing)
		if best == "" || strings.HasPrefix(f, ".") != strings.HasPrefix(best, ".") || isSource(f) && path.Ext(f) != path.Ext(best) {
			continue // main.c is not a misspelt main.go
		}
		hints = append(hints, fmt.Sprintf("%s looks like a misspelt %s", f, best))
	}
	return hints
}

// pinFiles are read for versions and settings whatever the stack is; another spelling of them is passed over in silence.
func pinFiles() []string {
	return []string{
		"Procfile", "hop3.toml", ".slugignore", ".python-version", ".ruby-version", ".node-version", ".tool-versions", ".java-version", ".php-version",
		"runtime.txt", "rust-toolchain.toml", "global.json", "Staticfile",
	}
}

// dockerStart is the line of a Procfile that does what the Dockerfile does, nil if it cannot be told.
func dockerStart(t *tree) []string {
	f := t.first("Dockerfile", "Containerfile", "dockerfile")
	if f == "" {
		return nil
	}
	command := dockerCommand(string(t.source(f)))
	if command == "" {
		return nil
	}
	return []string{fmt.Sprintf("%s starts it by this command; if that fits, add this line to a Procfile: web: %s", f, clip(command))}
}

// containerHints says what becomes of the files of container tools.
func containerHints(t *tree) []string {
	var hints []string
	if f := t.first("Dockerfile", "Containerfile", "dockerfile"); f != "" {
		hint := "a Dockerfile is not used: hop3 builds with Nix; add a Procfile, or a flake.nix with packages.<system>.default"
		if command := dockerCommand(string(t.source(f))); command != "" {
			hint = fmt.Sprintf("a %s is not used: hop3 builds with Nix; what it starts would be this line of a Procfile: web: %s", f, clip(command))
		}
		hints = append(hints, hint)
	}
	if f := t.first("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"); f != "" {
		hints = append(hints, f+" is not used: push each of its services that is code as an app of its own")
	}
	if f := t.first(".devcontainer/devcontainer.json", ".devcontainer.json"); f != "" {
		hints = append(hints, f+" is not used: the tools it installs are named by a manifest of the language, or by packages under [build] in hop3.toml")
	}
	return hints
}

// dockerCommand is the command of the last CMD or ENTRYPOINT line that stands alone, as a shell would write it; "" if none does.
func dockerCommand(src string) string {
	var cmd, entry string
	for l := range strings.Lines(strings.ReplaceAll(src, "\\\n", " ")) { // the CMD of a HEALTHCHECK goes on its line
		word, rest, _ := strings.Cut(strings.TrimSpace(l), " ")
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			var words []string
			if decodeJSON("Dockerfile", []byte(rest), &words) != nil {
				continue
			}
			for i, w := range words {
				words[i] = shellWord(w)
			}
			rest = strings.Join(words, " ")
		}
		switch strings.ToUpper(word) {
		case "FROM":
			cmd, entry = "", ""
		case "CMD":
			cmd = rest
		case "ENTRYPOINT":
			entry = rest
		}
	}
	return strings.TrimSuffix(strings.TrimSpace(entry+" "+cmd), "\\")
}

// gitignored names those of files that are not there because .gitignore keeps them out of every commit. A .gitignore has a
// few kilobytes; a larger one explains nothing.
func gitignored(t *tree, files []string) []string {
	const most = 64 << 10
	if t.size(".gitignore") > most {
		return nil
	}
	patterns := gitignore(string(t.source(".gitignore")))
	var hints []string
	for _, f := range files {
		if t.has(f) || strings.Contains(f, "*") || len(patterns) == 0 {
			continue
		}
		line := 0
		for _, p := range patterns {
			if ok, err := path.Match(p.glob, f); err != nil || !ok {
				continue
			}
			line = p.line
			if p.not {
				line = 0
			}
		}
		if line > 0 {
			hints = append(hints, fmt.Sprintf(".gitignore:%d keeps %s out of what is pushed: remove that line and commit the file", line, f))
		}
	}
	return hints
}

type gitPattern struct {
	glob string
	not  bool
	line int
}

// gitignore reads the patterns that can mean one root file: not those for folders below, nor those that are all wildcard.
func gitignore(src string) []gitPattern {
	const most = 1000
	var list []gitPattern
	n := 0
	for l := range strings.Lines(src) {
		n++
		glob, not := strings.CutPrefix(strings.TrimSpace(l), "!")
		glob = strings.TrimPrefix(glob, "/")
		if glob == "" || glob[0] == '#' || strings.Contains(glob, "/") || len(glob) > 256 || strings.Trim(glob, "*") == "" || len(list) == most {
			continue
		}
		list = append(list, gitPattern{glob, not, n})
	}
	return list
}

// appDirs returns the folders that hold a manifest, the shallowest first.
func appDirs(t *tree) []string {
	var list []string
	for d := range t.dirs {
		if d == "." || strings.Count(d, "/") > 2 || hidden(d) {
			continue
		}
		project := func(f string) bool {
			return slices.Contains(manifests(), path.Base(f)) || slices.Contains([]string{".csproj", ".fsproj", ".sln", ".slnx", ".cabal", ".rockspec"}, path.Ext(f))
		}
		if slices.ContainsFunc(t.in(d), project) {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		if x, y := strings.Count(a, "/"), strings.Count(b, "/"); x != y {
			return x - y
		}
		return strings.Compare(a, b)
	})
	return list[:min(len(list), maxAppDirs)]
}

// hidden reports whether a folder of dir is one that tools made or that holds no app.
func hidden(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		if skipDir(part) || part[0] == '.' || part == "vendor" || part == "testdata" || part == "test" || part == "tests" || part == "docs" {
			return true
		}
	}
	return false
}

// onlyFolder returns the name of the single folder below dir ("" for the root), not counting those that tools make or hide;
// "" if there are none or several.
func onlyFolder(t *tree, dir string) string {
	only, prefix := "", ""
	if dir != "" {
		prefix = dir + "/"
	}
	for d := range t.dirs {
		name, below := strings.CutPrefix(d, prefix)
		if !below || d == "." || strings.Contains(name, "/") || skipDir(name) || name[0] == '.' {
			continue
		}
		if only != "" {
			return ""
		}
		only = name
	}
	return only
}

// didYouMean returns `; did you mean "x"?` or "".
func didYouMean(word string, known []string) string {
	if best := nearest(word, known); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

// Nearest returns the known word that is close enough to word to be meant, "" if none is.
func Nearest(word string, known []string) string { return nearest(word, known) }

// nearest returns the known word closest to word when it is close enough to be meant, else "".
func nearest(word string, known []string) string {
	best, dist := "", 3
	if len(word) > 64 {
		return ""
	}
	for _, k := range known {
		limit := min(dist, 1+len(k)/4)
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < dist && d <= limit {
			best, dist = k, d
		}
	}
	return best
}

// distance is the number of insertions, deletions and replacements between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
