package packages

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// maxControlLine bounds one line of a control file; the longest of Debian's
// index (a Provides field) has about 60 KB.
const maxControlLine = 1 << 20

// readParagraphs reads Debian control data (deb822): paragraphs of
// "Field: value" lines, divided by blank lines; a line that starts with a blank
// continues the field above it, joined by a newline. It calls emit once for
// each paragraph with the fields that keep wants, all of them if keep is nil.
// Field names are matched as written.
func readParagraphs(r io.Reader, keep map[string]bool, emit func(map[string]string) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), maxControlLine)
	fields, last, line := map[string]string{}, "", 0
	flush := func() error {
		last = ""
		if len(fields) == 0 {
			return nil
		}
		done := fields
		fields = map[string]string{}
		return emit(done)
	}
	for sc.Scan() {
		line++
		text := strings.TrimRight(sc.Text(), " \t\r")
		switch {
		case text == "":
			if err := flush(); err != nil {
				return err
			}
		case text[0] == '#':
		case text[0] == ' ' || text[0] == '\t':
			if last == "" {
				continue // continues a field that is not kept
			}
			fields[last] += "\n" + strings.TrimLeft(text, " \t")
		default:
			name, value, ok := strings.Cut(text, ":")
			if !ok || name == "" || strings.ContainsAny(name, " \t") {
				return fmt.Errorf("read control data: line %d is no field", line)
			}
			last = ""
			if keep == nil || keep[name] {
				last = name
				fields[name] = strings.TrimLeft(value, " \t")
			}
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("read control data: after line %d: %w", line, err)
	}
	return flush()
}

// parseRelation reads a relation field ("a (>= 1) | b, c:any") as clauses of
// alternative package names. Version limits and architectures are dropped: a
// released suite is consistent, and the set never mixes two of them.
func parseRelation(field string) [][]string {
	var clauses [][]string
	for clause := range strings.SplitSeq(field, ",") {
		var names []string
		for alt := range strings.SplitSeq(clause, "|") {
			alt = strings.TrimSpace(alt)
			if i := strings.IndexAny(alt, " \t\n([<:"); i >= 0 {
				alt = alt[:i]
			}
			if alt != "" {
				names = append(names, alt)
			}
		}
		if len(names) > 0 {
			clauses = append(clauses, names)
		}
	}
	return clauses
}
