package detect

import (
	"slices"
	"strings"
)

// A Gem is one gem line of a Gemfile.
type Gem struct {
	Name         string
	Requirements []string // "~> 4.0"; none for any version
	Groups       []string // none: default
	Line         int

	conditional bool   // under an if, a platform or an environment
	elsewhere   bool   // from a git repository, or a server of its own
	path        string // folder of the tree that holds it
}

// Production reports whether the gem is installed without the groups development and test.
func (g Gem) Production() bool {
	return !slices.ContainsFunc(g.Groups, func(s string) bool { return s == "development" || s == "test" }) ||
		slices.ContainsFunc(g.Groups, func(s string) bool { return s != "development" && s != "test" })
}

// Elsewhere reports whether the gem is from a folder, a git repository or a server of its own.
func (g Gem) Elsewhere() bool { return g.elsewhere || g.path != "" }

// A gemfile is what can be read of a Gemfile without running it.
type gemfile struct {
	gems     []Gem
	ruby     []string // requirements of the ruby line
	rubyFile string   // of ruby file: "…"
	rubyLine int
	files    []string // other files that it reads: eval_gemfile, gemspec
	dynamic  string   // the first thing that only Ruby can tell, with its line; "" when all was read
}

// A gemBlock is what holds for the lines up to its end.
type gemBlock struct {
	groups      []string
	path        string
	elsewhere   bool
	conditional bool
	opaque      bool // a loop or a definition: its lines run any number of times
}

// gemReader walks the statements of a Gemfile.
type gemReader struct {
	out    gemfile
	blocks []gemBlock
}

// parseGemfile reads a Gemfile's DSL: source, ruby, gem, group, path, git, gemspec, and blocks. What is computed is noted in
// dynamic, not run. The error is a [*ParseError].
func parseGemfile(file string, src []byte) (gemfile, error) {
	tokens, err := lexRuby(file, src)
	if err != nil {
		return gemfile{}, err
	}
	r := &gemReader{}
	for len(tokens) > 0 {
		n := rbStatement(tokens)
		if err := r.statement(file, rbTrim(tokens[:n])); err != nil {
			return gemfile{}, err
		}
		tokens = tokens[n:]
	}
	if len(r.blocks) > 0 {
		return gemfile{}, &ParseError{File: file, Msg: "a block does not end: add end"}
	}
	return r.out, nil
}

// rbStatement returns how many tokens the first statement has: lines that end in an operator or within brackets go on.
func rbStatement(tokens []rbToken) int {
	depth := 0
	for i, k := range tokens {
		switch {
		case k.kind == rbOp && (k.text == "(" || k.text == "[" || k.text == "{"):
			depth++
		case k.kind == rbOp && (k.text == ")" || k.text == "]" || k.text == "}"):
			depth = max(depth-1, 0)
		case k.kind == rbNewline && depth == 0:
			goesOn := i > 0 && tokens[i-1].kind == rbOp && slices.Contains([]string{",", ".", "=", "+", "||", "&&", "=>"}, tokens[i-1].text) || i > 0 && tokens[i-1].kind == rbLabel
			if !goesOn {
				return i + 1
			}
		}
	}
	return len(tokens)
}

func rbTrim(tokens []rbToken) []rbToken {
	return slices.DeleteFunc(slices.Clone(tokens), func(k rbToken) bool { return k.kind == rbNewline })
}

func (r *gemReader) statement(file string, s []rbToken) error {
	if len(s) == 0 || s[0].kind != rbWord {
		r.open(s, gemBlock{opaque: true})
		return nil
	}
	switch s[0].text {
	case "end":
		if len(r.blocks) == 0 {
			return &ParseError{File: file, Line: s[0].line, Msg: "end without a block"}
		}
		r.blocks = r.blocks[:len(r.blocks)-1]
	case "if", "unless", "case", "begin":
		r.nested(s, gemBlock{conditional: true})
	case "while", "until", "for", "def", "class", "module":
		r.nested(s, gemBlock{opaque: true})
	case "else", "elsif", "when", "rescue", "ensure", "in":
	case "gem", "group", "ruby", "source", "path", "git", "github", "gemspec", "eval_gemfile", "platform", "platforms", "install_if", "env":
		a := rbArguments(s[1:])
		if a.do && slices.ContainsFunc(s, func(k rbToken) bool { return k.kind == rbWord && k.text == "end" }) {
			r.unknown("a block in one line", s[0].line)
			a.do = false
		}
		r.call(s[0], a)
	default:
		r.open(s, gemBlock{opaque: true})
	}
	return nil
}

