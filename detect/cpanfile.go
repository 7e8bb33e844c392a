package detect

import (
	"fmt"
	"slices"
	"strings"
)

// A plToken is one token of Perl source, as far as lists of modules need it.
type plToken struct {
	kind plKind
	text string
	line int
}

type plKind int

const (
	plWord   plKind = iota // a bare word: requires, Foo::Bar, 5.036, v1.2
	plString               // 'x', "x", q(x), qq(x) without variables
	plWords                // qw(a b)
	plOp                   // one character, or =>
	plCode                 // a string that only Perl can tell the value of
)

func (k plToken) is(text string) bool {
	return (k.kind == plWord || k.kind == plOp) && k.text == text
}

// A plLexer splits Perl source into tokens. It does not know regular expressions and heredocs: after the first of them what
// it returns may be wrong, which is why only declarations are read by it.
type plLexer struct {
	file   string
	src    string
	pos    int
	line   int
	tokens []plToken
}

// lexPerl returns the tokens of a file. The error is a [*ParseError]: a string that does not end.
func lexPerl(file string, src []byte) ([]plToken, error) {
	l := &plLexer{file: file, src: strings.TrimPrefix(string(src), string(bom)), line: 1}
	for l.pos < len(l.src) {
		if err := l.next(); err != nil {
			return nil, err
		}
		if len(l.tokens) > maxTokens {
			return nil, &ParseError{File: file, Line: l.line, Msg: "more words and signs than are read of one file"}
		}
	}
	return l.tokens, nil
}

func (l *plLexer) next() error {
	c := l.src[l.pos]
	start := l.pos == 0 || l.src[l.pos-1] == '\n'
	switch {
	case start && c == '=' && l.pos+1 < len(l.src) && wordByte(l.src[l.pos+1]):
		l.pod()
	case c == '\n':
		l.line++
		l.pos++
	case c == ' ' || c == '\t' || c == '\r':
		l.pos++
	case c == '#':
		l.skipLine()
	case c == '\'' || c == '"' || c == '`':
		l.pos++
		return l.quoted(0, c, c != '\'')
	case wordByte(c):
		return l.word()
	case strings.HasPrefix(l.src[l.pos:], "=>"):
		l.tokens = append(l.tokens, plToken{plOp, "=>", l.line})
		l.pos += 2
	default:
		l.tokens = append(l.tokens, plToken{plOp, l.src[l.pos : l.pos+1], l.line})
		l.pos++
	}
	return nil
}

func (l *plLexer) skipLine() {
	if i := strings.IndexByte(l.src[l.pos:], '\n'); i >= 0 {
		l.pos += i
	} else {
		l.pos = len(l.src)
	}
}

// pod skips documentation: from a line that begins with = to a line =cut.
func (l *plLexer) pod() {
	for l.pos < len(l.src) {
		from := l.pos
		l.skipLine()
		line := strings.TrimRight(l.src[from:l.pos], "\r")
		if l.pos < len(l.src) {
			l.pos++
			l.line++
		}
		if line == "=cut" || strings.HasPrefix(line, "=cut ") {
			return
		}
	}
}

// word reads a bare word with :: and dots of versions, or what a quoting word begins.
func (l *plLexer) word() error {
	start := l.pos
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		colons := strings.HasPrefix(l.src[l.pos:], "::")
		number := c == '.' && l.src[start] <= '9' || c == '.' && l.src[start] == 'v'
		if !wordByte(c) && !colons && !number {
			break
		}
		l.pos++
		if colons {
			l.pos++
		}
	}
	text := l.src[start:l.pos]
	if text == "__END__" || text == "__DATA__" {
		l.pos = len(l.src)
		return nil
	}
	if text == "q" || text == "qq" || text == "qw" {
		if done, err := l.quoteWord(text); done || err != nil {
			return err
		}
	}
	l.tokens = append(l.tokens, plToken{plWord, text, l.line})
	return nil
}

// quoteWord reads what follows q, qq or qw; it is false where that is no quote.
func (l *plLexer) quoteWord(name string) (bool, error) {
	rest := strings.TrimLeft(l.src[l.pos:], " \t")
	if rest == "" || wordByte(rest[0]) || strings.IndexByte(",;=)\n\r", rest[0]) >= 0 {
		return false, nil
	}
	l.pos = len(l.src) - len(rest) + 1
	open, closing := byte(0), rest[0]
	if i := strings.IndexByte("([{<", closing); i >= 0 {
		open, closing = closing, ")]}>"[i]
	}
	if err := l.quoted(open, closing, name == "qq"); err != nil {
		return false, err
	}
	if name == "qw" {
		l.tokens[len(l.tokens)-1].kind = plWords
	}
	return true, nil
}

