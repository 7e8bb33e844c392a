package detect

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"hop3/detect/internal/pypi"
)

const (
	maxIncludes    = 16       // requirements files that include each other
	maxLine        = 64 << 10 // bytes of one line; those with the hashes of 200 files have 15 KiB
	maxRequirement = 2 << 10  // bytes of one requirement without its hashes
)

// A Requirement is one line of requirements.txt (PEP 508, names normalised by PEP 503).
type Requirement struct {
	Name   string   // "flask"
	Extras []string // "async" of flask[async]
	Spec   string   // ">=3,<4", "" for any version
	URL    string   // of a wheel that is named by its address
	Marker string   // what follows the semicolon
	File   string
	Line   int

	raw string // as the file has it, with its options
}

// Pinned reports whether exactly one version satisfies r.
func (r Requirement) Pinned() bool {
	return r.URL != "" || strings.HasPrefix(r.Spec, "==") && !strings.ContainsAny(r.Spec, "*,")
}

// String is r as pip reads it.
func (r Requirement) String() string {
	s := r.Name
	if len(r.Extras) > 0 {
		s += "[" + strings.Join(r.Extras, ",") + "]"
	}
	if s += r.Spec; r.URL != "" {
		s += " @ " + r.URL
	}
	if r.Marker != "" {
		s += " ; " + r.Marker
	}
	return s
}

// A requirementSet is what the requirements files of an app ask for.
type requirementSet struct {
	list    []Requirement
	files   []string // all that were read, in order
	options []string // lines for pip itself, constraints among them
	local   []string // folders of the tree that are packages
	hashed  bool     // lines carry --hash
}

// text is the set as one requirements file. Constraints stay includes, relative to the folder of the manifests.
func (s requirementSet) text() string {
	lines := slices.Clone(s.options)
	for _, r := range s.list {
		if r.raw != "" {
			lines = append(lines, r.raw)
		} else {
			lines = append(lines, r.String())
		}
	}
	return strings.Join(lines, "\n") + "\n"
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
		if err := s.add(t, file, l, constraint); err != nil {
			return err
		}
	}
	return nil
}

// add takes over one line of file.
func (s *requirementSet) add(t *tree, file string, l requirementLine, constraint bool) error {
	switch {
	case l.include != "":
		next := path.Join(path.Dir(file), l.include)
		if !t.has(next) {
			return &ParseError{File: file, Line: l.line, Msg: fmt.Sprintf("%s is not in the tree", clip(l.include))}
		}
		if l.constraint && !constraint {
			s.options = append(s.options, "-c "+next)
		}
		return s.read(t, next, constraint || l.constraint)
	case l.local != "":
		dir := path.Join(path.Dir(file), l.local)
		if !t.dirs[dir] {
			return &ParseError{File: file, Line: l.line, Msg: fmt.Sprintf("%s is no folder of the tree", clip(l.local))}
		}
		s.local = append(s.local, dir)
		return nil
	case constraint:
		return nil
	case l.option != "":
		s.options = append(s.options, l.option)
		return nil
	}
	s.hashed = s.hashed || l.hashed
	s.list = append(s.list, l.req)
	return nil
}

// A requirementLine is one of: a requirement, an include, a package of the tree, an option of pip's.
type requirementLine struct {
	req        Requirement
	include    string
	constraint bool
	local      string
	option     string
	hashed     bool
	line       int
}

const (
	maxPipLines     = 50_000 // of one file; a megabyte of hashes has 12,000
	maxRequirements = 5000   // of one file; the longest seen have 600
)