// nested pushes the block of a keyword, unless its end is in the same statement.
func (r *gemReader) nested(s []rbToken, b gemBlock) {
	if !slices.ContainsFunc(s, func(k rbToken) bool { return k.kind == rbWord && k.text == "end" }) {
		r.blocks = append(r.blocks, b)
		return
	}
	if slices.ContainsFunc(s, func(k rbToken) bool { return k.is("gem") }) {
		r.unknown("a block in one line", s[0].line)
	}
}

// open pushes a block if the statement begins one: it ends with do |x|, or assigns an if.
func (r *gemReader) open(s []rbToken, b gemBlock) {
	for i, k := range s {
		if k.is("do") || i > 0 && s[i-1].is("=") && (k.is("if") || k.is("unless") || k.is("case") || k.is("begin")) {
			r.nested(s, b)
			return
		}
	}
}

func (r *gemReader) unknown(what string, line int) {
	if r.out.dynamic == "" {
		r.out.dynamic = Evidence{File: "Gemfile", Line: line, Why: what}.String()
	}
}

// call takes a line of the DSL, in the blocks that are open.
func (r *gemReader) call(name rbToken, a rbArgs) {
	block := gemBlock{conditional: a.modified}
	switch name.text {
	case "gem":
		r.gem(name, a)
	case "group":
		block.groups = a.texts()
	case "ruby":
		r.out.ruby, r.out.rubyFile, r.out.rubyLine = a.texts(), strings.Join(a.options["file"], ""), name.line
	case "path":
		block.path = strings.Join(a.texts(), "")
	case "git", "github":
		block.elsewhere = true
	case "source":
		block.elsewhere = a.do
	case "gemspec", "eval_gemfile":
		r.unknown(name.text, name.line)
		r.out.files = append(r.out.files, a.texts()...)
	default:
		block.conditional = true
	}
	if a.do {
		r.blocks = append(r.blocks, block)
	}
}

func (r *gemReader) gem(name rbToken, a rbArgs) {
	if len(a.positional) == 0 || !a.positional[0].literal() {
		r.unknown("the name of a gem is computed", name.line)
		return
	}
	texts := a.texts()
	if len(texts) < len(a.positional) {
		r.unknown("a requirement is computed", name.line)
	}
	g := Gem{Name: texts[0], Requirements: texts[1:], Line: name.line, conditional: a.modified}
	g.Groups = append(slices.Clone(a.options["group"]), a.options["groups"]...)
	g.path = strings.Join(a.options["path"], "")
	for _, o := range []string{"git", "github", "gist", "bitbucket", "gitlab", "source"} {
		g.elsewhere = g.elsewhere || a.has(o)
	}
	for _, o := range []string{"platform", "platforms", "install_if"} {
		g.conditional = g.conditional || a.has(o)
	}
	for _, b := range r.blocks {
		g.Groups = append(g.Groups, b.groups...)
		g.elsewhere = g.elsewhere || b.elsewhere
		g.conditional = g.conditional || b.conditional
		if b.path != "" {
			g.path = b.path
		}
		if b.opaque {
			r.unknown("a gem in a loop", name.line)
		}
	}
	if g.conditional {
		r.unknown("a gem under a condition", name.line)
	}
	r.out.gems = append(r.out.gems, g)
}

// rbArgs are the arguments of a call.
type rbArgs struct {
	positional []rbToken
	options    map[string][]string
	modified   bool // by if or unless at its end
	do         bool // a block begins
}

func (a rbArgs) has(option string) bool { _, ok := a.options[option]; return ok }

// texts returns the positional arguments that are literal.
func (a rbArgs) texts() []string {
	var list []string
	for _, k := range a.positional {
		if k.literal() {
			list = append(list, k.text)
		}
	}
	return list
}

// rbArguments reads what follows the name of a call, with or without parentheses.
func rbArguments(s []rbToken) rbArgs {
	a := rbArgs{options: map[string][]string{}}
	option, depth := "", 0
	for i, k := range s {
		switch {
		case k.is("do"):
			a.do = true
			return a
		case k.is("if") || k.is("unless"):
			a.modified = true
			return a
		case k.kind == rbLabel:
			option = k.text
			a.options[option] = nil
		case k.literal() && i+1 < len(s) && s[i+1].is("=>"):
			option = k.text
			a.options[option] = nil
		case k.is("{"):
			depth++
		case k.is("}"):
			depth--
		case depth > 0 && option == "": // the body of a block in braces
		case k.kind == rbOp:
		case option != "":
			a.options[option] = append(a.options[option], rbValues(k)...)
		case k.kind == rbWords:
			for _, w := range strings.Fields(k.text) {
				a.positional = append(a.positional, rbToken{rbString, w, k.line, k.dynamic})
			}
		default:
			a.positional = append(a.positional, k)
		}
	}
	return a
}

func rbValues(k rbToken) []string {
	switch {
	case k.kind == rbWords:
		return strings.Fields(k.text)
	case k.literal():
		return []string{k.text}
	}
	return nil
}
