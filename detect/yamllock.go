package detect

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// A yamlLines walks over the mappings of a lock file in YAML, as tools write it: a key a line, indented below the one that
// holds it. A parser of all of YAML takes a second for the larger ones. Items of lists and texts of many lines are passed over.
type yamlLines struct {
	file    string
	indents []int
	keys    []string // the path to the line's key, which is the last
	entry   func(keys []string, value string, line int) error
}

func (y *yamlLines) walk(data []byte) error {
	n, block := 0, -1 // block: the indent of the key whose text of many lines goes on
	for l := range bytes.Lines(bytes.TrimPrefix(data, bom)) {
		if n++; n > maxLockLines {
			return &ParseError{File: y.file, Line: n, Msg: fmt.Sprintf("more than %d lines: no lock file has as many", maxLockLines)}
		}
		line := bytes.TrimRight(l, " \r\n")
		text := bytes.TrimLeft(line, " ")
		indent := len(line) - len(text)
		switch {
		case len(text) == 0 || text[0] == '#' || block >= 0 && indent > block:
			continue
		case string(text) == "---":
			if len(y.keys) > 0 {
				return nil // another document
			}
			continue
		case text[0] == '-' && (len(text) == 1 || text[1] == ' '):
			block = -1
			continue
		}
		block = -1
		if text[0] == ':' && len(text) > 1 && text[1] == ' ' { // the value of a key of its own line
			rest := bytes.TrimLeft(text[1:], " ")
			indent, text = indent+len(text)-len(rest), rest
		}
		key, value, ok := yamlEntry(string(text))
		if !ok {
			if len(y.indents) > 0 && indent > y.indents[len(y.indents)-1] {
				continue // a text that goes on
			}
			return &ParseError{File: y.file, Line: n, Msg: "a line of this lock file is KEY: VALUE"}
		}
		if value != "" && (value[0] == '|' || value[0] == '>') {
			block = indent
		}
		if value != "" && strings.IndexByte("[{", value[0]) >= 0 && value[len(value)-1] != value[0]+2 { // ] and } follow two after
			return &ParseError{File: y.file, Line: n, Msg: "a bracket does not close in its line, as tools write it"}
		}
		if err := y.push(indent, key, value, n); err != nil {
			return err
		}
	}
	return nil
}

func (y *yamlLines) push(indent int, key, value string, line int) error {
	for len(y.indents) > 0 && y.indents[len(y.indents)-1] >= indent {
		y.indents, y.keys = y.indents[:len(y.indents)-1], y.keys[:len(y.keys)-1]
	}
	if len(y.keys) >= maxKeyDepth {
		return &ParseError{File: y.file, Line: line, Msg: fmt.Sprintf("keys lie more than %d deep in each other", maxKeyDepth)}
	}
	y.indents, y.keys = append(y.indents, indent), append(y.keys, key)
	return y.entry(y.keys, value, line)
}

// yamlEntry splits "key: value" and "? key".
func yamlEntry(text string) (key, value string, ok bool) {
	if long, is := strings.CutPrefix(text, "? "); is {
		return yamlText(long), "", true
	}
	if text[0] == '"' || text[0] == '\'' {
		end := yamlStringEnd(text)
		rest, is := strings.CutPrefix(text[end:], ":")
		return yamlText(text[:end]), strings.TrimSpace(rest), is && (rest == "" || rest[0] == ' ')
	}
	if i := strings.Index(text, ": "); i > 0 {
		return text[:i], strings.TrimSpace(text[i+2:]), true
	}
	key, ok = strings.CutSuffix(text, ":")
	return key, "", ok && key != ""
}

// yamlStringEnd returns the index after the string that text begins with.
func yamlStringEnd(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && text[0] == '"':
			i++
		case text[i] == text[0] && text[0] == '\'' && i+1 < len(text) && text[i+1] == '\'':
			i++
		case text[i] == text[0]:
			return i + 1
		}
	}
	return len(text)
}

// yamlText is what a scalar of one line says.
func yamlText(v string) string {
	if len(v) < 2 || v[0] != v[len(v)-1] {
		return v
	}
	switch v[0] {
	case '\'':
		return strings.ReplaceAll(v[1:len(v)-1], "''", "'")
	case '"':
		if s, err := strconv.Unquote(v); err == nil {
			return s
		}
		return v[1 : len(v)-1]
	}
	return v
}

// flowWords are the words of [a, b], or the one that v is.
func flowWords(v string) words {
	list, ok := strings.CutPrefix(v, "[")
	if !ok {
		if v == "" {
			return nil
		}
		return words{yamlText(v)}
	}
	var w words
	for s := range strings.SplitSeq(strings.TrimSuffix(list, "]"), ",") {
		if s = strings.TrimSpace(s); s != "" {
			w = append(w, yamlText(s))
		}
	}
	return w
}
