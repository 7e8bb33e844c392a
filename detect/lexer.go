package detect

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxTokens bounds what lexers make of one file, so that their work is bounded: build descriptions have some thousands.
const maxTokens = 30_000

// A lexeme is a word, a string without its quotes, or one character of punctuation.
type lexeme struct {
	kind tokenKind
	text string
	line int
}

type tokenKind byte

const (
	wordToken tokenKind = iota
	stringToken
	signToken
)

func (t lexeme) is(sign string) bool   { return t.kind == signToken && t.text == sign }
func (t lexeme) word(text string) bool { return t.kind == wordToken && t.text == text }

// A syntax says what comments and strings look like. Block comments nest.
type syntax struct {
	comment     string // to the end of the line
	open, close string // of a block comment; "" where there are none
	quotes      string // characters that open and close a string; tripled they open one of several lines
	verbatim    string // opens a string that goes to the end of the line; "" where there is none
}

var (
	mesonSyntax = syntax{comment: "#", quotes: "'"}
	swiftSyntax = syntax{comment: "//", open: "/*", close: "*/", quotes: `"`}
	zigSyntax   = syntax{comment: "//", quotes: `"`, verbatim: `\\`}
)

// lex splits a source into tokens. It accepts everything: what is no program gives tokens that nobody looks for.
func lex(src []byte, s syntax) []lexeme {
	l := lexer{syntax: s, rest: strings.TrimPrefix(string(src), "\ufeff"), line: 1}
	for l.rest != "" && len(l.tokens) < maxTokens {
		l.next()
	}
	return l.tokens
}

type lexer struct {
	syntax
	rest   string
	line   int
	tokens []lexeme
}

func (l *lexer) next() {
	c := l.rest[0]
	switch {
	case l.comment != "" && strings.HasPrefix(l.rest, l.comment):
		l.skip(untilNewline(l.rest))
	case l.open != "" && strings.HasPrefix(l.rest, l.open):
		l.block()
	case l.verbatim != "" && strings.HasPrefix(l.rest, l.verbatim):
		n := untilNewline(l.rest)
		l.emit(stringToken, l.rest[len(l.verbatim):n], n)
	case strings.IndexByte(l.quotes, c) >= 0:
		l.quoted(c)
	case wordByte(c) || c >= utf8.RuneSelf:
		n := 1
		for n < len(l.rest) && (wordByte(l.rest[n]) || l.rest[n] >= utf8.RuneSelf) {
			n++
		}
		l.emit(wordToken, l.rest[:n], n)
	case c <= ' ':
		l.skip(1)
	default:
		l.emit(signToken, l.rest[:1], 1)
	}
}

// skip leaves n bytes behind and counts their lines.
func (l *lexer) skip(n int) {
	l.line += strings.Count(l.rest[:n], "\n")
	l.rest = l.rest[n:]
}

func (l *lexer) emit(kind tokenKind, text string, n int) {
	l.tokens = append(l.tokens, lexeme{kind, text, l.line})
	l.skip(n)
}

func (l *lexer) block() {
	depth, n := 0, 0
	for n < len(l.rest) {
		switch {
		case strings.HasPrefix(l.rest[n:], l.close):
			depth, n = depth-1, n+len(l.close)
		case strings.HasPrefix(l.rest[n:], l.open):
			depth, n = depth+1, n+len(l.open)
		default:
			n++
		}
		if depth == 0 {
			break
		}
	}
	l.skip(n)
}

func (l *lexer) quoted(quote byte) {
	end := string(quote)
	if triple := strings.Repeat(end, 3); strings.HasPrefix(l.rest, triple) {
		end = triple
	}
	var text strings.Builder
	n := len(end)
	for n < len(l.rest) && !strings.HasPrefix(l.rest[n:], end) {
		if len(end) == 1 && l.rest[n] == '\n' {
			break // not closed: the rest of the file is no string
		}
		if l.rest[n] == '\\' && n+1 < len(l.rest) {
			n++
		}
		text.WriteByte(l.rest[n])
		n++
	}
	if strings.HasPrefix(l.rest[n:], end) {
		n += len(end)
	}
	l.emit(stringToken, text.String(), n)
}

func untilNewline(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// A call is NAME(ARGUMENTS). An argument is the tokens between two commas, its label the word before a colon.
type call struct {
	name string
	line int
	args []argument
}

type argument struct {
	label string
	value []lexeme
}

// calls returns the calls of the named functions in tokens, outer ones before those in their arguments.
func calls(tokens []lexeme, names ...string) []call {
	const most, longest = 1024, 1 << 13 // calls, and tokens of one: nested calls are read once per level
	var list []call
	for i := 0; i+1 < len(tokens) && len(list) < most; i++ {
		if tokens[i].kind == wordToken && tokens[i+1].is("(") && slices.Contains(names, tokens[i].text) {
			rest := tokens[i+2:]
			list = append(list, call{tokens[i].text, tokens[i].line, arguments(rest[:min(len(rest), longest)])})
		}
	}
	return list
}

// arguments splits what stands before the closing parenthesis.
func arguments(tokens []lexeme) []argument {
	var args []argument
	var value []lexeme
	add := func() {
		if len(value) >= 2 && value[0].kind == wordToken && value[1].is(":") {
			args = append(args, argument{value[0].text, value[2:]})
		} else if len(value) > 0 {
			args = append(args, argument{"", value})
		}
		value = nil
	}
	depth := 0
	for _, t := range tokens {
		switch {
		case t.is("(") || t.is("[") || t.is("{"):
			depth++
		case t.is(")") || t.is("]") || t.is("}"):
			depth--
		}
		if depth < 0 {
			break
		}
		if depth == 0 && t.is(",") {
			add()
			continue
		}
		value = append(value, t)
	}
	add()
	return args
}

// arg returns the tokens of the labelled argument, nil if there is none.
func (c call) arg(label string) []lexeme {
	for _, a := range c.args {
		if a.label == label {
			return a.value
		}
	}
	return nil
}

// text returns the string that tokens begin with.
func text(tokens []lexeme) string {
	if len(tokens) > 0 && tokens[0].kind == stringToken {
		return tokens[0].text
	}
	return ""
}

// stringsOf returns all strings among tokens.
func stringsOf(tokens []lexeme) []string {
	var list []string
	for _, t := range tokens {
		if t.kind == stringToken {
			list = append(list, t.text)
		}
	}
	return list
}
