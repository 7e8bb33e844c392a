package procman

import (
	"errors"
	"strings"
)

// A command is either words, which are executed as they are, or shell code. Only what means the same to every POSIX
// shell counts as words: blanks, quotes, backslashes, and $NAME of variables whose values are no secrets.

var errUnterminated = errors.New("a quote is not closed")

// needShell are the characters that, outside quotes, make a command shell code. Some of them are harmless in some
// places (a = or # inside a word is allowed); for the others the shell decides.
const needShell = "|&;<>()`*?[]{}~!\n\r"

// scanner reads one command.
type scanner struct {
	in    string
	pos   int
	vars  map[string]string
	word  strings.Builder
	open  bool // a word has begun, be it empty
	words []string
	shell bool
}

// split returns the words of command with $NAME and ${NAME} replaced by vars. shell is true, and the words are
// meaningless, where command needs a shell: it has shell syntax or uses a variable that is not in vars. The values of
// vars must consist of plain characters, as those of plainVars do.
func split(command string, vars map[string]string) (words []string, shell bool, err error) {
	s := scanner{in: command, vars: vars}
	for s.pos < len(s.in) && !s.shell {
		c := s.in[s.pos]
		s.pos++
		switch {
		case c == ' ' || c == '\t':
			s.endWord()
		case c == '\'':
			err = s.single()
		case c == '"':
			err = s.double()
		case c == '\\':
			err = s.escape("")
		case c == '$':
			s.variable()
		case strings.IndexByte(needShell, c) >= 0,
			c == '#' && !s.open,
			c == '=' && len(s.words) == 0:
			s.shell = true
		default:
			s.add(c)
		}
		if err != nil {
			return nil, false, err
		}
	}
	s.endWord()
	if s.shell {
		return nil, true, nil
	}
	return s.words, false, nil
}

func (s *scanner) add(c byte) {
	s.open = true
	s.word.WriteByte(c)
}

func (s *scanner) endWord() {
	if s.open {
		s.words = append(s.words, s.word.String())
		s.word.Reset()
		s.open = false
	}
}

// single reads up to the closing quote: nothing in between is special.
func (s *scanner) single() error {
	text, rest, closed := strings.Cut(s.in[s.pos:], "'")
	if !closed {
		return errUnterminated
	}
	s.open = true
	s.word.WriteString(text)
	s.pos = len(s.in) - len(rest)
	return nil
}

func (s *scanner) double() error {
	s.open = true
	for s.pos < len(s.in) && !s.shell {
		c := s.in[s.pos]
		s.pos++
		switch c {
		case '"':
			return nil
		case '\\':
			if err := s.escape("$`\"\\\n"); err != nil {
				return err
			}
		case '$':
			s.variable()
		case '`':
			s.shell = true
		default:
			s.add(c)
		}
	}
	if s.shell {
		return nil
	}
	return errUnterminated
}

// escape reads the character after a backslash. With a set, other characters keep their backslash.
func (s *scanner) escape(set string) error {
	if s.pos == len(s.in) {
		return errors.New("nothing follows the last backslash")
	}
	c := s.in[s.pos]
	s.pos++
	if c == '\n' { // a continued line
		return nil
	}
	if set != "" && strings.IndexByte(set, c) < 0 {
		s.add('\\')
	}
	s.add(c)
	return nil
}

// variable reads what follows a dollar sign.
func (s *scanner) variable() {
	rest := s.in[s.pos:]
	braced := strings.HasPrefix(rest, "{")
	if braced {
		rest = rest[1:]
	}
	n := 0
	for n < len(rest) && (rest[n] == '_' || alnum(rest[n])) {
		n++
	}
	value, known := s.vars[rest[:n]]
	if !known || braced && !strings.HasPrefix(rest[n:], "}") {
		s.shell = true
		return
	}
	s.open = true
	s.word.WriteString(value)
	s.pos += n
	if braced {
		s.pos += 2
	}
}

func alnum(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
