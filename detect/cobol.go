package detect

import (
	"path"
	"slices"
	"strings"
)

// CobolFacts are what the COBOL template needs beyond the plan.
type CobolFacts struct {
	Program string   // its name
	Sources []string // the main program, then those that it calls
	Free    bool     // the main program is in free format
	Copy    []string // folders with copybooks
}

func claimCobol(t *tree) []Evidence {
	if main := cobolMain(t); main != "" {
		return []Evidence{{File: main, Why: "COBOL program", Weight: weightEntry}}
	}
	return nil
}

func isCobol(f string) bool {
	switch strings.ToLower(path.Ext(f)) {
	case ".cbl", ".cob", ".cobol":
		return true
	}
	return false
}

// cobolMain returns the program of the app: index or main at the root, else the only one there, else the same in src.
func cobolMain(t *tree) string {
	for _, dir := range []string{".", "src"} {
		var all []string
		for _, f := range t.in(dir) {
			if isCobol(f) {
				all = append(all, f)
			}
		}
		for _, name := range []string{"index", "main", "app"} {
			for _, f := range all {
				if strings.EqualFold(stem(f), name) {
					return f
				}
			}
		}
		if all = uncalled(t, all); len(all) > 0 {
			return all[0] // planCobol refuses when there are more
		}
	}
	return ""
}

// uncalled returns the sources that none of the others calls, all when each is called.
func uncalled(t *tree, files []string) []string {
	if len(files) < 2 || len(files) > maxBuildFiles {
		return files
	}
	ids, called := map[string]string{}, map[string]bool{}
	for _, f := range files {
		s := readCobol(t.source(f))
		ids[f] = s.id
		for _, c := range s.calls {
			called[c] = true
		}
	}
	if list := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return called[ids[f]] }); len(list) > 0 {
		return list
	}
	return files
}

func stem(f string) string { return strings.TrimSuffix(path.Base(f), path.Ext(f)) }

func planCobol(t *tree, p *Plan) error {
	main := cobolMain(t)
	facts := &CobolFacts{Program: stem(main)}
	p.Cobol = facts
	p.Tool = Tool{Name: "cobc", From: main}
	if main == "" || !programName.MatchString(facts.Program) {
		return &StartError{Stack: "cobol", Tried: []string{"index.cbl, or the only *.cbl at the root or in src/"}}
	}
	root := readCobol(t.source(main))
	facts.Free = root.free
	facts.callees(t, main, root)
	for _, d := range []string{"copy", "copybooks", "cpy", "copylib", "src/copy", "src/copybooks"} {
		if t.dirs[d] {
			facts.Copy = append(facts.Copy, d)
		}
	}
	if !p.wantsStart() {
		return nil
	}
	if others := cobolMains(t, main, facts.Sources); len(others) > 1 && !slices.Contains([]string{"index", "main", "app"}, strings.ToLower(facts.Program)) {
		p.try("index.cbl, or the only program (there are several: " + join(others) + ")")
		return nil
	}
	p.start("web", facts.Program, main)
	p.warn("COBOL has no HTTP server of its own: unless " + main + " listens on $PORT, say in a Procfile what does, and lets it answer")
	return nil
}

// cobolMains are the sources beside main, itself among them, that main does not call.
func cobolMains(t *tree, main string, called []string) []string {
	var list []string
	for _, f := range t.in(path.Dir(main)) {
		if isCobol(f) && (f == main || !slices.Contains(called, f)) {
			list = append(list, f)
		}
	}
	return list
}

// callees collects the sources of the programs that main calls, and that those call, by their PROGRAM-ID.
func (f *CobolFacts) callees(t *tree, main string, root cobolSource) {
	type known struct {
		file   string
		source cobolSource
	}
	byID := map[string]known{}
	for _, file := range t.order {
		if isCobol(file) && file != main && len(byID) < maxBuildFiles {
			s := readCobol(t.source(file))
			byID[s.id] = known{file, s}
		}
	}
	f.Sources = []string{main}
	todo := root.calls
	for len(todo) > 0 {
		callee, ok := byID[todo[0]]
		todo = todo[1:]
		if ok && !slices.Contains(f.Sources, callee.file) {
			f.Sources = append(f.Sources, callee.file)
			todo = append(todo, callee.source.calls...)
		}
	}
}

// A cobolSource is what is read of a program.
type cobolSource struct {
	id    string   // PROGRAM-ID, in upper case
	calls []string // names of programs that CALL statements name by a literal, in upper case
	free  bool     // free format: code begins in the first column
}

// readCobol reads a source of either format. Fixed format has a sequence area of six columns, an indicator, and code from
// the eighth to the 72nd column.
func readCobol(src []byte) cobolSource {
	var s cobolSource
	s.free = cobolFree(src)
	var words []string
	for line := range strings.Lines(string(src)) {
		line = strings.TrimRight(line, "\r\n")
		if !s.free {
			if len(line) < 8 || line[6] == '*' || line[6] == '/' {
				continue
			}
			line = line[7:min(len(line), 72)]
		}
		words = append(words, cobolWords(line)...)
		if len(words) > maxTokens {
			break
		}
	}
	for i := 0; i+1 < len(words); i++ {
		next := strings.ToUpper(strings.Trim(words[i+1], `'"`))
		switch {
		case strings.EqualFold(words[i], "PROGRAM-ID") && s.id == "":
			s.id = next
		case strings.EqualFold(words[i], "CALL") && words[i+1] != next && strings.ContainsAny(words[i+1][:1], `'"`):
			s.calls = append(s.calls, next)
		}
	}
	return s
}

// cobolFree reports whether the first division begins left of column eight, or a directive says so.
func cobolFree(src []byte) bool {
	for line := range strings.Lines(string(src)) {
		words := cobolWords(line)
		if len(words) < 2 {
			continue
		}
		upper := strings.ToUpper(strings.Join(words, " "))
		if rest, ok := strings.CutPrefix(upper, "SOURCE FORMAT"); ok { // after >>
			return strings.HasSuffix(rest, "FREE")
		}
		if strings.HasPrefix(upper, "IDENTIFICATION DIVISION") || strings.HasPrefix(upper, "ID DIVISION") {
			return len(line)-len(strings.TrimLeft(line, " ")) < 7 && !strings.ContainsRune(line[:min(len(line), 7)], '\t')
		}
	}
	return false
}

// cobolWords splits a line into words and literals, which keep their quotes; *> begins a comment.
func cobolWords(line string) []string {
	var list []string
	for line != "" {
		c := line[0]
		n := 1
		switch {
		case strings.HasPrefix(line, "*>"):
			return list
		case c == '\'' || c == '"':
			if end := strings.IndexByte(line[1:], c); end >= 0 {
				n = end + 2
			} else {
				n = len(line)
			}
			list = append(list, line[:n])
		case wordByte(c):
			for n < len(line) && (wordByte(line[n]) || line[n] == '-') {
				n++
			}
			list = append(list, line[:n])
		}
		line = line[n:]
	}
	return list
}
