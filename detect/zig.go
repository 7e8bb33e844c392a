package detect

import (
	"fmt"
	"slices"
)

// ZigFacts are what the Zig template needs beyond the plan.
type ZigFacts struct {
	Programs   []string // sorted
	Manifests  []string // build.zig.zon and what it needs to be read
	LockDigest string   // of build.zig.zon, hex; "" when no package has to be fetched
}

func claimZig(t *tree) []Evidence {
	if t.has("build.zig") {
		return []Evidence{{File: "build.zig", Why: "build script"}}
	}
	return nil
}

func planZig(t *tree, p *Plan) error {
	facts := &ZigFacts{}
	p.Zig = facts
	p.Tool = Tool{Name: "zig", From: "build.zig"}
	var zon zonValue
	if t.has("build.zig.zon") {
		src, err := t.read("build.zig.zon")
		if err != nil {
			return err
		}
		if zon, err = parseZon("build.zig.zon", src[:min(len(src), maxSource)]); err != nil {
			return err
		}
		p.Tool.From = "build.zig.zon"
	}
	least := zon.field("minimum_zig_version")
	p.Runtimes = []Runtime{runtime("zig", append(append([]request{p.asked("zig"), pinned(t, ".zigversion"), pinned(t, ".zig-version")},
		polyglot(t, "zig")...), request{least.text, "build.zig.zon minimum_zig_version"}), "")}
	for _, f := range zon.fields {
		if f.name == "minimum_zig_version" {
			p.note("build.zig.zon "+f.name, f.line)
		}
	}
	name := zon.field("name").text
	for _, d := range zon.field("dependencies").fields {
		if d.value.field("url").text != "" {
			if d.value.field("hash").text == "" {
				return &ParseError{File: "build.zig.zon", Line: d.line, Msg: "dependency " + clip(d.name) + " has no .hash; run zig fetch --save"}
			}
			facts.Manifests = []string{"build.zig", "build.zig.zon"}
		}
		if slices.Contains([]string{"httpz", "zap", "jetzig", "tokamak", "zzz"}, d.name) {
			p.Frameworks = append(p.Frameworks, d.name)
		}
	}
	var err error
	if len(facts.Manifests) > 0 {
		if facts.LockDigest, err = t.digest([]string{"build.zig.zon"}); err != nil {
			return err
		}
	}
	src := t.source("build.zig")
	programs := zigPrograms(src, name)
	for _, q := range programs {
		facts.Programs = append(facts.Programs, q.name)
	}
	slices.Sort(facts.Programs)
	p.startPrograms("addExecutable in build.zig", programs, name)
	return nil
}

// zigPrograms reads the names that build.zig gives to executables. One that is no literal is the package's own name.
func zigPrograms(src []byte, name string) []program {
	var list []program
	for _, c := range calls(lex(src, zigSyntax), "addExecutable") {
		q := program{name, fmt.Sprintf("build.zig:%d addExecutable", c.line)}
		if len(c.args) > 0 {
			if v := (&zonParser{tokens: c.args[0].value}).value(0); v.field("name").text != "" {
				q.name = v.field("name").text
			}
		}
		known := slices.ContainsFunc(list, func(r program) bool { return r.name == q.name })
		if !known && q.name != "" && !isTestName(q.name) {
			list = append(list, q)
		}
	}
	return list
}

// A zonValue is a string, number or enum literal, whose text it is, or a struct.
type zonValue struct {
	text   string
	fields []zonField
}

type zonField struct {
	name  string
	line  int
	value zonValue
}

func (v zonValue) field(name string) zonValue {
	for _, f := range v.fields {
		if f.name == name {
			return f.value
		}
	}
	return zonValue{}
}

// parseZon reads Zig object notation: .{ .name = .x, .list = .{ "a" } }. The error is a [*ParseError].
func parseZon(file string, src []byte) (zonValue, error) {
	p := zonParser{tokens: lex(src, zigSyntax)}
	v := p.value(0)
	if v.fields == nil {
		return v, &ParseError{File: file, Line: 1, Msg: "it does not begin with .{ and a field"}
	}
	if p.open > 0 {
		return v, &ParseError{File: file, Line: p.tokens[len(p.tokens)-1].line, Msg: "a } is missing"}
	}
	return v, nil
}

type zonParser struct {
	tokens []lexeme
	pos    int
	open   int // braces that the text does not close
}

func (p *zonParser) at(sign string) bool { return p.pos < len(p.tokens) && p.tokens[p.pos].is(sign) }

func (p *zonParser) value(depth int) zonValue {
	var v zonValue
	if p.at("&") {
		p.pos++
	}
	dotted := p.at(".")
	if dotted {
		p.pos++
	}
	if !p.at("{") {
		v.text = p.text(dotted)
		return v
	}
	p.pos++
	p.open++
	for depth < maxDepth && p.pos < len(p.tokens) {
		start := p.pos
		switch {
		case p.at("}"):
			p.pos++
			p.open--
			return v
		case p.at(","):
			p.pos++
		case p.at("."):
			v.fields = append(v.fields, p.field(depth))
		default:
			p.value(depth + 1) // an element of a list
		}
		if p.pos == start {
			p.pos++ // what is no notation
		}
	}
	return v
}

// field reads .name = value, or an element that is an enum literal or a struct.
func (p *zonParser) field(depth int) zonField {
	f := zonField{line: p.tokens[p.pos].line}
	if p.pos+2 < len(p.tokens) && p.tokens[p.pos+2].is("=") && p.tokens[p.pos+1].kind == wordToken {
		f.name = p.tokens[p.pos+1].text
		p.pos += 3
	} else if p.pos+3 < len(p.tokens) && p.tokens[p.pos+1].is("@") && p.tokens[p.pos+3].is("=") { // .@"a-b" = …
		f.name = p.tokens[p.pos+2].text
		p.pos += 4
	}
	f.value = p.value(depth + 1)
	return f
}

// text reads an expression up to the end of the field. It is "" unless that is one string or, behind a dot, one name.
func (p *zonParser) text(dotted bool) string {
	start, depth := p.pos, 0
	for ; p.pos < len(p.tokens); p.pos++ {
		t := p.tokens[p.pos]
		if depth == 0 && (t.is(",") || t.is("}") || t.is(")")) {
			break
		}
		switch {
		case t.is("(") || t.is("{") || t.is("["):
			depth++
		case t.is(")") || t.is("}") || t.is("]"):
			depth--
		}
	}
	expr := p.tokens[start:p.pos]
	if len(expr) == 2 && expr[0].is("@") { // .@"a-b"
		expr = expr[1:]
	}
	if len(expr) == 1 && (expr[0].kind == stringToken || dotted && expr[0].kind == wordToken) {
		return expr[0].text
	}
	return ""
}
