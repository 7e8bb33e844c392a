package detect

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A codeToken is one word of a program in Java, Groovy, Kotlin or Scala: what these have in common is enough to read the
// declarations of a build file and to find the class that has a main.
type codeToken struct {
	kind  codeKind
	text  string // of a string: its content
	line  int
	first bool // nothing stands before it in its line
}

type codeKind byte

const (
	codeWord codeKind = iota
	codeString
	codeMark // one character of punctuation
)

const maxCodeTokens = 20_000 // of one file; the largest build files have a tenth, and three thousand lines of Java fit

// lexCode splits a source into tokens and drops comments. It never fails: a string that does not end ends with its line.
func lexCode(src []byte) []codeToken {
	l := codeLexer{src: bytes.TrimPrefix(src, bom), line: 1, fresh: true}
	for l.pos < len(l.src) && len(l.tokens) < maxCodeTokens {
		l.next()
	}
	return l.tokens
}

type codeLexer struct {
	src    []byte
	pos    int
	line   int
	fresh  bool // no codeToken yet in this line
	tokens []codeToken
}

func (l *codeLexer) next() {
	c := l.src[l.pos]
	rest := l.src[l.pos:]
	switch {
	case c == '\n':
		l.line, l.fresh = l.line+1, true
		l.pos++
	case c == ' ' || c == '\t' || c == '\r' || c == '\f':
		l.pos++
	case bytes.HasPrefix(rest, []byte("//")) || bytes.HasPrefix(rest, []byte("#!")):
		l.pos += codeLineEnd(rest)
	case bytes.HasPrefix(rest, []byte("/*")):
		end := bytes.Index(rest[2:], []byte("*/"))
		if end < 0 {
			l.pos = len(l.src)
			return
		}
		l.line += bytes.Count(rest[:end], []byte("\n"))
		l.pos += end + 4
	case bytes.HasPrefix(rest, []byte(`"""`)) || bytes.HasPrefix(rest, []byte(`'''`)):
		l.long(rest[:3])
	case c == '"' || c == '\'' || c == '`':
		l.short(c)
	default:
		l.word()
	}
}

func codeLineEnd(b []byte) int {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i
	}
	return len(b)
}

func (l *codeLexer) add(kind codeKind, text string) {
	l.tokens = append(l.tokens, codeToken{kind, text, l.line, l.fresh})
	l.fresh = false
}

// long reads a string between three quotes, which holds lines as they are.
func (l *codeLexer) long(quotes []byte) {
	body := l.src[l.pos+3:]
	end := bytes.Index(body, quotes)
	next := end + 6
	if end < 0 {
		end, next = len(body), len(body)+3
	}
	l.add(codeString, string(body[:end]))
	l.line += bytes.Count(body[:end], []byte("\n"))
	l.pos += next
}

// short reads a string between two quotes of one kind; between back quotes it is a word.
func (l *codeLexer) short(quote byte) {
	var text strings.Builder
	i := l.pos + 1
	for ; i < len(l.src) && l.src[i] != quote && l.src[i] != '\n'; i++ {
		if l.src[i] == '\\' && i+1 < len(l.src) && l.src[i+1] != '\n' {
			i++
		}
		text.WriteByte(l.src[i])
	}
	kind := codeString
	if quote == '`' {
		kind = codeWord
	}
	l.add(kind, text.String())
	if i < len(l.src) && l.src[i] == quote {
		i++
	}
	l.pos = i
}

// word reads a name or a number, else one character.
func (l *codeLexer) word() {
	i := l.pos
	for i < len(l.src) {
		r, n := utf8.DecodeRune(l.src[i:])
		if r == utf8.RuneError || r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		i += n
	}
	if i > l.pos {
		l.add(codeWord, string(l.src[l.pos:i]))
		l.pos = i
		return
	}
	_, n := utf8.DecodeRune(l.src[l.pos:])
	l.add(codeMark, string(l.src[l.pos:l.pos+n]))
	l.pos += n
}

// A statement is a line of a build script outside its blocks, with the names of the blocks around it: for
// java { toolchain { x = 1 } } the path of x = 1 is java, toolchain.
type statement struct {
	path   []string
	tokens []codeToken
}

const maxNesting = 64 // blocks in blocks

// scriptStatements splits a build script. A statement ends with its line unless a bracket is open or an operator is left over.
func scriptStatements(src []byte) []statement {
	var list []statement
	var now []codeToken
	var path []string
	type outer struct {
		tokens []codeToken
		depth  int
	}
	var stack []outer
	depth := 0
	flush := func() {
		if len(now) > 0 {
			list = append(list, statement{slices.Clone(path), now})
		}
		now, depth = nil, 0
	}
	for _, tok := range lexCode(src) {
		mark := ""
		if tok.kind == codeMark {
			mark = tok.text
		}
		if tok.first && depth == 0 && mark != "." && mark != "{" && !unfinished(now) {
			flush()
		}
		switch mark {
		case "{":
			if len(path) < maxNesting {
				stack = append(stack, outer{now, depth})
				path = append(path, blockName(now))
			}
			now, depth = nil, 0
			continue
		case "}":
			flush()
			if n := len(stack); n > 0 {
				now, depth = stack[n-1].tokens, stack[n-1].depth
				stack, path = stack[:n-1], path[:n-1]
			}
			continue
		case ";":
			flush()
			continue
		case "(", "[":
			depth++
		case ")", "]":
			depth = max(depth-1, 0)
		}
		now = append(now, tok)
	}
	for len(stack) > 0 {
		flush()
		n := len(stack) - 1
		now, stack, path = stack[n].tokens, stack[:n], path[:n]
	}
	flush()
	return list
}

// unfinished reports whether a statement cannot end here.
func unfinished(now []codeToken) bool {
	if len(now) == 0 {
		return true
	}
	last := now[len(now)-1]
	return last.kind == codeMark && strings.Contains(".,=+<:&|", last.text)
}

// blockName is the name of a block: what it is called in quotes (tasks.named("jar")), else the last word before a bracket.
func blockName(tokens []codeToken) string {
	name := ""
	for _, tok := range tokens {
		if tok.kind == codeString {
			return tok.text
		}
	}
	for _, tok := range tokens {
		if tok.kind == codeWord {
			name = tok.text
		} else if tok.text == "(" {
			break
		}
	}
	return name
}

// in reports whether the innermost blocks around s have these names.
func (s statement) in(names ...string) bool {
	return len(s.path) >= len(names) && slices.Equal(s.path[len(s.path)-len(names):], names)
}

// within reports whether one of the blocks around s has this name.
func (s statement) within(name string) bool { return slices.Contains(s.path, name) }

// strings returns the strings of s in order.
func (s statement) strings() []string {
	var list []string
	for _, tok := range s.tokens {
		if tok.kind == codeString {
			list = append(list, tok.text)
		}
	}
	return list
}

// word returns the i-th codeToken when it is a word, else "".
func (s statement) word(i int) string {
	if i < len(s.tokens) && s.tokens[i].kind == codeWord {
		return s.tokens[i].text
	}
	return ""
}

func (s statement) has(word string) bool {
	return slices.ContainsFunc(s.tokens, func(t codeToken) bool { return t.kind == codeWord && t.text == word })
}

// text joins the tokens of s, strings in double quotes.
func (s statement) text() string {
	var b strings.Builder
	for _, tok := range s.tokens {
		if tok.kind == codeString {
			b.WriteString(`"` + tok.text + `"`)
			continue
		}
		b.WriteString(tok.text)
	}
	return b.String()
}
