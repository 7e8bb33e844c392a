package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// readMeson follows the meson.build of the root through its folders.
func readMeson(t *tree) (cppProject, error) {
	r := mesonReader{t: t, vars: map[string]string{}}
	r.project.pkgConfig = true // Meson looks for every dependency there first
	err := r.file(".")
	return r.project, err
}

type mesonReader struct {
	t       *tree
	vars    map[string]string // strings that the files assign
	seen    []string
	project cppProject
}

func (r *mesonReader) file(dir string) error {
	name := path.Join(dir, "meson.build")
	if len(r.seen) >= maxBuildFiles || slices.Contains(r.seen, dir) || !r.t.has(name) {
		return nil
	}
	r.seen = append(r.seen, dir)
	src, err := r.t.read(name)
	if err != nil {
		return err
	}
	tokens := lex(src[:min(len(src), maxSource)], mesonSyntax)
	if dir == "." && len(calls(tokens, "project")) == 0 {
		return &ParseError{File: name, Msg: "the first statement is not project()"}
	}
	for i := 0; i+2 < len(tokens); i++ {
		if tokens[i].kind == wordToken && tokens[i+1].is("=") && tokens[i+2].kind == stringToken {
			r.vars[tokens[i].text] = tokens[i+2].text
		}
	}
	for _, c := range calls(tokens, "project", "executable", "subdir", "dependency", "subproject") {
		if len(c.args) == 0 {
			continue
		}
		if err := r.call(dir, fmt.Sprintf("%s:%d", name, c.line), c); err != nil {
			return err
		}
	}
	return nil
}

func (r *mesonReader) call(dir, from string, c call) error {
	name := r.text(c.args[0].value)
	switch c.name {
	case "project":
		if dir == "." {
			r.project.name = name
		}
	case "executable":
		if name != "" {
			r.project.programs = append(r.project.programs, cppProgram{target: name, from: from + " executable", dir: dir, aside: isWord(c.arg("build_by_default"), "false")})
		}
	case "subdir":
		if sub := subfolder(dir, name); sub != "" && name != "" {
			return r.file(sub)
		}
	case "dependency":
		if name != "" {
			r.project.requires = append(r.project.requires, cppRequire{name, from + " dependency", isWord(c.arg("required"), "false")})
		}
	case "subproject":
		if name != "" && r.t.has("subprojects/"+name+".wrap") && !r.t.dirs["subprojects/"+name] && r.project.fetch == "" {
			r.project.fetch = "subprojects/" + name + ".wrap"
		}
	}
	return nil
}

func isWord(tokens []lexeme, word string) bool { return len(tokens) > 0 && tokens[0].word(word) }

// text evaluates what names are made of: strings, variables that hold one, meson.project_name(), and + between them.
func (r *mesonReader) text(tokens []lexeme) string {
	var b strings.Builder
	for i, t := range tokens {
		switch {
		case t.kind == stringToken:
			b.WriteString(t.text)
		case t.word("project_name"):
			b.WriteString(r.project.name)
		case t.kind == wordToken && r.vars[t.text] != "" && (i+1 == len(tokens) || tokens[i+1].is("+")):
			b.WriteString(r.vars[t.text])
		}
	}
	return b.String()
}
