package detect

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// An ednForm is a form of Clojure's data notation as project.clj, deps.edn and build.clj use it.
type ednForm struct {
	kind  ednKind
	text  string     // of a symbol, a keyword with its colon, a string without quotes, a number
	items []*ednForm // of a collection; of a map keys and values in turn
	line  int
}

type ednKind byte

const (
	ednAtom   ednKind = iota // symbol, keyword, number
	ednString                // "…", #"…"
	ednList                  // (…)
	ednVector                // […]
	ednMap                   // {…}
	ednSet                   // #{…}
)

const (
	maxEDNForms = 100_000 // of one file
	maxEDNDepth = 200
)

// parseEDN reads all forms of a file. Quotes, metadata and reader tags are dropped, what #_ discards too; an anonymous
// function is a list. The error is a [*ParseError].
func parseEDN(file string, data []byte) ([]*ednForm, error) {
	r := ednReader{file: file, src: string(data), line: 1}
	var list []*ednForm
	for {
		f, err := r.form(0)
		if err != nil {
			return nil, err
		}
		if f == nil {
			if r.pos < len(r.src) {
				return nil, r.fail("%q closes nothing", r.src[r.pos:r.pos+1])
			}
			return list, nil
		}
		list = append(list, f)
	}
}

type ednReader struct {
	file  string
	src   string
	pos   int
	line  int
	forms int
}

func (r *ednReader) fail(format string, args ...any) error {
	return &ParseError{File: r.file, Line: r.line, Msg: fmt.Sprintf(format, args...)}
}

func (r *ednReader) skip() {
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; {
		case c == '\n':
			r.line++
			r.pos++
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == ',':
			r.pos++
		case c == ';' || strings.HasPrefix(r.src[r.pos:], "#!"):
			r.pos += codeLineEnd([]byte(r.src[r.pos:]))
		case strings.HasPrefix(r.src[r.pos:], "\ufeff"):
			r.pos += len("\ufeff")
		default:
			return
		}
	}
}

// form reads the next form; nil at the end of the file and before a closing bracket.
func (r *ednReader) form(depth int) (*ednForm, error) {
	if r.forms++; r.forms > maxEDNForms || depth > maxEDNDepth {
		return nil, r.fail("more than %d forms, or more than %d in one another", maxEDNForms, maxEDNDepth)
	}
	r.skip()
	if r.pos >= len(r.src) {
		return nil, nil
	}
	rest := r.src[r.pos:]
	switch {
	case strings.HasPrefix(rest, "#_"):
		r.pos += 2
		if f, err := r.form(depth + 1); err != nil || f == nil {
			return nil, r.orNothing(err, "#_")
		}
		return r.form(depth)
	case strings.HasPrefix(rest, "#{"):
		return r.collection(2, '}', ednSet, depth)
	case strings.HasPrefix(rest, "#("):
		return r.collection(2, ')', ednList, depth)
	case rest[0] == '(':
		return r.collection(1, ')', ednList, depth)
	case rest[0] == '[':
		return r.collection(1, ']', ednVector, depth)
	case rest[0] == '{':
		return r.collection(1, '}', ednMap, depth)
	case strings.ContainsRune(")]}", rune(rest[0])):
		return nil, nil
	case rest[0] == '"' || strings.HasPrefix(rest, `#"`):
		return r.string(rest)
	case rest[0] == '^' || strings.HasPrefix(rest, "#^"):
		r.pos += strings.IndexByte(rest, '^') + 1
		if f, err := r.form(depth + 1); err != nil || f == nil { // the metadata itself
			return nil, r.orNothing(err, "^")
		}
		return r.form(depth)
	case strings.ContainsRune("'`~@", rune(rest[0])):
		r.pos++
		return r.form(depth)
	case rest[0] == '#' && len(rest) > 1:
		return r.tagged(depth)
	}
	return r.atom(rest), nil
}

func (r *ednReader) orNothing(err error, what string) error {
	if err != nil {
		return err
	}
	return r.fail("nothing follows %s", what)
}

