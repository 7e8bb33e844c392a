package detect

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// procName is what a process type may be called.
var procName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// Names in a Procfile that are not process types.
const (
	procStatic  = "static"  // a folder that the router serves
	procRelease = "release" // runs once before the swap
)

const maxCount = 100 // instances of one process type

// checkProcName reports why a file other than the Procfile may not call a process or a job so.
func checkProcName(name string) error {
	switch {
	case !procName.MatchString(name):
		return fmt.Errorf("%q is not a process name (letters, digits, - and _, at most 63)", clip(name))
	case name == procStatic || name == procRelease:
		return fmt.Errorf("the name %s is reserved", name)
	}
	return nil
}

// ParseProcfile reads a Procfile: one `name: command` per line, blank lines and lines that begin with # ignored, with or
// without a byte order mark and carriage returns. It returns the lines in order; From is "Procfile".
// The error is a [*ParseError] with the line: no colon, a name that is not legal, no command, a duplicate, a merge marker.
func ParseProcfile(data []byte) ([]Process, error) {
	seen := map[string]int{}
	var list []Process
	n := 0
	for line := range strings.Lines(string(bytes.TrimPrefix(data, bom))) {
		n++
		p, err := procfileLine(line)
		if err != nil {
			return nil, &ParseError{File: "Procfile", Line: n, Msg: err.Error()}
		}
		if p.Name == "" {
			continue
		}
		if seen[p.Name] > 0 {
			return nil, &ParseError{File: "Procfile", Line: n, Msg: fmt.Sprintf("%q is declared twice, first in line %d", p.Name, seen[p.Name])}
		}
		seen[p.Name], p.Line = n, n
		list = append(list, p)
	}
	return list, nil
}

// procfileLine returns the zero Process for a line that declares nothing.
func procfileLine(line string) (Process, error) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return Process{}, nil
	}
	for _, marker := range []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"} {
		if strings.HasPrefix(line, marker) {
			return Process{}, fmt.Errorf("merge marker %s: the conflict was not resolved", marker)
		}
	}
	name, command, ok := strings.Cut(line, ":")
	if !ok {
		return Process{}, fmt.Errorf("no colon; a line is name: command")
	}
	name, command = strings.TrimSpace(name), strings.TrimSpace(command)
	if err := checkProcName(name); err != nil && name != procStatic && name != procRelease {
		return Process{}, err
	}
	if command == "" {
		return Process{}, fmt.Errorf("%q has no command", name)
	}
	if strings.ContainsRune(command, 0) {
		return Process{}, fmt.Errorf("the command of %q holds a NUL byte", name)
	}
	return Process{Name: name, Command: command, From: "Procfile"}, nil
}

func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

var portVar = regexp.MustCompile(`\$PORT\b|\$\{PORT\}`)

// NeedsShell reports whether a command has to be run by a shell: it holds syntax beyond words, quotes and $PORT.
func NeedsShell(command string) bool {
	command = strings.TrimSpace(portVar.ReplaceAllString(command, ""))
	if strings.ContainsAny(command, "$`|&;<>(){}*?[]~#!\n\\") {
		return true
	}
	first, _, _ := strings.Cut(command, " ")
	return strings.Contains(first, "=") // K=V in front sets a variable; --bind=x does not
}

func claimProcfile(t *tree) []Evidence {
	if t.has("Procfile") {
		return []Evidence{{File: "Procfile", Why: "processes"}}
	}
	return nil
}

func planProcfile(t *tree, p *Plan) error {
	p.Tool = Tool{Name: "procfile", From: "Procfile"}
	p.try("Procfile web")
	return nil
}