// parseRequirements reads one file: comments, continued lines, -r and -c, --hash, packages of the tree. Index options are
// left to pip; what is in version control is an [*UnsupportedError].
func parseRequirements(file string, data []byte) ([]requirementLine, error) {
	if n := bytes.Count(data, []byte("\n")); n > maxPipLines {
		return nil, &ParseError{File: file, Line: maxPipLines, Msg: fmt.Sprintf("%d lines: no file of its kind has more than %d", n, maxPipLines)}
	}
	var list []requirementLine
	lines := strings.Split(strings.TrimPrefix(string(data), string(bom)), "\n")
	for i := 0; i < len(lines); i++ {
		start := i + 1
		parts := []string{strings.TrimSuffix(lines[i], "\r")}
		for last := parts[0]; strings.HasSuffix(last, `\`) && i+1 < len(lines); parts = append(parts, last) {
			i++
			parts[len(parts)-1] = strings.TrimSuffix(last, `\`)
			last = strings.TrimSuffix(lines[i], "\r")
		}
		text := strings.Join(parts, " ")
		if c := strings.Index(" "+text, " #"); c >= 0 {
			text = text[:max(c-1, 0)]
		}
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' {
			continue
		}
		if head, _, _ := strings.Cut(text, " --"); len(text) > maxLine || len(head) > maxRequirement {
			return nil, &ParseError{File: file, Line: start, Msg: fmt.Sprintf("a line of %d KiB is no requirement", len(text)>>10)}
		}
		l, err := requirementOf(file, start, text)
		if err != nil {
			return nil, err
		}
		if list = append(list, l); len(list) > maxRequirements {
			return nil, &ParseError{File: file, Line: start, Msg: fmt.Sprintf("more than %d requirements: no app has as many", maxRequirements)}
		}
	}
	return list, nil
}

func requirementOf(file string, line int, text string) (requirementLine, error) {
	l := requirementLine{line: line}
	at := fmt.Sprintf("%s:%d", file, line)
	if text[0] == '-' {
		return l.flag(file, text)
	}
	raw := strings.Join(strings.Fields(text), " ")
	if i := strings.Index(text, " --"); i >= 0 {
		l.hashed = strings.Contains(text[i:], "--hash")
		text = strings.TrimSpace(text[:i])
	}
	address := text
	if _, after, ok := strings.Cut(text, "@ "); ok {
		address = after
	}
	switch {
	case strings.HasPrefix(text, ".") || strings.HasPrefix(text, "/") || strings.HasPrefix(strings.TrimSpace(address), "file:"):
		return l.folder(at, text)
	case strings.Contains(text, "git+") || strings.Contains(text, "hg+") || strings.Contains(text, "svn+"):
		return l, &UnsupportedError{What: "a requirement from version control", Evidence: at, Fix: "name a published version instead, or put the wheel on an index"}
	case strings.Contains(text, "://") && !strings.Contains(text, "@ "): // an address alone: its last part names the wheel
		name := path.Base(strings.TrimSpace(text))
		if !strings.Contains(name, ".whl") {
			return l, &UnsupportedError{What: "a requirement by the address of sources", Evidence: at, Fix: "name a published version instead, or put the wheel on an index"}
		}
		project, _, _ := strings.Cut(name, "-")
		l.req = Requirement{Name: pypi.Normal(project), URL: strings.TrimSpace(text), File: file, Line: line, raw: raw}
		return l, nil
	}
	r, err := pypi.ParseRequirement(text)
	if err != nil {
		return l, &ParseError{File: file, Line: line, Msg: err.Error()}
	}
	if r.URL != "" && !strings.Contains(r.URL, ".whl") {
		return l, &UnsupportedError{What: "a requirement by the address of sources", Evidence: at, Fix: "name a published version instead, or put the wheel on an index"}
	}
	l.req = requirementFrom(r, file, line)
	l.req.raw = raw
	return l, nil
}

// flag reads a line that begins with a dash.
func (l requirementLine) flag(file, text string) (requirementLine, error) {
	at := fmt.Sprintf("%s:%d", file, l.line)
	flag, arg, ok := strings.Cut(text, " ")
	if !ok {
		flag, arg, _ = strings.Cut(text, "=")
	}
	if len(flag) > 2 && flag[1] != '-' { // -rother.txt
		flag, arg = flag[:2], flag[2:]
	}
	arg = strings.TrimSpace(arg)
	if arg == "" && slices.Contains([]string{"-r", "--requirement", "-c", "--constraint", "-e", "--editable"}, flag) {
		return l, &ParseError{File: file, Line: l.line, Msg: flag + " names no file"}
	}
	switch flag {
	case "-r", "--requirement":
		l.include = arg
	case "-c", "--constraint":
		l.include, l.constraint = arg, true
	case "-e", "--editable":
		return l.folder(at, arg)
	case "-f", "--find-links":
		return l, &UnsupportedError{What: "--find-links", Evidence: at, Fix: "put the wheels on an index"}
	default:
		l.option = text
	}
	return l, nil
}

// folder reads a package of the tree itself: ".", "./lib[extra]".
func (l requirementLine) folder(at, text string) (requirementLine, error) {
	dir, _, _ := strings.Cut(text, "[")
	dir = strings.TrimSpace(dir)
	clean := path.Clean(dir)
	if strings.Contains(dir, ":") || path.IsAbs(clean) || strings.HasPrefix(clean, "..") || path.Ext(clean) != "" && clean != "." {
		return l, &UnsupportedError{What: "a requirement from outside the tree", Evidence: at, Fix: "name a published version instead, or put the wheel on an index"}
	}
	l.local = clean
	return l, nil
}