// tagged reads #tag form, #:name{…}, #?(…) as the form alone, and #'var and ##Inf as the word.
func (r *ednReader) tagged(depth int) (*ednForm, error) {
	r.pos++
	mark := r.src[r.pos]
	for r.pos < len(r.src) && strings.ContainsRune("'?@=:#", rune(r.src[r.pos])) {
		r.pos++
	}
	if r.pos < len(r.src) && !strings.ContainsRune(" \t\r\n,;\"()[]{}", rune(r.src[r.pos])) {
		word := r.atom(r.src[r.pos:])
		if mark == '\'' || mark == '#' {
			return word, nil
		}
	}
	f, err := r.form(depth + 1)
	if err != nil || f == nil {
		return nil, r.orNothing(err, "#")
	}
	return f, nil
}

func (r *ednReader) collection(open int, closing byte, kind ednKind, depth int) (*ednForm, error) {
	f := &ednForm{kind: kind, line: r.line}
	r.pos += open
	for {
		item, err := r.form(depth + 1)
		if err != nil {
			return nil, err
		}
		if item != nil {
			f.items = append(f.items, item)
			continue
		}
		if r.pos >= len(r.src) {
			return nil, &ParseError{File: r.file, Line: f.line, Msg: fmt.Sprintf("what opens here is never closed by %q", closing)}
		}
		if r.src[r.pos] != closing {
			return nil, r.fail("%q closes what %q should", r.src[r.pos], closing)
		}
		r.pos++
		if kind == ednMap && len(f.items)%2 == 1 {
			return nil, &ParseError{File: r.file, Line: f.line, Msg: "a map has a key without a value"}
		}
		return f, nil
	}
}

func (r *ednReader) string(rest string) (*ednForm, error) {
	f := &ednForm{kind: ednString, line: r.line}
	var b strings.Builder
	for i := strings.IndexByte(rest, '"') + 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && i+1 < len(rest):
			i++
			if rest[i] == '\n' {
				r.line++
			}
			b.WriteByte(rest[i])
		case c == '"':
			f.text = b.String()
			r.pos += i + 1
			return f, nil
		default:
			if c == '\n' {
				r.line++
			}
			b.WriteByte(c)
		}
	}
	return nil, &ParseError{File: r.file, Line: f.line, Msg: "a string has no end"}
}

// atom reads up to what ends a word; a character such as \( is one too.
func (r *ednReader) atom(rest string) *ednForm {
	end := 0
	if rest[0] == '\\' && len(rest) > 1 {
		_, n := utf8.DecodeRuneInString(rest[1:])
		end = 1 + n
	}
	for end < len(rest) && !strings.ContainsRune(" \t\r\n\f,;\"()[]{}", rune(rest[end])) {
		end++
	}
	end = max(end, 1)
	r.pos += end
	return &ednForm{kind: ednAtom, text: rest[:end], line: r.line}
}

// at returns the value of a key of a map, or of the key-value pairs of a list from its third item on, as in defproject.
// It may be called on nil.
func (f *ednForm) at(keys ...string) *ednForm {
	for _, key := range keys {
		if f == nil || f.kind != ednMap && f.kind != ednList {
			return nil
		}
		from := 0
		if f.kind == ednList {
			from = slices.IndexFunc(f.items, func(i *ednForm) bool { return strings.HasPrefix(i.text, ":") && i.kind == ednAtom })
		}
		var next *ednForm
		for i := max(from, 0); i+1 < len(f.items); i += 2 {
			if f.items[i].kind == ednAtom && f.items[i].text == key {
				next = f.items[i+1]
			}
		}
		f = next
	}
	return f
}

// value is the text of the atom or string at the keys.
func (f *ednForm) value(keys ...string) string {
	if v := f.at(keys...); v != nil {
		return v.text
	}
	return ""
}

// walk calls visit with f and all forms in it.
func (f *ednForm) walk(visit func(*ednForm)) {
	visit(f)
	for _, i := range f.items {
		i.walk(visit)
	}
}
