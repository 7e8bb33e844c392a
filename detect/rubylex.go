package detect

import (
	"fmt"
	"strings"
)

// A rbKind is what a token of Ruby source is, as far as a Gemfile needs it.
type rbKind int

const (
	rbWord    rbKind = iota // identifier, constant or keyword
	rbString                // 'x', "x", %q(x), a heredoc
	rbSymbol                // :x, :"x"
	rbLabel                 // x: or "x":
	rbWords                 // %w[a b], %i[a b]: text is blank-separated
	rbNumber                // 1, 2.5
	rbOp                    // everything else, one or more characters
	rbNewline               // the end of a line, or ;
)

// A rbToken is one token. It is dynamic when only Ruby can tell its value: "#{x}".
type rbToken struct {
	kind    rbKind
	text    string
	line    int
	dynamic bool
}

// is reports whether the token is the word or the operator text.
func (k rbToken) is(text string) bool { return (k.kind == rbWord || k.kind == rbOp) && k.text == text }

// literal reports whether the token stands for the text that it holds.
func (k rbToken) literal() bool { return (k.kind == rbString || k.kind == rbSymbol) && !k.dynamic }

// A rbLexer splits Ruby source into tokens. It does not know regular expressions: a / is an operator.
type rbLexer struct {
	file    string
	src     string
	pos     int
	line    int
	tokens  []rbToken
	heredoc []rbHeredoc // begun in this line
}

type rbHeredoc struct {
	end   string
	token int // index of its token
}

// lexRuby returns the tokens of a file. The error is a [*ParseError]: a string, or a heredoc, that does not end.
func lexRuby(file string, src []byte) ([]rbToken, error) {
	l := &rbLexer{file: file, src: strings.TrimPrefix(string(src), string(bom)), line: 1}
	for l.pos < len(l.src) {
		if err := l.next(); err != nil {
			return nil, err
		}
		if len(l.tokens) > maxTokens {
			return nil, l.fail(l.line, "more words and signs than are read of one file")
		}
	}
	if len(l.heredoc) > 0 {
		return nil, l.fail(l.line, "heredoc "+l.heredoc[0].end+" does not end")
	}
	return l.tokens, nil
}

func (l *rbLexer) fail(line int, msg string) error {
	return &ParseError{File: l.file, Line: line, Msg: clip(msg)}
}

func (l *rbLexer) add(kind rbKind, text string) {
	l.tokens = append(l.tokens, rbToken{kind: kind, text: text, line: l.line})
}

// at returns the byte n places on, 0 past the end.
func (l *rbLexer) at(n int) byte {
	if l.pos+n < len(l.src) {
		return l.src[l.pos+n]
	}
	return 0
}

func (l *rbLexer) next() error {
	c := l.at(0)
	switch {
	case c == '\n':
		l.pos++
		l.add(rbNewline, "")
		l.line++
		return l.lineStart()
	case c == ';':
		l.pos++
		l.add(rbNewline, "")
	case c == '\\' && (l.at(1) == '\n' || l.at(1) == '\r'):
		l.pos += 1 + strings.IndexByte(l.src[l.pos+1:], '\n') + 1
		l.line++
	case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
		l.pos++
	case c == '#':
		l.skipLine()
	case c == '"' || c == '\'' || c == '`':
		l.pos++
		return l.quoted(rbString, 0, c, c == '\'')
	case c == '%' && l.percent():
		return l.percentLiteral()
	case c == ':' && (l.at(1) == '"' || l.at(1) == '\''):
		q := l.at(1)
		l.pos += 2
		return l.quoted(rbSymbol, 0, q, q == '\'')
	case c == ':' && wordByte(l.at(1)) && !(l.pos > 0 && l.src[l.pos-1] == ':'):
		l.pos++
		l.add(rbSymbol, l.word())
	case c == '<' && l.beginHeredoc():
	case '0' <= c && c <= '9':
		l.number()
	case wordByte(c) || c >= 0x80 || c == '@' || c == '$':
		l.identifier()
	default:
		l.operator()
	}
	return nil
}

// lineStart skips what only the start of a line can begin: heredoc bodies, =begin comments, __END__.
func (l *rbLexer) lineStart() error {
	for _, h := range l.heredoc {
		if err := l.heredocBody(h); err != nil {
			return err
		}
	}
	l.heredoc = nil
	rest := l.src[l.pos:]
	if strings.HasPrefix(rest, "=begin") {
		for l.pos < len(l.src) && !strings.HasPrefix(l.src[l.pos:], "=end") {
			l.skipLine()
			if l.pos < len(l.src) {
				l.pos++
				l.line++
			}
		}
		l.skipLine()
	}
	if line, _, _ := strings.Cut(rest, "\n"); strings.TrimRight(line, "\r") == "__END__" {
		l.pos = len(l.src)
	}
	return nil
}

func (l *rbLexer) skipLine() {
	if i := strings.IndexByte(l.src[l.pos:], '\n'); i >= 0 {
		l.pos += i
	} else {
		l.pos = len(l.src)
	}
}

// word reads letters, digits and a final ? or !.
func (l *rbLexer) word() string {
	start := l.pos
	for l.pos < len(l.src) && (wordByte(l.src[l.pos]) || l.src[l.pos] >= 0x80) {
		l.pos++
	}
	if c := l.at(0); (c == '?' || c == '!') && l.at(1) != '=' {
		l.pos++
	}
	return l.src[start:l.pos]
}

