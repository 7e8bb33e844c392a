package detect

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A place is where a source stands: a file of the app and its line.
type place struct {
	file string
	line int
}

// String returns " (package.json:12)", "" where no line is known.
func (at place) String() string {
	if at.line == 0 {
		return ""
	}
	return " (" + at.file + ":" + strconv.Itoa(at.line) + ")"
}

// findPlaces gives what the plan decides the line of its source. Parsers have noted the lines that they know; the others are
// those of keys.
func (p *Plan) findPlaces(t *tree) {
	line := func(name, from string) int { return p.placeOf(t, name, from).line }
	for i := range p.Runtimes {
		r := &p.Runtimes[i]
		r.Line = line(r.Name, r.From)
		for j := range r.Losers {
			r.Losers[j].Line = line(r.Name, r.Losers[j].From)
		}
	}
	for i := range p.Processes {
		if q := &p.Processes[i]; q.Line == 0 {
			q.Line = line(q.Name, q.From)
		}
	}
	p.releaseLine = cmp.Or(p.Manifest.releaseLine, line("", p.Manifest.releaseFrom))
}

// note keeps the line of a source, as the parser knows it.
func (p *Plan) note(from string, line int) {
	if p.lines == nil {
		p.lines = map[string]int{}
	}
	if p.lines[from] == 0 {
		p.lines[from] = line
	}
}

// at returns " (package.json:12)" for a source that does not name its line itself.
func at(from string, line int) string {
	if hasLine.MatchString(from) {
		return ""
	}
	return place{sourceFile(from), line}.String()
}

var hasLine = regexp.MustCompile(`:([0-9]+)\b`)

// sourceFile is the file that a source names first.
func sourceFile(from string) string {
	file, _, _ := strings.Cut(strings.SplitN(from, ", ", 2)[0], " ")
	if engineKey(file) {
		return "package.json"
	}
	return file
}

// engineKey reports whether a source is a key of package.json, named without the file.
func engineKey(word string) bool {
	return strings.HasPrefix(word, "engines.") || strings.HasPrefix(word, "devEngines.")
}

// placeOf finds the line of a source as plans name it: a file, the key in it, and perhaps a remark. A bare file stands for
// the key that a runtime's version has there. The line is 0 where the whole file is meant.
func (p *Plan) placeOf(t *tree, name, from string) place {
	if m := hasLine.FindStringSubmatch(from); m != nil {
		n, _ := strconv.Atoi(m[1]) // too many digits are no line
		return place{sourceFile(from), n}
	}
	file := sourceFile(from)
	if n := p.lines[from]; n > 0 {
		return place{file, n}
	}
	words := strings.Fields(strings.SplitN(from, ", ", 2)[0])
	if len(words) > 0 && !engineKey(words[0]) {
		words = words[1:]
	}
	if t.has("package.json5") && file == "package.json" && !t.has(file) {
		file = "package.json5"
	}
	for _, keys := range keysOf(file, name, words) {
		if n := lineIn(t, file, keys); n > 0 {
			return place{file, n}
		}
	}
	return place{file: file}
}

// keysOf are the paths of keys that a source may mean, first the one that wins.
func keysOf(file, name string, words []string) [][]string {
	var keys []string
	for _, w := range words {
		if k, task, ok := strings.Cut(w, "."); ok && (k == "scripts" || k == "tasks" || k == "targets") {
			keys = append(keys, k, task) // whose names may have dots
			continue
		}
		keys = append(keys, strings.Split(strings.Trim(w, "[]"), ".")...)
	}
	switch base := path.Base(file); {
	case slices.Contains(miseFiles(), file):
		return [][]string{{"tools", name}, {"tools", toolAlias(name)}}
	case base == ".tool-versions":
		return [][]string{{name}, {toolAlias(name)}}
	case base == "elixir_buildpack.config":
		return [][]string{{name + "_version"}}
	case base == "Cargo.toml" && len(keys) > 0:
		last := keys[max(slices.Index(keys, "edition"), slices.Index(keys, "rust-version"), 0)]
		return [][]string{{"package", last}, {"workspace", "package", last}}
	case base == "pyproject.toml" && slices.Equal(keys, []string{"requires-python"}):
		return [][]string{{"project", "requires-python"}}
	case base == "stack.yaml" && len(keys) > 0:
		return [][]string{keys[:1], {"snapshot"}}
	case base == "pnpm-lock.yaml":
		return [][]string{{"lockfileVersion"}}
	case base == "composer.json" && len(keys) > 0:
		return [][]string{append(keys, name)}
	case len(keys) > 0:
		return [][]string{keys}
	}
	if keys := versionKeys()[path.Base(file)]; keys != nil {
		return [][]string{keys}
	}
	return nil
}

// versionKeys are the keys under which files hold the version that they ask for.
func versionKeys() map[string][]string {
	return map[string][]string{
		"pubspec.yaml": {"environment", "sdk"}, "global.json": {"sdk", "version"}, "gleam.toml": {"gleam"}, "rust-toolchain.toml": {"toolchain", "channel"},
		"rust-toolchain": {"toolchain", "channel"}, "composer.json": {"require", "php"}, "renv.lock": {"R", "Version"}, "uv.lock": {"requires-python"},
		"pdm.lock": {"metadata", "requires_python"}, "poetry.lock": {"metadata", "python-versions"}, "pylock.toml": {"requires-python"},
		"system.properties": {"java.runtime.version"}, ".sdkmanrc": {"java"}, "build.properties": {"sbt.version"},
		"gradle-wrapper.properties": {"distributionUrl"}, "maven-wrapper.properties": {"distributionUrl"}, "DESCRIPTION": {"Depends"},
	}
}

// toolAlias is the other name that version managers have for a runtime.
func toolAlias(name string) string {
	return map[string]string{"node": "nodejs", "go": "golang", "dotnet": "dotnet-core", "r": "R"}[name]
}

// lineIn is the line of a key, by the syntax of the file: 0 for one that people do not write and that is large.
func lineIn(t *tree, file string, keys []string) int {
	text := t.source(file)
	switch base := path.Base(file); {
	case len(text) == 0:
		return 0
	case path.Ext(base) == ".toml", base == "Pipfile", base == "uv.lock", base == "poetry.lock", base == "pdm.lock", base == "rust-toolchain":
		return keyLine(string(text), keys)
	case path.Ext(base) == ".json", path.Ext(base) == ".jsonc", path.Ext(base) == ".json5", base == "renv.lock":
		return jsonLine(string(text), keys)
	case base == "pnpm-lock.yaml":
		return fieldLine(string(t.head(file)), keys...)
	case path.Ext(base) == ".yaml", path.Ext(base) == ".yml":
		return yamlKeyLine(text, keys)
	case base == "DESCRIPTION", base == "cabal.project", base == "elixir_buildpack.config", base == ".tool-versions", base == ".sdkmanrc", path.Ext(base) == ".properties":
		return fieldLine(string(text), keys...)
	}
	return 0
}
