package detect

import (
	"fmt"
	"slices"
)

type exTermKind int

const (
	exOther exTermKind = iota // an expression that is not read
	exText                    // a string
	exName                    // an atom
	exCall                    // a function without arguments of the same module, or @attribute
	exList                    // keyword lists are lists with keys
	exTuple
	exMap
	exModule
	exNum
)

// An exTerm is a value of Elixir source, as far as it is written down.
type exTerm struct {
	kind  exTermKind
	text  string
	line  int
	items []exTerm
	keys  []string // of items, "" for one without a key; nil where none has one
}

// get returns the value of a key.
func (t exTerm) get(key string) (exTerm, bool) {
	if i := slices.Index(t.keys, key); i >= 0 {
		return t.items[i], true
	}
	return exTerm{}, false
}

// at returns an item of a tuple or list, the zero term where there is none.
func (t exTerm) at(i int) exTerm {
	if i >= 0 && i < len(t.items) {
		return t.items[i]
	}
	return exTerm{}
}

const exDepth = 200 // nested lists and maps

// An exReader reads terms from tokens.
type exReader struct {
	file   string
	tokens []exToken
	pos    int
}

func (r *exReader) peek() exToken {
	if r.pos < len(r.tokens) {
		return r.tokens[r.pos]
	}
	return exToken{kind: exPunct, line: r.lastLine()}
}

func (r *exReader) lastLine() int {
	if len(r.tokens) == 0 {
		return 1
	}
	return r.tokens[len(r.tokens)-1].line
}

func (r *exReader) done() bool { return r.pos >= len(r.tokens) }

func (r *exReader) fail(line int, format string, args ...any) error {
	return &ParseError{File: r.file, Line: line, Msg: fmt.Sprintf(format, args...)}
}

// term reads one value. What goes on behind a value (a pipe, an operator, arguments) makes it exOther, but for ++.
func (r *exReader) term(depth int) (exTerm, error) {
	t, err := r.simple(depth)
	if err != nil {
		return t, err
	}
	for r.peek().is("++") {
		r.pos++
		more, err := r.simple(depth)
		if err != nil {
			return t, err
		}
		if t.kind != exList || more.kind != exList {
			t.kind = exOther
			continue
		}
		for len(t.keys) < len(t.items) {
			t.keys = append(t.keys, "")
		}
		t.items = append(t.items, more.items...)
		t.keys = append(t.keys, more.keys...)
		for len(t.keys) < len(t.items) {
			t.keys = append(t.keys, "")
		}
	}
	if !r.ends() {
		t.kind = exOther
		return t, r.skip()
	}
	return t, nil
}

// ends reports whether a value is complete here. A new definition or the end of a block ends it too.
func (r *exReader) ends() bool {
	t := r.peek()
	return r.done() || slices.ContainsFunc([]string{",", "]", "}", ")", "=>"}, t.is) ||
		slices.ContainsFunc([]string{"end", "def", "defp", "else"}, t.word) || t.kind == exIdent && len(t.text) > 0 && t.text[0] == '@'
}

// skip passes over an expression up to the comma or bracket that ends it; do and fn go with their end.
func (r *exReader) skip() error {
	depth, line := 0, r.peek().line
	for !r.done() {
		t := r.peek()
		switch {
		case depth == 0 && r.ends():
			return nil
		case slices.ContainsFunc([]string{"(", "[", "{", "%{", "<<"}, t.is), t.word("do"), t.word("fn"):
			depth++
		case slices.ContainsFunc([]string{")", "]", "}", ">>"}, t.is), t.word("end"):
			depth--
		}
		r.pos++
	}
	if depth > 0 {
		return r.fail(line, "an expression that does not end")
	}
	return nil
}

func (r *exReader) simple(depth int) (exTerm, error) {
	if depth > exDepth {
		return exTerm{}, r.fail(r.peek().line, "nested deeper than %d", exDepth)
	}
	t := r.peek()
	term := exTerm{text: t.text, line: t.line}
	switch {
	case t.is("["), t.is("{"), t.is("%{"):
		return r.items(depth)
	case t.kind == exString:
		term.kind = exText
	case t.kind == exAtom:
		term.kind = exName
	case t.kind == exAlias:
		term.kind = exModule
	case t.kind == exNumber:
		term.kind = exNum
	case t.kind == exIdent:
		term.kind = exCall
		switch t.text {
		case "true", "false", "nil":
			term.kind = exName
		}
	default:
		return term, r.skip()
	}
	if t.dynamic {
		term.kind = exOther
	}
	r.pos++
	if term.kind == exCall && r.peek().is("(") && r.pos+1 < len(r.tokens) && r.tokens[r.pos+1].is(")") {
		r.pos += 2
	}
	return term, nil
}

// items reads a list, tuple or map.
func (r *exReader) items(depth int) (exTerm, error) {
	open := r.peek()
	t := exTerm{kind: map[string]exTermKind{"[": exList, "{": exTuple, "%{": exMap}[open.text], line: open.line}
	closing := map[string]string{"[": "]", "{": "}", "%{": "}"}[open.text]
	r.pos++
	for {
		if r.done() {
			return t, r.fail(open.line, "%s that does not end", open.text)
		}
		if r.peek().is(closing) {
			r.pos++
			return t, nil
		}
		key := ""
		if k := r.peek(); k.kind == exKey {
			key = k.text
			r.pos++
		}
		before := r.pos
		item, err := r.term(depth + 1)
		if err != nil {
			return t, err
		}
		if r.peek().is("=>") {
			r.pos++
			key = item.text
			if item, err = r.term(depth + 1); err != nil {
				return t, err
			}
		}
		t.add(key, item)
		switch n := r.peek(); {
		case n.is(","):
			r.pos++
		case n.is(closing):
		case r.done():
		default:
			return t, r.fail(n.line, "%q where , or %s is due", clip(n.text), closing)
		}
		if r.pos == before && !r.peek().is(closing) {
			return t, r.fail(r.peek().line, "%q is no value", clip(r.peek().text))
		}
	}
}

func (t *exTerm) add(key string, item exTerm) {
	if key != "" || t.keys != nil {
		for len(t.keys) < len(t.items) {
			t.keys = append(t.keys, "")
		}
		t.keys = append(t.keys, key)
	}
	t.items = append(t.items, item)
}
