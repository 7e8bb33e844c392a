package detect

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// jsonLine returns the line of the key at a path of JSON, with comments and bare keys as JSON5 has them; 0 if it is not there.
func jsonLine(text string, keys []string) int {
	var path []string // the key that each open bracket is at
	word, line, at := "", 1, 0
	for i := 0; i < len(text); {
		end := i + 1
		switch c := text[i]; {
		case c == '"' || c == '\'':
			end = stringEnd(text, i)
			word, at = strings.Trim(text[i:end], `"'`), line
		case c == '/' && i+1 < len(text) && (text[i+1] == '/' || text[i+1] == '*'):
			end = commentEnd(text, i)
		case c == '{' || c == '[':
			path = append(path, "")
		case c == '}' || c == ']':
			path = path[:max(len(path)-1, 0)]
		case c == ':' && len(path) > 0:
			path[len(path)-1] = word
			if len(path) == len(keys) && slices.Equal(path, keys) {
				return at
			}
		case bareKey(c):
			for end < len(text) && bareKey(text[end]) {
				end++
			}
			word, at = text[i:end], line
		}
		line += strings.Count(text[i:end], "\n")
		i = end
	}
	return 0
}

// bareKey reports whether a byte may stand in a key without quotes, in TOML and in JSON5.
func bareKey(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '$' || c >= 0x80
}

// keyLine returns the line of TOML that sets key, or the first that opens a table below it; 0 if it cannot be told.
func keyLine(text string, key []string) int {
	s := tomlScan{text: text, line: 1, want: key}
	for s.pos < len(text) && s.found == 0 {
		s.statement()
	}
	return s.found
}

// A tomlScan walks over keys and values of a text that a parser has taken, or that is broken: then it stops early.
type tomlScan struct {
	text        string
	pos, line   int
	table, want []string
	found       int
}

// next moves to a position and counts the lines on the way.
func (s *tomlScan) next(to int) {
	to = min(to, len(s.text))
	s.line += strings.Count(s.text[s.pos:to], "\n")
	s.pos = to
}

// restOfLine moves behind the line's end.
func (s *tomlScan) restOfLine() {
	if i := strings.IndexByte(s.text[s.pos:], '\n'); i >= 0 {
		s.next(s.pos + i + 1)
		return
	}
	s.next(len(s.text))
}

// statement reads a blank, a comment, a table's header, or a key with its value.
func (s *tomlScan) statement() {
	switch c := s.text[s.pos]; {
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		s.next(s.pos + 1)
	case c == '#':
		s.restOfLine()
	case c == '[':
		for s.pos < len(s.text) && s.text[s.pos] == '[' {
			s.next(s.pos + 1)
		}
		s.table = s.key()
		s.check(s.table)
		s.restOfLine()
	default:
		line := s.line
		if full := append(slices.Clone(s.table), s.key()...); s.pos < len(s.text) && s.text[s.pos] == '=' {
			if s.check(full); s.found > 0 {
				s.found = line
			}
			s.next(s.pos + 1)
			s.value(full)
		}
		s.restOfLine()
	}
}

// check notes the line when the key that is read is the wanted one, or lies below it.
func (s *tomlScan) check(full []string) {
	if s.found == 0 && len(full) >= len(s.want) && slices.Equal(full[:len(s.want)], s.want) {
		s.found = s.line
	}
}

// key reads a key of parts with dots, up to what is no part of one.
func (s *tomlScan) key() []string {
	var parts []string
	for s.pos < len(s.text) {
		end := s.pos + 1
		switch c := s.text[s.pos]; {
		case c == '"' || c == '\'':
			end = stringEnd(s.text, s.pos)
			parts = append(parts, strings.Trim(s.text[s.pos:end], `"'`))
		case bareKey(c):
			for end < len(s.text) && bareKey(s.text[end]) {
				end++
			}
			parts = append(parts, s.text[s.pos:end])
		case c != '.' && c != ' ' && c != '\t':
			return parts
		}
		s.next(end)
	}
	return parts
}

// value moves behind a value: to the end of its line, or of the brackets or the string that it opens. Keys of inline tables
// are looked at; full is the key that holds the value.
func (s *tomlScan) value(full []string) {
	depth, lists := 0, 0
	for s.pos < len(s.text) && s.found == 0 {
		switch c := s.text[s.pos]; {
		case c == '\n' && depth == 0:
			return
		case c == '#':
			if i := strings.IndexByte(s.text[s.pos:], '\n'); i >= 0 {
				s.next(s.pos + i)
			} else {
				s.next(len(s.text))
			}
			continue
		case c == '"' || c == '\'':
			s.next(tomlString(s.text, s.pos))
			continue
		case c == '[':
			depth, lists = depth+1, lists+1
		case c == ']':
			depth, lists = depth-1, lists-1
		case c == '}':
			depth--
		case c == '{' || c == ',' && depth == 1 && lists == 0:
			if c == '{' {
				depth++
			}
			s.next(s.pos + 1)
			if depth == 1 && lists == 0 { // deeper ones are not asked for
				s.check(append(slices.Clone(full), s.key()...))
			}
			continue
		}
		s.next(s.pos + 1)
	}
}

// tomlString returns the index after the string that begins at i, of one line or of many.
func tomlString(text string, i int) int {
	quotes := strings.Repeat(text[i:i+1], 3)
	if !strings.HasPrefix(text[i:], quotes) {
		return stringEnd(text, i)
	}
	for j := i + 3; j < len(text); j++ {
		switch {
		case text[j] == '\\' && text[i] == '"':
			j++
		case strings.HasPrefix(text[j:], quotes):
			return j + 3
		}
	}
	return len(text)
}

// yamlKeyLine returns the line of the key at a path of YAML, 0 if it is not there.
func yamlKeyLine(text []byte, keys []string) int {
	var doc yaml.Node
	if decodeYAML("", text, &doc) != nil {
		return 0
	}
	n, line := &doc, 0
	for _, k := range keys {
		i := slices.IndexFunc(pairs(n), func(p yamlPair) bool { return p.key == k })
		if i < 0 {
			return 0
		}
		line, n = pairs(n)[i].line, pairs(n)[i].value
	}
	return line
}

// fieldLine returns the first line whose first word is one of names, up to a blank, an = or a colon; 0 if none is. It is for
// files with one entry a line.
func fieldLine(text string, names ...string) int {
	n := 0
	for l := range strings.Lines(text) {
		n++
		l = strings.TrimLeft(l, " \t\ufeff")
		if i := strings.IndexAny(l, " \t=:\r\n"); i > 0 && slices.Contains(names, l[:i]) {
			return n
		}
	}
	return 0
}