func (l *rbLexer) identifier() {
	start := l.pos
	for c := l.at(0); c == '@' || c == '$'; c = l.at(0) {
		l.pos++
	}
	l.word()
	text := l.src[start:l.pos]
	if l.at(0) == ':' && l.at(1) != ':' {
		l.pos++
		l.add(rbLabel, text)
		return
	}
	l.add(rbWord, text)
}

func (l *rbLexer) number() {
	start := l.pos
	for c := l.at(0); wordByte(c) || c == '.' && '0' <= l.at(1) && l.at(1) <= '9'; c = l.at(0) {
		l.pos++
	}
	l.add(rbNumber, l.src[start:l.pos])
}

func (l *rbLexer) operator() {
	for _, op := range []string{"&.", "=>", "::", "||", "&&", "==", "!=", "<=", ">=", "->"} {
		if strings.HasPrefix(l.src[l.pos:], op) {
			l.pos += len(op)
			l.add(rbOp, op)
			return
		}
	}
	l.add(rbOp, l.src[l.pos:l.pos+1])
	l.pos++
}

// quoted reads to the closing byte; open is 0 where brackets do not nest. raw is single-quoted.
func (l *rbLexer) quoted(kind rbKind, open, closing byte, raw bool) error {
	start, depth, dynamic := l.line, 0, closing == '`'
	var b strings.Builder
	for ; l.pos < len(l.src); l.pos++ {
		c := l.src[l.pos]
		switch {
		case c == '\\' && l.pos+1 < len(l.src):
			l.pos++
			c = l.src[l.pos]
			if raw && c != closing && c != '\\' {
				b.WriteByte('\\')
			}
		case c == closing && depth == 0:
			l.pos++
			if kind == rbString && l.at(0) == ':' && l.at(1) != ':' {
				l.pos++
				kind = rbLabel
			}
			l.tokens = append(l.tokens, rbToken{kind, b.String(), start, dynamic})
			return nil
		case open != 0 && c == open:
			depth++
		case c == closing:
			depth--
		case c == '#' && !raw && l.at(1) == '{':
			dynamic = true
			l.pos += l.interpolation()
			continue
		}
		if c == '\n' {
			l.line++
		}
		b.WriteByte(c)
	}
	return l.fail(start, fmt.Sprintf("a string does not end: no closing %c", closing))
}

// interpolation returns how many bytes follow the # of #{…} up to its closing brace, and counts their lines.
func (l *rbLexer) interpolation() int {
	depth := 0
	for i, c := range []byte(l.src[l.pos:]) {
		switch c {
		case '\n':
			l.line++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(l.src) - l.pos - 1
}

// percent reports whether the % begins a literal, not a modulo.
func (l *rbLexer) percent() bool {
	i := 1
	if strings.IndexByte("wWiIqQ", l.at(1)) >= 0 && l.at(1) != 0 {
		i = 2
	}
	c := l.at(i)
	return c != 0 && strings.IndexByte("[({<|!/", c) >= 0
}

func (l *rbLexer) percentLiteral() error {
	kind, raw := rbString, false
	switch l.at(1) {
	case 'w', 'i', 'W', 'I':
		kind, raw = rbWords, l.at(1) >= 'a'
		l.pos++
	case 'q', 'Q':
		raw = l.at(1) == 'q'
		l.pos++
	}
	open := l.at(1)
	l.pos += 2
	if i := strings.IndexByte("[({<", open); i >= 0 {
		return l.quoted(kind, open, "])}>"[i], raw)
	}
	return l.quoted(kind, 0, open, raw)
}

// beginHeredoc reads <<~NAME, <<-NAME or <<NAME; the body follows the line.
func (l *rbLexer) beginHeredoc() bool {
	rest, ok := strings.CutPrefix(l.src[l.pos:], "<<")
	if !ok {
		return false
	}
	name := strings.TrimLeft(rest, "~-")
	quote := ""
	if name != "" && (name[0] == '"' || name[0] == '\'') {
		quote, name = name[:1], name[1:]
	}
	end := 0
	for end < len(name) && wordByte(name[end]) {
		end++
	}
	if end == 0 || !('A' <= name[0] && name[0] <= 'Z') || !strings.HasPrefix(name[end:], quote) {
		return false
	}
	l.heredoc = append(l.heredoc, rbHeredoc{name[:end], len(l.tokens)})
	l.add(rbString, "")
	l.pos = len(l.src) - len(name) + end + len(quote)
	return true
}

func (l *rbLexer) heredocBody(h rbHeredoc) error {
	start := l.pos
	for l.pos < len(l.src) {
		from := l.pos
		l.skipLine()
		line := l.src[from:l.pos]
		if l.pos < len(l.src) {
			l.pos++
			l.line++
		}
		if strings.TrimSpace(line) == h.end {
			body := l.src[start:from]
			l.tokens[h.token].text, l.tokens[h.token].dynamic = body, strings.Contains(body, "#{")
			return nil
		}
	}
	return l.fail(l.tokens[h.token].line, "heredoc "+h.end+" does not end")
}
