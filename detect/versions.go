package detect

import (
	"strings"

	"github.com/BurntSushi/toml"
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
		default:
			r.Losers = append(r.Losers, Loser{From: q.from, Version: q.version})
		}
	}
	if r.Version == "" {
		r.Version, r.From = fallback, "default"
	}
	return r
}

// polyglot returns what mise.toml and .tool-versions ask for under one of the names.
func polyglot(t *tree, names ...string) []request {
	var list []request
	for _, file := range []string{"mise.toml", ".mise.toml"} {
		var doc struct {
			Tools map[string]any `toml:"tools"`
		}
		if b := t.source(file); b == nil || toml.Unmarshal(b, &doc) != nil {
			continue
		}
		for _, n := range names {
			if v, ok := doc.Tools[n].(string); ok {
				list = append(list, request{v, file})
			}
		}
	}
	for l := range strings.Lines(string(t.source(".tool-versions"))) {
		f := strings.Fields(l)
		for _, n := range names {
			if len(f) >= 2 && f[0] == n {
				list = append(list, request{f[1], ".tool-versions"})
			}
		}
	}
	return list
}
