package packidx

import "strings"

// configReader reads git's configuration syntax (git-config(1)) as git does, which is stricter and stranger than the
// libraries for it: what is read here is judged for what git will make of it.
type configReader struct {
	data []byte
	eof  bool
}

// readConfig calls f for each key of a section that has a second name, until f returns false or a line is bad. The value
// is nil for a key without one.
func readConfig(data []byte, f func(section, name, key string, value *string) bool) {
	c := &configReader{data: data}
	if rest := strings.TrimPrefix(string(data), "\ufeff"); len(rest) < len(data) {
		c.data = data[len(data)-len(rest):]
	}
	section := ""
	for !c.eof {
		switch ch := c.next(); {
		case isBlank(ch):
		case ch == '#' || ch == ';':
			for c.next() != '\n' {
			}
		case ch == '[':
			var ok bool
			if section, ok = c.section(); !ok {
				return
			}
		case isLetter(ch):
			key, value, ok := c.key(ch)
			if !ok {
				return
			}
			base, name, named := strings.Cut(section, ".")
			if named && !f(base, name, key, value) {
				return
			}
		default:
			return
		}
	}
}

// notByte is a byte that git takes for the end of the file where C's char has a sign, as on x86.
const notByte = 0xff

// next returns the next byte, a line feed at the end and for a carriage return and a line feed.
func (c *configReader) next() byte {
	if len(c.data) == 0 {
		c.eof = true
		return '\n'
	}
	ch := c.data[0]
	c.data = c.data[1:]
	if ch == '\r' && len(c.data) > 0 && (c.data[0] == '\n' || c.data[0] == notByte) {
		if c.data[0] == '\n' {
			ch = '\n'
		}
		c.data = c.data[1:]
	}
	if ch == notByte {
		c.eof = true
		return '\n'
	}
	return ch
}

// section reads what follows a [: a name in any case, and a second one in quotes or after a dot.
func (c *configReader) section() (string, bool) {
	var b strings.Builder
	for {
		ch := c.next()
		switch {
		case c.eof:
			return "", false
		case ch == ']':
			return b.String(), b.Len() > 0
		case isBlank(ch):
			return c.quoted(&b, ch)
		case !isKeyChar(ch) && ch != '.':
			return "", false
		}
		b.WriteByte(lower(ch))
	}
}

func (c *configReader) quoted(b *strings.Builder, ch byte) (string, bool) {
	for isBlank(ch) {
		if ch == '\n' {
			return "", false
		}
		ch = c.next()
	}
	if ch != '"' {
		return "", false
	}
	b.WriteByte('.')
	for {
		switch ch = c.next(); ch {
		case '\n':
			return "", false
		case '"':
			return b.String(), c.next() == ']'
		case '\\':
			if ch = c.next(); ch == '\n' {
				return "", false
			}
		}
		b.WriteByte(ch)
	}
}

// key reads the rest of a key that begins with ch, and its value.
func (c *configReader) key(ch byte) (key string, value *string, ok bool) {
	var b strings.Builder
	for isKeyChar(ch) && !c.eof {
		b.WriteByte(lower(ch))
		ch = c.next()
	}
	for ch == ' ' || ch == '\t' {
		ch = c.next()
	}
	if ch == '\n' {
		return b.String(), nil, true
	}
	if ch != '=' {
		return "", nil, false
	}
	v, ok := c.value()
	return b.String(), &v, ok
}

func (c *configReader) value() (string, bool) {
	var b strings.Builder
	quote, comment, spaces := false, false, 0
	for {
		ch := c.next()
		switch {
		case ch == '\n':
			return b.String(), !quote
		case comment:
			continue
		case isBlank(ch) && !quote:
			if b.Len() > 0 {
				spaces++
			}
			continue
		case !quote && (ch == ';' || ch == '#'):
			comment = true
			continue
		}
		for ; spaces > 0; spaces-- {
			b.WriteByte(' ')
		}
		switch ch {
		case '"':
			quote = !quote
		case '\\':
			escaped, ok := c.escape()
			if !ok {
				return "", false
			}
			b.WriteString(escaped)
		default:
			b.WriteByte(ch)
		}
	}
}

func (c *configReader) escape() (string, bool) {
	switch ch := c.next(); ch {
	case '\n':
		return "", true
	case 't':
		return "\t", true
	case 'b':
		return "\b", true
	case 'n':
		return "\n", true
	case '\\', '"':
		return string(ch), true
	}
	return "", false
}

func isBlank(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isLetter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

func isKeyChar(c byte) bool { return isLetter(c) || '0' <= c && c <= '9' || c == '-' }
