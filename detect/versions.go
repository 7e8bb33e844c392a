package detect

import (
	"slices"
	"strconv"
	"strings"
)

// A request is a version that a file asks for.
type request struct{ version, from string }

// runtime chooses among the requests by the one precedence that all stacks share; the first non-empty one wins, the others
// are its losers: hop3.toml, the tool's own pin file, a polyglot pin (mise.toml, .tool-versions), the manifest's constraint,
// legacy files, the default.
func runtime(name string, requests []request, fallback string) Runtime {
	r := Runtime{Name: name, Losers: []Loser{}}
	for _, q := range requests {
		switch {
		case q.version == "":
		case r.Version == "":
			r.Version, r.From = q.version, q.from
		case q.version == r.Version && q.from == r.From || slices.Contains(r.Losers, Loser{From: q.from, Version: q.version}): // lines come later
		default:
			r.Losers = append(r.Losers, Loser{From: q.from, Version: q.version})
		}
	}
	if r.Version == "" {
		r.Version, r.From = fallback, "default"
	}
	return r
}

// asked is the version that hop3.toml names for a runtime: the first of its requests.
func (p *Plan) asked(name string) request {
	from := "hop3.toml [build] " + name + "-version"
	p.note(from, p.Manifest.Build.versionLines[name])
	return request{p.Manifest.Build.Versions[name], from}
}

// pinned is the version that a one-line pin file of a tool asks for (.ruby-version, .java-version), without the prefixes
// that such files may carry.
func pinned(t *tree, file string, prefixes ...string) request {
	v := t.line(file)
	for _, p := range prefixes {
		v = strings.TrimPrefix(v, p)
	}
	if f := strings.Fields(v); len(f) > 0 {
		v = f[0] // what follows is a comment
	}
	return request{v, file}
}

// miseFiles are the names under which mise reads its settings, first the one that wins.
func miseFiles() []string {
	return []string{"mise.toml", ".mise.toml", "mise/config.toml", ".mise/config.toml", ".config/mise.toml", ".config/mise/config.toml"}
}

// polyglot returns what mise's settings and .tool-versions ask for under one of the names, first the one that wins. Of
// several versions the first counts, as for these tools; "system" and "latest" ask for none in particular.
func polyglot(t *tree, names ...string) []request {
	var list []request
	add := func(version, file string) {
		version = strings.TrimPrefix(strings.TrimPrefix(version, "prefix:"), "v")
		if version != "" && version != "system" && version != "latest" && !strings.Contains(version, ":") {
			list = append(list, request{version, file})
		}
	}
	for _, file := range miseFiles() {
		var doc struct {
			Tools map[string]any `toml:"tools"`
		}
		if b := t.source(file); b == nil || decodeTOML(file, b, &doc) != nil {
			continue
		}
		for _, n := range names {
			add(miseVersion(doc.Tools[n]), file)
		}
	}
	for l := range strings.Lines(string(t.source(".tool-versions"))) {
		l, _, _ = strings.Cut(l, "#")
		f := strings.Fields(l)
		for _, n := range names {
			if len(f) >= 2 && f[0] == n {
				add(f[1], ".tool-versions")
			}
		}
	}
	return list
}

// miseVersion reads node = "22", node = ["22", "20"] and node = {version = "22"}.
func miseVersion(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		if len(v) > 0 {
			if _, list := v[0].([]any); !list {
				return miseVersion(v[0])
			}
		}
	case map[string]any:
		if s, ok := v["version"].(string); ok {
			return s
		}
	}
	return ""
}
