package detect

import "strings"

// A pyToken is a token of Python source: a name, a string (kind s, text without quotes), a number or an operator.
type pyToken struct {
	kind byte // 'n' name, 's' string, '0' number, 'o' operator
	text string
}

// A pyLine is a logical line: a statement, however many lines it takes, and the depth of its indentation in columns.
type pyLine struct {
	indent int
	line   int // where it begins
	tokens []pyToken
}

const maxPyTokens = 20_000 // of one file: what makes an application stands near its top

// pyLines splits Python source into logical lines. What is no Python gives lines that mean nothing.
func pyLines(src string) []pyLine {
	l := pyLexer{src: strings.TrimPrefix(src, string(bom)), line: 1}
	l.begin()
	for l.pos < len(l.src) && l.count < maxPyTokens {
		l.step()
	}
	l.end()
	return l.out
}

type pyLexer struct {
	src     string
	pos     int
	line    int
	depth   int // open brackets
	count   int
	current pyLine
	out     []pyLine
}

// begin measures the indentation of the line that starts here.
func (l *pyLexer) begin() {
	l.current = pyLine{line: l.line}
	for l.pos < len(l.src) && (l.src[l.pos] == ' ' || l.src[l.pos] == '\t') {
		l.current.indent++
		l.pos++
	}
}

func (l *pyLexer) end() {
	if len(l.current.tokens) > 0 {
		l.out = append(l.out, l.current)
	}
}

func (l *pyLexer) step() {
	c := l.src[l.pos]
	switch {
	case c == '\n':
		l.pos++
		l.line++
		if l.depth == 0 {
			l.end()
			l.begin()
		}
	case c == '\\' && strings.HasPrefix(l.src[l.pos+1:], "\n"), c == '\\' && strings.HasPrefix(l.src[l.pos+1:], "\r\n"):
		l.pos += strings.IndexByte(l.src[l.pos:], '\n') + 1
		l.line++
	case c == ' ' || c == '\t' || c == '\r' || c == '\f':
		l.pos++
	case c == '#':
		l.pos += indexOr(l.src[l.pos:], "\n")
	case c == '"' || c == '\'':
		l.str(false)
	case wordByte(c) || c >= 0x80:
		l.word()
	default:
		l.op(c)
	}
}

func (l *pyLexer) add(kind byte, text string) {
	l.count++
	l.current.tokens = append(l.current.tokens, pyToken{kind, text})
}

func (l *pyLexer) word() {
	start := l.pos
	for l.pos < len(l.src) && (wordByte(l.src[l.pos]) || l.src[l.pos] >= 0x80) {
		l.pos++
	}
	text := l.src[start:l.pos]
	const longestPrefix = 2
	if l.pos < len(l.src) && (l.src[l.pos] == '"' || l.src[l.pos] == '\'') && len(text) <= longestPrefix && strings.Trim(strings.ToLower(text), "rbuft") == "" {
		l.str(strings.ContainsAny(text, "rR"))
		return
	}
	kind := byte('n')
	if '0' <= text[0] && text[0] <= '9' {
		kind = '0'
	}
	l.add(kind, text)
}

// str reads a string, whose opening quote is next.
func (l *pyLexer) str(raw bool) {
	quote := l.src[l.pos : l.pos+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(l.src[l.pos:], triple) {
		quote = triple
	}
	l.pos += len(quote)
	start := l.pos
	for l.pos < len(l.src) {
		switch {
		case l.src[l.pos] == '\\':
			if l.pos++; l.pos < len(l.src) && l.src[l.pos] == '\n' {
				l.line++
			}
		case strings.HasPrefix(l.src[l.pos:], quote):
			l.add('s', l.src[start:l.pos])
			l.pos += len(quote)
			return
		case l.src[l.pos] == '\n':
			if len(quote) == 1 {
				return // it is not closed: not Python
			}
			l.line++
		}
		l.pos++
	}
	l.pos = min(l.pos, len(l.src))
}

func (l *pyLexer) op(c byte) {
	switch c {
	case '(', '[', '{':
		l.depth++
	case ')', ']', '}':
		l.depth = max(l.depth-1, 0)
	case ';':
		if l.depth == 0 {
			indent := l.current.indent
			l.end()
			l.current = pyLine{line: l.line, indent: indent}
			l.pos++
			return
		}
	}
	const longest = 3
	for n := longest; n > 1; n-- {
		if l.pos+n <= len(l.src) && strings.Contains(" == != <= >= := -> ** // += -= *= /= ... ", " "+l.src[l.pos:l.pos+n]+" ") {
			l.add('o', l.src[l.pos:l.pos+n])
			l.pos += n
			return
		}
	}
	l.add('o', string(c))
	l.pos++
}

// is reports whether the token at i is an operator or keyword of this text.
func (l pyLine) is(i int, text string) bool {
	return i >= 0 && i < len(l.tokens) && l.tokens[i].kind != 's' && l.tokens[i].text == text
}

// name returns the name at i, "" if there is another kind of token.
func (l pyLine) name(i int) string {
	if i < 0 || i >= len(l.tokens) || l.tokens[i].kind != 'n' {
		return ""
	}
	return l.tokens[i].text
}

// dotted reads a.b.c from i and returns it and the index behind it.
func (l pyLine) dotted(i int) (string, int) {
	text := l.name(i)
	if text == "" {
		return "", i
	}
	for i++; l.is(i, ".") && l.name(i+1) != ""; i += 2 {
		text += "." + l.name(i+1)
	}
	return text, i
}

// closing returns the index of the bracket that closes the one at i, the number of tokens if none does.
func (l pyLine) closing(i int) int {
	depth := 0
	for ; i < len(l.tokens); i++ {
		if l.tokens[i].kind != 'o' {
			continue
		}
		switch l.tokens[i].text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}
