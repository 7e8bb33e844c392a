package detect

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// A cabalSection is a stanza of a .cabal or cabal.project file, or the file itself, whose kind is "". What stands under
// if and else belongs to the stanza around it.
type cabalSection struct {
	kind, name string // "executable", "web"; in lower case the kind only
	line       int
	fields     []cabalField
	sections   []*cabalSection
}

type cabalField struct {
	name  string   // in lower case
	lines []string // of the value, comments left out
	line  int
}

func (f cabalField) value() string { return strings.Join(f.lines, "\n") }

var (
	cabalFieldLine = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*)[ \t]*:(.*)$`)
	cabalStanza    = regexp.MustCompile(`^([A-Za-z][A-Za-z-]*)(?:[ \t]+(.*?))?[ \t]*$`)
)

// parseCabal reads the layout form of a package description: fields and stanzas by indentation. The error is a
// [*ParseError].
func parseCabal(file string, src []byte) (*cabalSection, error) {
	type open struct {
		section *cabalSection
		indent  int // of its header; -1 for the file
	}
	root := &cabalSection{}
	stack := []open{{root, -1}}
	fieldIndent := -1 // of the field that lines may continue, -1 for none
	n := 0
	for raw := range strings.Lines(strings.TrimPrefix(string(src), "\ufeff")) {
		n++
		text := strings.TrimSpace(raw)
		if text == "" || strings.HasPrefix(text, "--") {
			continue
		}
		indent := len(raw) - len(strings.TrimLeftFunc(raw, unicode.IsSpace))
		if fieldIndent >= 0 && indent > fieldIndent {
			s := stack[len(stack)-1].section
			f := &s.fields[len(s.fields)-1]
			f.lines = append(f.lines, text)
			continue
		}
		for indent <= stack[len(stack)-1].indent {
			stack = stack[:len(stack)-1]
		}
		s := stack[len(stack)-1].section
		fieldIndent = -1
		if strings.Trim(text, "{}") == "" {
			continue // braces around what the layout says too
		}
		if m := cabalFieldLine.FindStringSubmatch(text); m != nil {
			s.fields = append(s.fields, cabalField{strings.ToLower(m[1]), []string{strings.TrimSpace(m[2])}, n})
			fieldIndent = indent
			continue
		}
		m := cabalStanza.FindStringSubmatch(strings.TrimRight(text, "{ \t"))
		if m == nil {
			return nil, &ParseError{File: file, Line: n, Msg: fmt.Sprintf("%q is neither a field nor the head of a stanza", clip(text))}
		}
		sub := &cabalSection{kind: strings.ToLower(m[1]), name: m[2], line: n}
		if len(stack) >= maxDepth {
			return nil, &ParseError{File: file, Line: n, Msg: "stanzas are nested too deep"}
		}
		s.sections = append(s.sections, sub)
		stack = append(stack, open{sub, indent})
	}
	return root, nil
}

// all returns the values of a field in s and under its conditions.
func (s *cabalSection) all(name string) []cabalField {
	var list []cabalField
	for _, f := range s.fields {
		if f.name == name {
			list = append(list, f)
		}
	}
	for _, sub := range s.sections {
		switch sub.kind {
		case "if", "elif", "else":
			list = append(list, sub.all(name)...)
		}
	}
	return list
}

// value returns the first value of a field, "" if there is none.
func (s *cabalSection) value(name string) string {
	if f := s.all(name); len(f) > 0 {
		return f[0].value()
	}
	return ""
}

// A HaskellDepend is a package that is depended on, with its version range as it is written: ">=4.7 && <5".
type HaskellDepend struct{ Name, Spec, From string }

var dependName = regexp.MustCompile(`^[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*`)

// parseDepends reads the list of a build-depends field. From is file:line of the field.
func parseDepends(value, from string) []HaskellDepend {
	var list []HaskellDepend
	depth, start := 0, 0
	add := func(item string) {
		item = strings.TrimSpace(item)
		name := dependName.FindString(item)
		if name == "" {
			return
		}
		rest := strings.TrimSpace(item[len(name):])
		if strings.HasPrefix(rest, ":") { // pkg:lib or pkg:{a, b}
			if _, after, ok := strings.Cut(rest, "}"); ok && strings.HasPrefix(rest, ":{") {
				rest = after
			} else {
				rest = strings.TrimLeft(rest[1:], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
			}
		}
		list = append(list, HaskellDepend{name, strings.Join(strings.Fields(rest), " "), from})
	}
	for i, c := range value {
		switch {
		case c == '{' || c == '(':
			depth++
		case c == '}' || c == ')':
			depth--
		case c == ',' && depth <= 0:
			add(value[start:i])
			start = i + 1
		}
	}
	add(value[start:])
	return list
}
