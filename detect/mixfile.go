package detect

import (
	"slices"
)

// A mixFile is what mix.exs says without being run: the values that its functions and attributes have.
type mixFile struct {
	file   string
	funcs  map[string]exTerm // by name, of functions without arguments
	attrs  map[string]exTerm // by name with @
	reads  []string          // files that it reads while it is loaded: File.read!("VERSION")
	module string
}

// A mixDep is a dependency of mix.exs.
type mixDep struct {
	app  string
	line int
	only []string // environments; empty means all
	path string   // of a local one
	kind string   // "hex", "git" or "path"
}

// inProd reports whether the dependency is part of a production build.
func (d mixDep) inProd() bool { return len(d.only) == 0 || slices.Contains(d.only, "prod") }

func parseMix(file string, src []byte) (*mixFile, error) {
	tokens, err := exTokens(file, src)
	if err != nil {
		return nil, err
	}
	m := &mixFile{file: file, funcs: map[string]exTerm{}, attrs: map[string]exTerm{}}
	if err := balanced(file, tokens); err != nil {
		return nil, err
	}
	for i, t := range tokens {
		switch {
		case t.word("defmodule") && i+1 < len(tokens) && m.module == "":
			m.module = tokens[i+1].text
		case (t.word("def") || t.word("defp")) && i+1 < len(tokens) && tokens[i+1].kind == exIdent:
			if _, twice := m.funcs[tokens[i+1].text]; twice {
				continue // the first clause counts
			}
			if body := funcBody(tokens[i+2:]); body != nil {
				m.funcs[tokens[i+1].text] = value(file, body)
			}
		case t.kind == exIdent && t.text[0] == '@' && i+1 < len(tokens) && tokens[i+1].line == t.line:
			if _, twice := m.attrs[t.text]; !twice {
				m.attrs[t.text] = value(file, sameLine(tokens[i+1:]))
			}
		case t.kind == exAlias && t.text == "File" && i+4 < len(tokens) && tokens[i+3].is("(") && tokens[i+4].kind == exString && !tokens[i+4].dynamic:
			m.reads = append(m.reads, tokens[i+4].text)
		}
	}
	return m, nil
}

// balanced checks brackets, which tells a cut or merged file from one that is only hard to read.
func balanced(file string, tokens []exToken) error {
	closing := map[string]string{"(": ")", "[": "]", "{": "}", "%{": "}", "<<": ">>"}
	var open []exToken
	for _, t := range tokens {
		if t.kind != exPunct {
			continue
		}
		if closing[t.text] != "" {
			open = append(open, t)
			continue
		}
		if !t.is(")") && !t.is("]") && !t.is("}") && !t.is(">>") {
			continue
		}
		if len(open) == 0 || closing[open[len(open)-1].text] != t.text {
			return &ParseError{File: file, Line: t.line, Msg: "a " + t.text + " that opens nowhere"}
		}
		open = open[:len(open)-1]
	}
	if len(open) > 0 {
		last := open[len(open)-1]
		return &ParseError{File: file, Line: last.line, Msg: "a " + last.text + " that does not end"}
	}
	return nil
}

// funcBody returns the tokens between do and its end, or behind do:, of a function without arguments.
func funcBody(rest []exToken) []exToken {
	if len(rest) > 1 && rest[0].is("(") && rest[1].is(")") {
		rest = rest[2:]
	}
	if len(rest) > 1 && rest[0].is(",") && rest[1].kind == exKey && rest[1].text == "do" {
		return rest[2:]
	}
	if len(rest) == 0 || !rest[0].word("do") {
		return nil
	}
	depth := 0
	for i, t := range rest {
		switch {
		case t.word("do"), t.word("fn"):
			depth++
		case t.word("end"):
			if depth--; depth == 0 {
				return rest[1:i]
			}
		}
	}
	return nil
}

func sameLine(tokens []exToken) []exToken {
	n, depth := 0, 0
	for n < len(tokens) && (depth > 0 || tokens[n].line == tokens[0].line) {
		switch t := tokens[n]; {
		case t.is("["), t.is("{"), t.is("%{"), t.is("("):
			depth++
		case t.is("]"), t.is("}"), t.is(")"):
			depth--
		}
		n++
	}
	return tokens[:n]
}

// value is what a body is: its only expression, or the list that it ends with.
func value(file string, body []exToken) exTerm {
	r := &exReader{file: file, tokens: body}
	if t, err := r.term(0); err == nil && t.kind != exOther {
		return t
	}
	start, depth := -1, 0
	for i, t := range body {
		switch {
		case t.is("["), t.is("{"), t.is("%{"), t.is("("):
			if depth == 0 && t.is("[") && i > 0 && body[i-1].line < t.line {
				start = i
			}
			depth++
		case t.is("]"), t.is("}"), t.is(")"):
			depth--
		}
	}
	if start < 0 {
		return exTerm{kind: exOther}
	}
	r = &exReader{file: file, tokens: body[start:]}
	t, err := r.term(0)
	if err != nil {
		return exTerm{kind: exOther}
	}
	return t
}

// resolve follows calls of the file's own functions and attributes.
func (m *mixFile) resolve(t exTerm) exTerm {
	const most = 8 // calls of calls
	for range most {
		if t.kind != exCall {
			return t
		}
		next, ok := m.funcs[t.text]
		if !ok {
			next, ok = m.attrs[t.text]
		}
		if !ok {
			return exTerm{kind: exOther, line: t.line}
		}
		t = next
	}
	return exTerm{kind: exOther}
}

// project returns a value of the project's keyword list, resolved.
func (m *mixFile) project(key string) (exTerm, bool) {
	t, ok := m.resolve(m.funcs["project"]).get(key)
	return m.resolve(t), ok
}

// deps returns the dependencies, and false if they are not all written down.
func (m *mixFile) deps() ([]mixDep, bool) {
	list, ok := m.project("deps")
	if !ok {
		return nil, true
	}
	if list.kind != exList {
		return nil, false
	}
	all := true
	var deps []mixDep
	for _, t := range list.items {
		t = m.resolve(t)
		if t.kind != exTuple || t.at(0).kind != exName {
			all = false
			continue
		}
		deps = append(deps, m.dep(t))
	}
	return deps, all
}

func (m *mixFile) dep(t exTerm) mixDep {
	d := mixDep{app: t.at(0).text, line: t.line, kind: "hex"}
	options := lastOptions(t)
	for i, key := range options.keys {
		v := m.resolve(options.items[i])
		switch key {
		case "only":
			d.only = exNames(v)
		case "git", "github", "gitlab":
			d.kind = "git"
		case "path":
			d.kind, d.path = "path", v.text
		case "in_umbrella":
			d.kind = "path"
		}
	}
	return d
}

// exNames reads an atom or a list of atoms.
func exNames(t exTerm) []string {
	if t.kind == exName {
		return []string{t.text}
	}
	var names []string
	for _, i := range t.items {
		if i.kind == exName {
			names = append(names, i.text)
		}
	}
	return names
}
