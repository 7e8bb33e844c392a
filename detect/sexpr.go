package detect

import (
	"fmt"
	"strings"
)

// A sexpr is a datum of Lisp source: an atom, a string, or a list. Quotes and the like are dropped: what is read is
// declarations, which hold none.
type sexpr struct {
	line   int
	text   string // of an atom or a string, without quotes
	quoted bool   // a string
	list   []sexpr
	isList bool
}

// head is the first atom of a list, "" if there is none.
func (s sexpr) head() string {
	if s.isList && len(s.list) > 0 && !s.list[0].isList {
		return s.list[0].text
	}
	return ""
}

// String writes names of modules as they are written in source: "(web server)".
func (s sexpr) String() string {
	if !s.isList {
		return s.text
	}
	var parts []string
	for _, e := range s.list {
		parts = append(parts, e.String())
	}
	return "(" + strings.Join(parts, " ") + ")"
}

// find returns the lists below s, and s itself, whose head is name.
func (s sexpr) find(name string) []sexpr {
	var found []sexpr
	if s.head() == name {
		found = append(found, s)
	}
	for _, e := range s.list {
		found = append(found, e.find(name)...)
	}
	return found
}

const sexprDepth = 500 // nested lists; programs have some dozens

// readSexprs reads all data of a Scheme source. The error is a [*ParseError] with the line.
func readSexprs(file string, src []byte) ([]sexpr, error) {
	r := &sexprReader{src: src, line: 1}
	if strings.HasPrefix(string(src), "#!") { // a script's first lines, up to !# or the end of the line
		r.shebang()
	}
	var all []sexpr
	for {
		r.space()
		if r.pos >= len(r.src) {
			return all, nil
		}
		e, err := r.datum(0)
		if err != nil {
			return nil, &ParseError{File: file, Line: r.line, Msg: err.Error()}
		}
		all = append(all, e)
	}
}

type sexprReader struct {
	src  []byte
	pos  int
	line int
}

func (r *sexprReader) next() byte {
	c := r.src[r.pos]
	r.pos++
	if c == '\n' {
		r.line++
	}
	return c
}

func (r *sexprReader) peek(s string) bool {
	return strings.HasPrefix(string(r.src[r.pos:min(r.pos+len(s), len(r.src))]), s)
}

func (r *sexprReader) shebang() {
	rest := string(r.src)
	end := strings.Index(rest, "\n!#")
	if end < 0 {
		end = strings.IndexByte(rest, '\n')
	} else {
		end += len("\n!#")
	}
	if end < 0 {
		end = len(rest)
	}
	for r.pos < end {
		r.next()
	}
}

// space skips blanks and comments; #; drops only itself, so that the datum behind it is read as if it were there.
func (r *sexprReader) space() {
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; {
		case c == ';':
			for r.pos < len(r.src) && r.src[r.pos] != '\n' {
				r.pos++
			}
		case r.peek("#|"):
			r.block()
		case r.peek("#;"):
			r.pos += 2
		case strings.IndexByte(" \t\r\n\f'`,@", c) >= 0:
			r.next()
		default:
			return
		}
	}
}

func (r *sexprReader) block() {
	depth := 0
	for r.pos < len(r.src) {
		switch {
		case r.peek("#|"):
			depth++
			r.pos += 2
		case r.peek("|#"):
			depth--
			r.pos += 2
			if depth == 0 {
				return
			}
		default:
			r.next()
		}
	}
}

func (r *sexprReader) datum(depth int) (sexpr, error) {
	e := sexpr{line: r.line}
	switch c := r.src[r.pos]; {
	case c == '(' || c == '[':
		return r.items(depth)
	case c == ')' || c == ']':
		return e, fmt.Errorf("a %c that opens nowhere", c)
	case c == '"':
		text, err := r.text()
		e.text, e.quoted = text, true
		return e, err
	case r.peek(`#\`): // a character, which may be a parenthesis
		r.pos += 2
		if r.pos < len(r.src) {
			r.next()
		}
		e.text = `#\` + r.word()
	default:
		if e.text = r.word(); e.text == "" {
			r.next()
		}
	}
	return e, nil
}

func (r *sexprReader) word() string {
	start := r.pos
	for r.pos < len(r.src) && strings.IndexByte(" \t\r\n\f()[]\";'`,", r.src[r.pos]) < 0 {
		r.pos++
	}
	return string(r.src[start:r.pos])
}

func (r *sexprReader) items(depth int) (sexpr, error) {
	e := sexpr{line: r.line, isList: true}
	if depth > sexprDepth {
		return e, fmt.Errorf("nested deeper than %d", sexprDepth)
	}
	open := r.line
	r.pos++
	for {
		r.space()
		if r.pos >= len(r.src) {
			r.line = open
			return e, fmt.Errorf("a list that does not end")
		}
		if c := r.src[r.pos]; c == ')' || c == ']' {
			r.pos++
			return e, nil
		}
		sub, err := r.datum(depth + 1)
		if err != nil {
			return e, err
		}
		e.list = append(e.list, sub)
	}
}

func (r *sexprReader) text() (string, error) {
	open := r.line
	r.pos++
	var b strings.Builder
	for r.pos < len(r.src) {
		switch c := r.next(); {
		case c == '"':
			return b.String(), nil
		case c == '\\' && r.pos < len(r.src):
			b.WriteByte(r.next())
		default:
			b.WriteByte(c)
		}
	}
	r.line = open
	return "", fmt.Errorf("a string that does not end")
}