// quoted reads to the closing byte; with vars a $ or @ makes its value unknown.
func (l *plLexer) quoted(open, closing byte, vars bool) error {
	start, depth, kind := l.line, 0, plString
	var b strings.Builder
	for ; l.pos < len(l.src); l.pos++ {
		c := l.src[l.pos]
		switch {
		case c == '\\' && l.pos+1 < len(l.src):
			l.pos++
			c = l.src[l.pos]
		case c == closing && depth == 0:
			l.pos++
			l.tokens = append(l.tokens, plToken{kind, b.String(), start})
			return nil
		case open != 0 && c == open:
			depth++
		case c == closing:
			depth--
		case vars && (c == '$' || c == '@'):
			kind = plCode
		}
		if c == '\n' {
			l.line++
		}
		b.WriteByte(c)
	}
	return &ParseError{File: l.file, Line: start, Msg: fmt.Sprintf("a string does not end: no closing %c", closing)}
}

// A Module is one line of a cpanfile.
type Module struct {
	Name string // "Plack::Request"
	Spec string // ">= 1.0, < 2", "1.0" for at least that; "" or "0" for any version
	Line int
}

// parseCpanfile returns what production requires, and the wanted version of Perl. The error is a [*ParseError].
func parseCpanfile(file string, src []byte) (modules []Module, perl Module, err error) {
	tokens, err := lexPerl(file, src)
	if err != nil {
		return nil, perl, err
	}
	skipped := 0 // depth at which a phase or a feature began that production does not need
	depth := 0
	for i := 0; i < len(tokens); i++ {
		switch k := tokens[i]; {
		case k.is("{"):
			depth++
		case k.is("}"):
			if depth--; depth < skipped {
				skipped = 0
			}
			if depth < 0 {
				return nil, perl, &ParseError{File: file, Line: k.line, Msg: "a } too many"}
			}
		case (k.is("on") || k.is("feature")) && i+1 < len(tokens) && skipped == 0:
			if phase := tokens[i+1].text; k.text == "feature" || phase != "runtime" {
				skipped = depth + 1
			}
		case k.is("requires") && skipped == 0:
			m, err := cpanLine(file, tokens[i+1:])
			if err != nil {
				return nil, perl, err
			}
			if m.Name == "perl" {
				perl = m
			} else {
				modules = append(modules, m)
			}
		}
	}
	if depth > 0 {
		return nil, perl, &ParseError{File: file, Msg: "a block does not end: add }"}
	}
	return modules, perl, nil
}

// cpanLine reads the arguments of requires up to its semicolon.
func cpanLine(file string, tokens []plToken) (Module, error) {
	var args []plToken
	for _, k := range tokens {
		if k.is(";") || k.is("{") || k.is("}") {
			break
		}
		if k.kind != plOp {
			args = append(args, k)
		}
	}
	if len(args) == 0 || args[0].kind == plCode || args[0].kind == plWords {
		line := 0
		if len(args) > 0 {
			line = args[0].line
		}
		return Module{}, &ParseError{File: file, Line: line, Msg: "requires names no module"}
	}
	m := Module{Name: args[0].text, Line: args[0].line}
	if len(args) > 1 && args[1].kind != plCode {
		m.Spec = strings.TrimSpace(args[1].text)
	}
	if !perlModule(m.Name) {
		return Module{}, &ParseError{File: file, Line: m.Line, Msg: fmt.Sprintf("%q is not the name of a module", clip(m.Name))}
	}
	return m, nil
}

func perlModule(s string) bool {
	for part := range strings.SplitSeq(s, "::") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool { return r > 0x7f || !wordByte(byte(r)) }) {
			return false
		}
	}
	return true
}

// prerequisites reads the modules that Makefile.PL (PREREQ_PM) or Build.PL (requires) lists.
func prerequisites(file string, src []byte) ([]Module, error) {
	tokens, err := lexPerl(file, src)
	if err != nil {
		return nil, err
	}
	var list []Module
	for i := range tokens {
		if !(tokens[i].is("PREREQ_PM") || tokens[i].is("requires")) || i+2 >= len(tokens) || !tokens[i+1].is("=>") || !tokens[i+2].is("{") {
			continue
		}
		for rest := tokens[i+3:]; len(rest) >= 3 && !rest[0].is("}"); {
			if rest[1].is("=>") && rest[0].kind != plOp && perlModule(rest[0].text) && rest[0].text != "perl" {
				list = append(list, Module{Name: rest[0].text, Spec: rest[2].text, Line: rest[0].line})
			}
			n := slices.IndexFunc(rest, func(k plToken) bool { return k.is(",") || k.is("}") })
			if n < 0 {
				break
			}
			if rest[n].is(",") {
				n++
			}
			rest = rest[n:]
		}
	}
	return list, nil
}
