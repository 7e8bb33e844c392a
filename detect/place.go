package detect

import (
	"fmt"
	"regexp"
	"strings"
)

// places finds the line of each source that the plan names, for Explain: "engines.node" is package.json:12.
func (p *Plan) findPlaces(t *tree) {
	p.places = map[string]string{}
	add := func(from string) { p.places[from] = place(t, from) }
	add(p.Tool.From)
	for _, r := range p.Runtimes {
		add(r.From)
		for _, l := range r.Losers {
			add(l.From)
		}
	}
	for _, pr := range p.Processes {
		add(pr.From)
		p.places[procPlace(pr)] = place(t, procPlace(pr))
	}
	add(p.Manifest.releaseFrom)
}

// procPlace is the source of a process with its name, where many stand in one file.
func procPlace(pr Process) string {
	if pr.From == "Procfile" {
		return "Procfile " + pr.Name
	}
	return pr.From
}

// at returns " (package.json:12)" for a source whose line is known, else "".
func (p Plan) at(from string) string {
	if at := p.places[from]; at != "" {
		return " (" + at + ")"
	}
	return ""
}

var hasLine = regexp.MustCompile(`:[0-9]+\b`)

// place returns FILE:LINE for a source as plans name it: a file, what in it, and perhaps a remark. It is "" when the line is
// already there, or is not known.
func place(t *tree, from string) string {
	from, _, _ = strings.Cut(from, ", ")
	words := strings.Fields(from)
	if len(words) == 0 || hasLine.MatchString(from) {
		return ""
	}
	file, rest := words[0], words[1:]
	if !t.has(file) {
		if !t.has("package.json") || !strings.Contains(file, ".") {
			return ""
		}
		file, rest = "package.json", words // engines.node, volta.node
	}
	if len(rest) == 0 {
		return ""
	}
	text := string(t.source(file))
	if line := keyOf(file, text, rest); line > 0 {
		return fmt.Sprintf("%s:%d", file, line)
	}
	return ""
}

// keyOf is the line of a key: in TOML below its table, in JSON below its parents, else at the beginning of a line.
func keyOf(file, text string, words []string) int {
	var keys []string
	for _, w := range words {
		keys = append(keys, strings.Split(strings.Trim(w, "[]"), ".")...)
	}
	if strings.HasSuffix(file, ".toml") {
		if line := keyLine(text, keys); line > 0 {
			return line
		}
	}
	n, depth := 0, 0
	for l := range strings.Lines(text) {
		n++
		l = strings.TrimSpace(l)
		key := keys[depth]
		if !strings.HasPrefix(l, key) && !strings.Contains(l, `"`+key+`"`) {
			continue
		}
		for depth < len(keys) && (strings.HasPrefix(l, keys[depth]) || strings.Contains(l, `"`+keys[depth]+`"`)) {
			depth++
		}
		if depth == len(keys) {
			return n
		}
	}
	return 0
}
