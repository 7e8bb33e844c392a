package detect

import (
	"path"
	"strings"

	"hop3/detect/internal/pypi"
)

// declaresSetup reports whether setup.cfg describes a project rather than the settings of tools.
func declaresSetup(t *tree) bool {
	ini := readINI(string(t.source("setup.cfg")))
	return ini["metadata"]["name"].text != "" || ini["options"]["install_requires"].text != ""
}

// readSetup installs what setup.cfg and setup.py ask for, as pip install . would.
func readSetup(t *tree, p *Plan, file string) error {
	list, err := setupRequirements(t, ".")
	if err != nil {
		return err
	}
	return p.resolveAtFirst(t, list, file)
}

// setupRequirements reads install_requires of the project in dir: of setup.cfg, else the literal list in setup.py. What
// setup.py computes is not known.
func setupRequirements(t *tree, dir string) ([]Requirement, error) {
	file := path.Join(dir, "setup.cfg")
	asked := readINI(string(t.source(file)))["options"]["install_requires"]
	var list []Requirement
	for i, text := range strings.Split(asked.text, "\n") {
		if text = strings.TrimSpace(text); text == "" || text[0] == '#' {
			continue
		}
		r, err := pypi.ParseRequirement(text)
		if err != nil {
			return nil, &ParseError{File: file, Line: asked.line + i, Msg: err.Error()}
		}
		list = append(list, requirementFrom(r, file, asked.line+i))
	}
	if len(list) > 0 {
		return list, nil
	}
	file = path.Join(dir, "setup.py")
	for _, l := range pyLines(string(t.source(file))) {
		for _, text := range l.keywordStrings("install_requires") {
			r, err := pypi.ParseRequirement(text)
			if err != nil {
				return nil, &ParseError{File: file, Line: l.line, Msg: err.Error()}
			}
			list = append(list, requirementFrom(r, file, l.line))
		}
	}
	return list, nil
}

// keywordStrings returns the strings of the list that follows NAME= in a line.
func (l pyLine) keywordStrings(name string) []string {
	var list []string
	for i := range l.tokens {
		if l.name(i) != name || !l.is(i+1, "=") || !l.is(i+2, "[") && !l.is(i+2, "(") {
			continue
		}
		for j, end := i+3, l.closing(i+2); j < end; j++ {
			if l.tokens[j].kind == 's' {
				list = append(list, l.tokens[j].text)
			}
		}
	}
	return list
}

// An iniValue is a value with the lines that continue it, and the line it begins on.
type iniValue struct {
	text string
	line int
}

// readINI reads the format of Python's configparser: sections, keys, indented continuations, # and ; comments.
func readINI(src string) map[string]map[string]iniValue {
	doc := map[string]map[string]iniValue{}
	section, key := "", ""
	n := 0
	for l := range strings.Lines(src) {
		n++
		text := strings.TrimSpace(l)
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
			if v, ok := doc[section][key]; ok { // it keeps the lines apart
				doc[section][key] = iniValue{v.text + "\n", v.line}
			}
		case text[0] == '[' && strings.HasSuffix(text, "]"):
			section, key = text[1:len(text)-1], ""
			if doc[section] == nil {
				doc[section] = map[string]iniValue{}
			}
		case (l[0] == ' ' || l[0] == '\t') && key != "":
			v := doc[section][key]
			doc[section][key] = iniValue{v.text + "\n" + text, v.line}
		case section != "":
			k, v, _ := strings.Cut(text, "=")
			key = strings.ToLower(strings.TrimSpace(k))
			doc[section][key] = iniValue{strings.TrimSpace(v), n}
		}
	}
	return doc
}
