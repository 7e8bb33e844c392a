package detect

import (
	"bytes"
	"fmt"
	"strings"
)

type exKind int

const (
	exIdent  exKind = iota // hello, do, @version
	exAtom                 // :hello, :"a b"
	exKey                  // hello: in a keyword list
	exAlias                // Hello.MixProject
	exString               // a string, a charlist, a sigil of one
	exNumber
	exPunct // ( ) [ ] { } %{ , and operators
)

// An exToken is a token of Elixir source. A string that interpolates is dynamic: its text is only the source.
type exToken struct {
	kind    exKind
	text    string
	line    int
	dynamic bool
}

func (t exToken) is(text string) bool { return t.kind == exPunct && t.text == text }

// word reports whether t is a keyword of the language like do.
func (t exToken) word(text string) bool { return t.kind == exIdent && t.text == text }

const exMost = 40_000 // tokens of a file; a lock file with 500 packages has half as many

// exTokens splits Elixir source. The error is a [*ParseError] with the line where what does not end begins.
func exTokens(file string, src []byte) ([]exToken, error) {
	l := &exLexer{src: bytes.TrimPrefix(src, bom), line: 1}
	var list []exToken
	for {
		t, ok, err := l.next()
		if err != nil {
			return nil, &ParseError{File: file, Line: l.start, Msg: err.Error()}
		}
		if !ok {
			return list, nil
		}
		if len(list) == exMost {
			return nil, &ParseError{File: file, Line: l.start, Msg: "too long to be a manifest"}
		}
		list = append(list, t)
	}
}

type exLexer struct {
	src   []byte
	pos   int
	line  int
	start int // line of the token that is read
}

func (l *exLexer) at(s string) bool { return bytes.HasPrefix(l.src[l.pos:], []byte(s)) }

func (l *exLexer) advance(n int) string {
	end := min(l.pos+n, len(l.src))
	s := string(l.src[l.pos:end])
	l.line += strings.Count(s, "\n")
	l.pos = end
	return s
}

// run reads on as long as ok says so.
func (l *exLexer) run(ok func(byte) bool) string {
	n := 0
	for l.pos+n < len(l.src) && ok(l.src[l.pos+n]) {
		n++
	}
	return l.advance(n)
}

func exWordByte(c byte) bool { return wordByte(c) || c >= 0x80 }

func (l *exLexer) skip() {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == '#':
			l.run(func(c byte) bool { return c != '\n' })
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\\':
			l.advance(1)
		default:
			return
		}
	}
}

func (l *exLexer) next() (exToken, bool, error) {
	l.skip()
	l.start = l.line
	if l.pos >= len(l.src) {
		return exToken{}, false, nil
	}
	t, err := l.token()
	t.line = l.start
	return t, true, err
}

func (l *exLexer) token() (exToken, error) {
	c := l.src[l.pos]
	var second byte
	if l.pos+1 < len(l.src) {
		second = l.src[l.pos+1]
	}
	switch {
	case l.at("<<<<<<< ") || l.at(">>>>>>> "):
		return exToken{}, fmt.Errorf("merge marker: the conflict was not resolved")
	case c == '"' || c == '\'':
		return l.quoted()
	case c == '~' && (second >= 'a' && second <= 'z' || second >= 'A' && second <= 'Z'):
		return l.sigil()
	case c == '?' && l.pos+1 < len(l.src): // a character
		n := 2
		if second == '\\' {
			n = 3
		}
		return exToken{kind: exNumber, text: l.advance(n)}, nil
	case c == ':' && (second == '"' || second == '\''):
		l.advance(1)
		t, err := l.quoted()
		t.kind = exAtom
		return t, err
	case c == ':' && exWordByte(second):
		l.advance(1)
		return exToken{kind: exAtom, text: l.name("@")}, nil
	case c >= '0' && c <= '9':
		return exToken{kind: exNumber, text: l.run(wordByte)}, nil
	case c == '@' && exWordByte(second):
		return exToken{kind: exIdent, text: l.advance(1) + l.name("")}, nil
	case exWordByte(c):
		return l.word(), nil
	}
	for _, op := range []string{"%{", "<<", ">>", "++", "--", "<>", "|>", "->", "=>", "==", "!=", "<=", ">=", "&&", "||", "::", "..", "%"} {
		if l.at(op) {
			return exToken{kind: exPunct, text: l.advance(len(op))}, nil
		}
	}
	return exToken{kind: exPunct, text: l.advance(1)}, nil
}

