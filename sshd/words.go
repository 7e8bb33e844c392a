package sshd

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/shlex"
)

// WordsError says why a command line cannot be split, and where.
type WordsError struct {
	At     int // the character in question, counted from 1; 0: the line as a whole
	Reason string
	hint   string
}

// Error names the reason and the place.
func (e *WordsError) Error() string {
	if e.At == 0 {
		return "the command line " + e.Reason
	}
	return fmt.Sprintf("the command line has %s at character %d", e.Reason, e.At)
}

// Hint says what to write instead.
func (e *WordsError) Hint() string { return e.hint }

// split cuts a command line into the words that a POSIX shell would see,
// without expanding anything: $, ;, | and * stand for themselves, and so does
// #, which would silently swallow the rest of the line. The error, if any, is
// a *WordsError.
func split(line string) ([]string, error) {
	plain, err := normalise(line)
	if err != nil {
		return nil, err
	}
	words, serr := shlex.Split(plain)
	if serr != nil { // normalise has found each reason for one
		return nil, &WordsError{Reason: "cannot be split: " + serr.Error()}
	}
	if len(words) == 0 {
		return nil, nil
	}
	return words, nil
}

// normalise rewrites a POSIX command line so that shlex reads it the same way.
// shlex drops a backslash that POSIX keeps ("\." in double quotes), keeps the
// newline that a backslash removes, takes # for a comment, replaces bytes that
// are no UTF-8, and does not tell where a quote was opened.
func normalise(line string) (string, error) {
	if !utf8.ValidString(line) {
		return "", &WordsError{Reason: "is not UTF-8", hint: "send binary data on standard input"}
	}
	var out strings.Builder
	var quote rune // the one we are in, or 0
	escape := 0    // where the backslash before this character stands, or 0
	opened, at := 0, 0
	for _, r := range line {
		at++
		switch {
		case r == 0:
			return "", &WordsError{At: at, Reason: "a NUL byte", hint: "send binary data on standard input"}
		case escape > 0:
			out.WriteString(escaped(r, quote))
			escape = 0
		case r == '\\' && quote != '\'':
			escape = at
		case quote == 0 && (r == '\'' || r == '"'):
			quote, opened = r, at
			out.WriteRune(r)
		case r == quote:
			quote = 0
			out.WriteRune(r)
		case quote == 0 && r == '#':
			out.WriteString(`\#`)
		default:
			out.WriteRune(r)
		}
	}
	if escape > 0 {
		return "", &WordsError{At: escape, Reason: "a backslash with nothing after it", hint: `write \\ for a backslash`}
	}
	if quote != 0 {
		return "", &WordsError{
			At: opened, Reason: fmt.Sprintf("a %c that is never closed", quote),
			hint: fmt.Sprintf(`write \%c for the character itself; your own shell takes one level of quotes away`, quote),
		}
	}
	return out.String(), nil
}

// escaped is what shlex must read for a backslash and r, within quote (0:
// none); see POSIX, Shell Command Language, 2.2.
func escaped(r, quote rune) string {
	switch {
	case r == '\n':
		return "" // a continued line
	case quote == '"' && !strings.ContainsRune("$`\"\\", r):
		return `\\` + string(r)
	default:
		return `\` + string(r)
	}
}
