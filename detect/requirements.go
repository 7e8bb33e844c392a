package detect

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

const maxIncludes = 16 // requirements files that include each other

// A Requirement is one line of requirements.txt (PEP 508, names normalised by PEP 503).
type Requirement struct {
	Name   string   // "flask"
	Extras []string // "async" of flask[async]
	Spec   string   // ">=3,<4", "" for any version
	Marker string   // what follows the semicolon
	File   string
	Line   int
}

// Pinned reports whether exactly one version satisfies r.
func (r Requirement) Pinned() bool {
	return (strings.HasPrefix(r.Spec, "==") || strings.HasPrefix(r.Spec, "===")) && !strings.ContainsAny(r.Spec, "*,")
}

var (
	reqName   = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[([^\]]*)\])?\s*(.*)$`)
	reqSpec   = regexp.MustCompile(`^(?:(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+\s*(?:,\s*|$))+$`)
	separator = regexp.MustCompile(`[-_.]+`)
)

// normalName is PEP 503's normal form of a project name.
func normalName(s string) string { return strings.ToLower(separator.ReplaceAllString(s, "-")) }

// A requirementSet is what the requirements files of an app ask for.
type requirementSet struct {
	list   []Requirement
	files  []string // all that were read, in order
	hashed bool     // lines carry --hash
}

// readRequirements reads file and what it includes by -r and -c.
func readRequirements(t *tree, file string) (requirementSet, error) {
	var set requirementSet
	return set, set.read(t, file, false)
}

func (s *requirementSet) read(t *tree, file string, constraint bool) error {
	if slices.Contains(s.files, file) {
		return nil
	}
	if len(s.files) >= maxIncludes {
		return &ParseError{File: file, Msg: fmt.Sprintf("more than %d requirements files include each other", maxIncludes)}
	}
	s.files = append(s.files, file)
	b, err := t.read(file)
	if err != nil {
		return err
	}
	lines, err := parseRequirements(file, b)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if l.include != "" {
			next := path.Join(path.Dir(file), l.include)
			if !t.has(next) {
				return &ParseError{File: file, Line: l.line, Msg: fmt.Sprintf("%s is not in the tree", clip(l.include))}
			}
			if err := s.read(t, next, constraint || l.constraint); err != nil {
				return err
			}
			continue
		}
		s.hashed = s.hashed || l.hashed
		if !constraint {
			s.list = append(s.list, l.req)
		}
	}
	return nil
}

type requirementLine struct {
	req        Requirement
	include    string
	constraint bool
	hashed     bool
	line       int
}

// parseRequirements reads one file: comments, continued lines, -r and -c, --hash. Index options are left to pip's own
// configuration; editable, local and version control requirements are an [*UnsupportedError].
func parseRequirements(file string, data []byte) ([]requirementLine, error) {
	var list []requirementLine
	lines := strings.Split(strings.TrimPrefix(string(data), string(bom)), "\n")
	for i := 0; i < len(lines); i++ {
		start := i + 1
		text := strings.TrimSuffix(lines[i], "\r")
		for strings.HasSuffix(text, `\`) && i+1 < len(lines) {
			i++
			text = strings.TrimSuffix(text, `\`) + " " + strings.TrimSuffix(lines[i], "\r")
		}
		if c := strings.Index(" "+text, " #"); c >= 0 {
			text = text[:max(c-1, 0)]
		}
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' {
			continue
		}
		l, err := requirementOf(file, start, text)
		if err != nil {
			return nil, err
		}
		if l.include != "" || l.req.Name != "" {
			list = append(list, l)
		}
	}
	return list, nil
}

func requirementOf(file string, line int, text string) (requirementLine, error) {
	l := requirementLine{line: line}
	at := fmt.Sprintf("%s:%d", file, line)
	if text[0] == '-' {
		return l.option(at, text)
	}
	if i := strings.Index(text, " --"); i >= 0 {
		l.hashed = strings.Contains(text[i:], "--hash")
		text = strings.TrimSpace(text[:i])
	}
	if strings.Contains(text, "://") || strings.Contains(text, " @ ") || strings.HasPrefix(text, ".") || strings.HasPrefix(text, "/") {
		return l, &UnsupportedError{What: "a requirement by address or path", Evidence: at, Fix: "name a published version instead, or put the wheel on an index"}
	}
	text, marker, _ := strings.Cut(text, ";")
	m := reqName.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return l, &ParseError{File: file, Line: line, Msg: fmt.Sprintf("%q is not a requirement", clip(text))}
	}
	spec := strings.TrimSpace(strings.Trim(strings.TrimSpace(m[3]), "()"))
	if spec != "" && !reqSpec.MatchString(spec) {
		return l, &ParseError{File: file, Line: line, Msg: fmt.Sprintf("%q is not a version specifier", clip(spec))}
	}
	l.req = Requirement{Name: normalName(m[1]), Spec: strings.Join(strings.Fields(spec), ""), Marker: strings.TrimSpace(marker), File: file, Line: line}
	for e := range strings.SplitSeq(m[2], ",") {
		if e = strings.TrimSpace(e); e != "" {
			l.req.Extras = append(l.req.Extras, normalName(e))
		}
	}
	return l, nil
}

// option reads a line that begins with a dash.
func (l requirementLine) option(at, text string) (requirementLine, error) {
	flag, arg, ok := strings.Cut(text, " ")
	if !ok {
		flag, arg, _ = strings.Cut(text, "=")
	}
	if len(flag) > 2 && flag[1] != '-' { // -rother.txt
		flag, arg = flag[:2], flag[2:]
	}
	arg = strings.TrimSpace(arg)
	switch flag {
	case "-r", "--requirement":
		l.include = arg
	case "-c", "--constraint":
		l.include, l.constraint = arg, true
	case "-e", "--editable":
		return l, &UnsupportedError{What: "an editable requirement", Evidence: at, Fix: "list its dependencies; the app's own modules are found in its folder"}
	case "-f", "--find-links":
		return l, &UnsupportedError{What: "--find-links", Evidence: at, Fix: "put the wheels on an index"}
	}
	return l, nil
}
