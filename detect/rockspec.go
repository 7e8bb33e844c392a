package detect

import (
	"fmt"
	"strings"
)

// A luaValue is a value of a rockspec: a text, a table, or the zero value for what is computed.
type luaValue struct {
	text  string
	list  []luaValue          // positional entries of a table
	named map[string]luaValue // entries with a key
	table bool
	line  int
}

// texts returns the positional entries that are text.
func (v luaValue) texts() []luaValue {
	var out []luaValue
	for _, e := range v.list {
		if !e.table && e.text != "" {
			out = append(out, e)
		}
	}
	return out
}

type luaToken struct {
	kind byte // 'w' word or number, 's' string, else the character itself, 0 at the end
	text string
	line int
}

const maxLuaDepth = 32 // tables within tables

// A rockReader reads a rockspec, which is a list of assignments in Lua.
type rockReader struct {
	file   string
	tokens []luaToken
}

// parseRockspec returns the variables that a rockspec sets. The error is a [*ParseError]: a string, comment or table that
// does not end, or a statement that is no assignment.
func parseRockspec(file string, src []byte) (map[string]luaValue, error) {
	tokens, err := lexLua(file, strings.TrimPrefix(string(src), string(bom)))
	if err != nil {
		return nil, err
	}
	r := &rockReader{file: file, tokens: tokens}
	vars := map[string]luaValue{}
	for r.peek().kind != 0 {
		name := r.take()
		if name.kind == ';' {
			continue
		}
		if name.kind == 'w' && name.text == "local" {
			name = r.take()
		}
		if name.kind != 'w' || r.peek().kind != '=' {
			return nil, r.fail(name, "a rockspec is a list of NAME = VALUE")
		}
		r.take()
		v, err := r.value(0)
		if err != nil {
			return nil, err
		}
		vars[name.text] = v
	}
	return vars, nil
}

func (r *rockReader) peek() luaToken { return r.tokens[0] }

func (r *rockReader) take() luaToken {
	k := r.tokens[0]
	if k.kind != 0 {
		r.tokens = r.tokens[1:]
	}
	return k
}

func (r *rockReader) fail(k luaToken, msg string) error {
	return &ParseError{File: r.file, Line: k.line, Msg: msg}
}

// value reads a text, a table or a word, and texts joined by .. as far as they are plain.
func (r *rockReader) value(depth int) (luaValue, error) {
	k := r.take()
	v := luaValue{line: k.line}
	switch {
	case depth > maxLuaDepth:
		return v, r.fail(k, "too many tables within each other")
	case k.kind == '{':
		return r.table(k, depth)
	case k.kind == 's', k.kind == 'w':
		v.text = k.text
	case k.kind == '-' || k.kind == '#':
		return r.value(depth + 1)
	default:
		return v, r.fail(k, "a value was expected")
	}
	for r.peek().kind == '.' && len(r.tokens) > 1 && r.tokens[1].kind == '.' { // a .. b
		r.take()
		r.take()
		more, err := r.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.text += more.text
	}
	return v, nil
}

func (r *rockReader) table(open luaToken, depth int) (luaValue, error) {
	v := luaValue{table: true, named: map[string]luaValue{}, line: open.line}
	for {
		switch k := r.peek(); {
		case k.kind == '}':
			r.take()
			return v, nil
		case k.kind == 0:
			return v, r.fail(open, "a table does not end: add }")
		case k.kind == ',' || k.kind == ';':
			r.take()
			continue
		}
		key, named, err := r.key()
		if err != nil {
			return v, err
		}
		e, err := r.value(depth + 1)
		if err != nil {
			return v, err
		}
		if named {
			v.named[key] = e
		} else {
			v.list = append(v.list, e)
		}
	}
}

// key reads NAME = or ["NAME"] =, if that is what comes.
func (r *rockReader) key() (key string, named bool, err error) {
	k := r.peek()
	if k.kind == 'w' && len(r.tokens) > 1 && r.tokens[1].kind == '=' {
		r.take()
		r.take()
		return k.text, true, nil
	}
	if k.kind != '[' {
		return "", false, nil
	}
	r.take()
	name, closing, assign := r.take(), r.take(), r.take()
	if name.kind != 's' && name.kind != 'w' || closing.kind != ']' || assign.kind != '=' {
		return "", false, r.fail(k, "a key is [\"NAME\"] = VALUE")
	}
	return name.text, true, nil
}

// lexLua returns the tokens of Lua source, the last of kind 0.
func lexLua(file, src string) ([]luaToken, error) {
	var out []luaToken
	line := 1
	for i := 0; i < len(src); {
		c := src[i]
		n, text, kind := 1, "", c
		comment := strings.HasPrefix(src[i:], "--")
		at := i
		if comment {
			at += 2
		}
		level := longBracket(src[at:])
		switch {
		case level >= 0:
			body, ok := longString(src[at:], level)
			if !ok {
				return nil, &ParseError{File: file, Line: line, Msg: "a long string or comment does not end"}
			}
			n, text, kind = at-i+len(body)+2*(level+2), body, 's'
		case comment:
			n = strings.IndexByte(src[i:]+"\n", '\n')
		case c == '"' || c == '\'':
			var ok bool
			if text, n, ok = luaString(src[i:]); !ok {
				return nil, &ParseError{File: file, Line: line, Msg: fmt.Sprintf("a string does not end: no closing %c", c)}
			}
			kind = 's'
		case wordByte(c):
			for n < len(src)-i && (wordByte(src[i+n]) || src[i+n] == '.' && '0' <= c && c <= '9' && !strings.HasPrefix(src[i+n:], "..")) {
				n++
			}
			text, kind = src[i:i+n], 'w'
		}
		if !comment && strings.IndexByte(" \t\r\n\f\v\x00", c) < 0 {
			if len(out) == maxTokens {
				return nil, &ParseError{File: file, Line: line, Msg: "more words and signs than are read of one file"}
			}
			out = append(out, luaToken{kind, text, line})
		}
		n = min(n, len(src)-i)
		line += strings.Count(src[i:i+n], "\n")
		i += n
	}
	return append(out, luaToken{line: line}), nil
}

// longBracket returns the level of the [==[ that src begins with, -1 if it does not.
func longBracket(src string) int {
	if src == "" || src[0] != '[' {
		return -1
	}
	level := 0
	for 1+level < len(src) && src[1+level] == '=' {
		level++
	}
	if 1+level < len(src) && src[1+level] == '[' {
		return level
	}
	return -1
}

func longString(src string, level int) (body string, ok bool) {
	body, _, ok = strings.Cut(src[level+2:], "]"+strings.Repeat("=", level)+"]")
	return body, ok
}

// luaString reads a quoted string and returns how many bytes it takes.
func luaString(src string) (text string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(src); i++ {
		switch c := src[i]; {
		case c == src[0]:
			return b.String(), i + 1, true
		case c == '\n':
			return "", 0, false
		case c == '\\' && i+1 < len(src):
			i++
			b.WriteByte(src[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}