// name reads an identifier with the ? or ! that it may end in.
func (l *exLexer) name(more string) string {
	s := l.run(func(c byte) bool { return exWordByte(c) || strings.IndexByte(more, c) >= 0 })
	if l.pos < len(l.src) && (l.src[l.pos] == '?' || l.src[l.pos] == '!') && !l.at("!=") {
		s += l.advance(1)
	}
	return s
}

// word reads an identifier, a module's name, or a key of a keyword list.
func (l *exLexer) word() exToken {
	first := l.src[l.pos]
	s := l.name("")
	if l.keyEnds() {
		l.advance(1)
		return exToken{kind: exKey, text: s}
	}
	if first < 'A' || first > 'Z' {
		return exToken{kind: exIdent, text: s}
	}
	for l.pos+1 < len(l.src) && l.src[l.pos] == '.' && l.src[l.pos+1] >= 'A' && l.src[l.pos+1] <= 'Z' {
		s += l.advance(1) + l.name("")
	}
	return exToken{kind: exAlias, text: s}
}

// keyEnds reports whether a colon follows that ends a key: a blank stands behind it.
func (l *exLexer) keyEnds() bool {
	if !l.at(":") || l.at("::") {
		return false
	}
	return l.pos+1 == len(l.src) || strings.IndexByte(" \t\r\n", l.src[l.pos+1]) >= 0
}

// quoted reads a string, a charlist or a heredoc of either.
func (l *exLexer) quoted() (exToken, error) {
	quote := string(l.src[l.pos])
	if l.at(strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	l.advance(len(quote))
	t, err := l.until(quote, true)
	if err == nil && l.keyEnds() {
		l.advance(1)
		t.kind = exKey
	}
	return t, err
}

// sigil reads ~r/…/, ~w(…), ~S"""…""" and their like.
func (l *exLexer) sigil() (exToken, error) {
	escapes := l.src[l.pos+1] >= 'a'
	l.advance(1)
	l.run(func(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' })
	if l.pos >= len(l.src) {
		return exToken{}, fmt.Errorf("a sigil that does not end")
	}
	end := string(l.src[l.pos])
	if end == `"` && l.at(`"""`) || end == "'" && l.at("'''") {
		end = strings.Repeat(end, 3)
	}
	l.advance(len(end))
	for open, closing := range map[string]string{"(": ")", "[": "]", "{": "}", "<": ">"} {
		if end == open {
			end = closing
			break
		}
	}
	t, err := l.until(end, escapes)
	l.run(func(c byte) bool { return c >= 'a' && c <= 'z' }) // modifiers
	return t, err
}

// until reads a string's text up to its end.
func (l *exLexer) until(end string, escapes bool) (exToken, error) {
	t := exToken{kind: exString}
	var b strings.Builder
	for l.pos < len(l.src) {
		switch {
		case l.at(end):
			l.advance(len(end))
			t.text = b.String()
			return t, nil
		case escapes && l.at(`\`):
			b.WriteString(strings.TrimPrefix(l.advance(2), `\`))
		case escapes && l.at("#{"):
			t.dynamic = true
			b.WriteString(l.interpolation())
		default:
			b.WriteString(l.advance(1))
		}
	}
	return t, fmt.Errorf("a string that does not end")
}

// interpolation skips #{…}, in which strings may hold braces.
func (l *exLexer) interpolation() string {
	start := l.pos
	l.advance(2)
	for depth := 1; depth > 0 && l.pos < len(l.src); {
		switch l.src[l.pos] {
		case '{':
			depth++
		case '}':
			depth--
		case '"':
			l.advance(1)
			l.run(func(c byte) bool { return c != '"' && c != '\n' })
		}
		l.advance(1)
	}
	return string(l.src[start:l.pos])
}
