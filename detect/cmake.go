package detect

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	maxBuildFiles = 64      // of one project, that are followed
	maxExpanded   = 1 << 10 // bytes of one argument after its variables
)

// A cmakeCommand is one invocation: its lower-cased name and its arguments, with quotes and comments gone.
type cmakeCommand struct {
	name string
	args []string
	line int
}

// parseCMake reads the invocations of a CMakeLists.txt as cmake-language(7) has them. The error is a [*ParseError].
func parseCMake(file string, src []byte) ([]cmakeCommand, error) {
	s := cmakeScanner{rest: strings.TrimPrefix(string(src), "\ufeff"), line: 1}
	var list []cmakeCommand
	for len(list) < maxTokens {
		s.space()
		if s.rest == "" {
			break
		}
		name := cmakeName.FindString(s.rest)
		if name == "" {
			return nil, &ParseError{File: file, Line: s.line, Msg: fmt.Sprintf("%q is no command", clip(firstLine(s.rest)))}
		}
		c := cmakeCommand{name: strings.ToLower(name), line: s.line}
		s.skip(len(name))
		s.space()
		if !strings.HasPrefix(s.rest, "(") {
			return nil, &ParseError{File: file, Line: s.line, Msg: clip(name) + " has no arguments in parentheses"}
		}
		s.skip(1)
		var ok bool
		if c.args, ok = s.arguments(); !ok {
			return nil, &ParseError{File: file, Line: c.line, Msg: "the parentheses of " + clip(name) + " are not closed"}
		}
		list = append(list, c)
	}
	return list, nil
}

var (
	cmakeName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)
	cmakeBracket = regexp.MustCompile(`^\[=*\[`)
	cmakeWord    = regexp.MustCompile(`^(?:[^\s()#"\\]|\\.|"[^"\n]*")+`)
)

func firstLine(s string) string { return s[:untilNewline(s)] }

type cmakeScanner struct {
	rest string
	line int
}

func (s *cmakeScanner) skip(n int) {
	s.line += strings.Count(s.rest[:n], "\n")
	s.rest = s.rest[n:]
}

// space skips white space and comments.
func (s *cmakeScanner) space() {
	for s.rest != "" {
		switch {
		case s.rest[0] <= ' ':
			s.skip(1)
		case strings.HasPrefix(s.rest, "#") && cmakeBracket.MatchString(s.rest[1:]):
			s.skip(1)
			s.bracket()
		case s.rest[0] == '#':
			s.skip(untilNewline(s.rest))
		default:
			return
		}
	}
}

// bracket reads [=[ text ]=].
func (s *cmakeScanner) bracket() string {
	open := cmakeBracket.FindString(s.rest)
	end := strings.ReplaceAll(open, "[", "]")
	body, _, found := strings.Cut(s.rest[len(open):], end)
	n := len(open) + len(body)
	if found {
		n += len(end)
	}
	s.skip(n)
	return strings.TrimPrefix(body, "\n")
}

func (s *cmakeScanner) arguments() (args []string, closed bool) {
	for depth := 1; ; {
		s.space()
		switch {
		case s.rest == "":
			return nil, false
		case s.rest[0] == '(':
			depth++
			s.skip(1)
		case s.rest[0] == ')':
			depth--
			s.skip(1)
			if depth == 0 {
				return args, true
			}
		case cmakeBracket.MatchString(s.rest):
			args = append(args, s.bracket())
		case s.rest[0] == '"':
			args = append(args, s.quoted())
		default:
			word := cmakeWord.FindString(s.rest)
			if word == "" { // a lone backslash
				word = s.rest[:1]
			}
			s.skip(len(word))
			args = append(args, word)
		}
	}
}

func (s *cmakeScanner) quoted() string {
	var b strings.Builder
	n := 1
	for n < len(s.rest) && s.rest[n] != '"' {
		if s.rest[n] == '\\' && n+1 < len(s.rest) {
			n++
		}
		b.WriteByte(s.rest[n])
		n++
	}
	s.skip(min(n+1, len(s.rest)))
	return b.String()
}

// readCMake follows the CMakeLists.txt of the root through its folders.
func readCMake(t *tree) (cppProject, error) {
	r := cmakeReader{t: t, vars: map[string]string{}}
	err := r.file(".")
	return r.project, err
}

