package detect

import (
	"slices"
	"strings"
)

// An rToken is a token of R source: a name, a string, or one character of anything else.
type rToken struct {
	text string
	kind byte // 'n' name, 's' string, 'o' other
	line int
}

// rTokens splits R source. What does not end, ends at the end of the file: R is not judged here.
func rTokens(src []byte) []rToken {
	l := &rLexer{src: src, line: 1}
	var list []rToken
	for {
		t, ok := l.next()
		if !ok || len(list) == maxTokens {
			return list
		}
		list = append(list, t)
	}
}

type rLexer struct {
	src  []byte
	pos  int
	line int
}

func (l *rLexer) take(n int) string {
	end := min(l.pos+n, len(l.src))
	s := string(l.src[l.pos:end])
	l.pos = end
	l.line += strings.Count(s, "\n")
	return s
}

func (l *rLexer) next() (rToken, bool) {
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		if c == '#' {
			l.take(strings.IndexByte(string(l.src[l.pos:])+"\n", '\n'))
		} else if strings.IndexByte(" \t\r\n\f", c) >= 0 {
			l.take(1)
		} else {
			break
		}
	}
	if l.pos >= len(l.src) {
		return rToken{}, false
	}
	t := rToken{line: l.line, kind: 'o'}
	c := l.src[l.pos]
	switch {
	case (c == 'r' || c == 'R') && l.raw(&t):
	case c == '"' || c == '\'' || c == '`':
		l.quoted(&t, c)
	case wordByte(c) || c == '.' || c >= 0x80:
		n := 1
		for l.pos+n < len(l.src) && (wordByte(l.src[l.pos+n]) || l.src[l.pos+n] == '.' || l.src[l.pos+n] >= 0x80) {
			n++
		}
		t.kind, t.text = 'n', l.take(n)
	case strings.HasPrefix(string(l.src[l.pos:min(l.pos+3, len(l.src))]), ":::"):
		t.text = l.take(3)[:2]
	case strings.HasPrefix(string(l.src[l.pos:min(l.pos+2, len(l.src))]), "::"):
		t.text = l.take(2)
	default:
		t.text = l.take(1)
	}
	return t, true
}

// quoted reads a string, or a name in backticks.
func (l *rLexer) quoted(t *rToken, quote byte) {
	t.kind = 's'
	if quote == '`' {
		t.kind = 'n'
	}
	l.take(1)
	var b strings.Builder
	for l.pos < len(l.src) && l.src[l.pos] != quote {
		if l.src[l.pos] == '\\' {
			l.take(1)
		}
		b.WriteString(l.take(1))
	}
	l.take(1)
	t.text = b.String()
}

// raw reads r"---(…)---", false if there is none.
func (l *rLexer) raw(t *rToken) bool {
	rest := string(l.src[l.pos+1:])
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return false
	}
	dashes := len(rest[1:]) - len(strings.TrimLeft(rest[1:], "-"))
	if 1+dashes >= len(rest) {
		return false
	}
	i := strings.IndexByte("([{", rest[1+dashes])
	if i < 0 {
		return false
	}
	end := ")]}"[i:i+1] + strings.Repeat("-", dashes) + rest[:1]
	body := rest[2+dashes:]
	n := strings.Index(body, end)
	if n < 0 {
		n = len(body)
	}
	t.kind, t.text = 's', body[:n]
	l.take(1 + 2 + dashes + n + len(end))
	return true
}

// An rUse is a package that a file uses, or a function that it calls, and where.
type rUse struct {
	name string
	line int
}

// rUses returns the packages that source uses by library(x), requireNamespace("x") or x::y, and the functions that it calls.
func rUses(src []byte) (packages, calls []rUse) {
	tokens := rTokens(src)
	for i, t := range tokens {
		if t.kind != 'n' || i+1 >= len(tokens) {
			continue
		}
		next := tokens[i+1]
		switch {
		case next.text == "::" && next.kind == 'o':
			packages = append(packages, rUse{t.text, t.line})
		case next.text == "(" && next.kind == 'o':
			calls = append(calls, rUse{t.text, t.line})
			if slices.Contains([]string{"library", "require", "requireNamespace", "loadNamespace"}, t.text) && i+2 < len(tokens) && tokens[i+2].kind != 'o' {
				packages = append(packages, rUse{tokens[i+2].text, t.line})
			}
		}
	}
	return packages, calls
}