type cmakeReader struct {
	t       *tree
	vars    map[string]string
	seen    []string
	project cppProject
}

func (r *cmakeReader) file(dir string) error {
	if len(r.seen) >= maxBuildFiles || slices.Contains(r.seen, dir) {
		return nil
	}
	r.seen = append(r.seen, dir)
	name := path.Join(dir, "CMakeLists.txt")
	if !r.t.has(name) {
		return nil // of a submodule that detection does not see, or written by the build itself
	}
	src, err := r.t.read(name)
	if err != nil {
		return err
	}
	commands, err := parseCMake(name, src[:min(len(src), maxSource)])
	if err != nil {
		return err
	}
	for _, c := range commands {
		for i := range c.args {
			c.args[i] = r.expand(c.args[i])
		}
		if len(c.args) == 0 {
			continue
		}
		if err := r.command(dir, fmt.Sprintf("%s:%d", name, c.line), c); err != nil {
			return err
		}
	}
	return nil
}

func (r *cmakeReader) command(dir, from string, c cmakeCommand) error {
	has := func(word string) bool { return slices.Contains(c.args[1:], word) }
	switch c.name {
	case "project":
		r.vars["PROJECT_NAME"] = c.args[0]
		if dir == "." {
			r.project.name, r.vars["CMAKE_PROJECT_NAME"] = c.args[0], c.args[0]
		}
	case "set":
		r.vars[c.args[0]] = strings.Join(c.args[1:], ";")
	case "add_executable":
		if !has("IMPORTED") && !has("ALIAS") {
			r.project.programs = append(r.project.programs, cppProgram{target: c.args[0], from: from + " add_executable", dir: dir, aside: has("EXCLUDE_FROM_ALL")})
		}
	case "set_target_properties", "set_property":
		r.rename(c.args)
	case "find_package":
		r.project.requires = append(r.project.requires, cppRequire{c.args[0], from + " find_package", !has("REQUIRED")})
	case "pkg_check_modules", "pkg_search_module":
		r.modules(from, c)
	case "fetchcontent_declare", "externalproject_add", "cpmaddpackage", "cpm_add_package":
		if r.project.fetch == "" && !has("SOURCE_DIR") {
			r.project.fetch = from + " " + c.name
		}
	case "add_subdirectory":
		if sub := subfolder(dir, c.args[0]); sub != "" && !has("EXCLUDE_FROM_ALL") {
			name := r.vars["PROJECT_NAME"]
			defer func() { r.vars["PROJECT_NAME"] = name }()
			return r.file(sub)
		}
	}
	return nil
}

// rename takes the OUTPUT_NAME that a target gets: set_target_properties(T … PROPERTIES OUTPUT_NAME X) or
// set_property(TARGET T PROPERTY OUTPUT_NAME X).
func (r *cmakeReader) rename(args []string) {
	at := slices.Index(args, "OUTPUT_NAME")
	if at < 0 || at+1 >= len(args) {
		return
	}
	for i, q := range r.project.programs {
		if slices.Contains(args[:at], q.target) {
			r.project.programs[i].name = args[at+1]
		}
	}
}

func (r *cmakeReader) modules(from string, c cmakeCommand) {
	r.project.pkgConfig = true
	for _, m := range c.args[1:] {
		name := moduleName.FindString(m)
		if name != "" && strings.ToUpper(name) != name {
			r.project.requires = append(r.project.requires, cppRequire{name, from + " " + c.name, !slices.Contains(c.args, "REQUIRED")})
		}
	}
}

var (
	moduleName = regexp.MustCompile(`^[A-Za-z0-9_.+-]+`)
	cmakeVar   = regexp.MustCompile(`\$\{([A-Za-z0-9_./+-]+)\}`)
)

// expand replaces the variables that the files set; those that nothing is known of stay.
func (r *cmakeReader) expand(arg string) string {
	if !strings.Contains(arg, "${") || len(arg) > maxExpanded {
		return arg
	}
	out := cmakeVar.ReplaceAllStringFunc(arg, func(ref string) string {
		if v, ok := r.vars[ref[2:len(ref)-1]]; ok && len(v) <= maxExpanded {
			return v
		}
		return ref
	})
	return out[:min(len(out), maxExpanded)]
}
