package procman

import (
	"regexp"
	"strings"
)

// keywords are the words that a shell understands itself and that exec would break or hide.
var keywords = wordSet(`. : alias bg break case cd command continue do done elif else esac eval exit export fg fi for
	function getopts hash if in jobs local read readonly return select set shift source then time times trap type
	ulimit umask unalias unset until wait while`)

// builtins are programs that shells also have built in: they go to the shell where the release has no such program.
var builtins = wordSet("[ echo false kill printf pwd test true")

// assignments are the K=V words in front of a command, values without quotes that hold blanks.
var assignments = regexp.MustCompile(`^(?:[A-Za-z_][A-Za-z0-9_]*=(?:[^\s'"\\$` + "`" + `|&;<>()]|\$\{?[A-Za-z0-9_]+\}?|'[^']*'|"[^"$\\` + "`" + `]*")*\s+)*`)

// withExec puts exec in front of the last simple command of a script, so that the program itself is the process that
// gets the signals, and not a shell that waits for it. Where that is not plainly safe the script stays as it is.
func withExec(script string) string {
	script = strings.TrimSpace(script)
	at, ok := lastCommand(script)
	if !ok {
		return script
	}
	head, last := script[:at], strings.TrimLeft(script[at:], " \t")
	prefix := assignments.FindString(last)
	command := last[len(prefix):]
	first, _, _ := strings.Cut(strings.ReplaceAll(command, "\t", " "), " ")
	if first == "" || keywords[first] || builtins[first] || first == "exec" || strings.ContainsAny(first, "=<>{}!#") {
		return script
	}
	if head != "" {
		head += " "
	}
	return head + prefix + "exec " + command
}

// lastCommand returns where the last simple command of an && or ; list begins. ok is false for anything else: pipes,
// background jobs, groups, substitutions of commands, several lines, and lists that hold keywords.
func lastCommand(script string) (at int, ok bool) {
	for i := 0; i < len(script); i++ {
		switch c := script[i]; c {
		case '\'', '"':
			end := closing(script, i)
			if end < 0 {
				return 0, false
			}
			i = end
		case '\\':
			i++
		case '|', '(', ')', '`', '\n', '\r', '{', '}', '#', '!':
			if c == '{' && i > 0 && script[i-1] == '$' {
				if end := strings.IndexByte(script[i:], '}'); end > 0 && !strings.ContainsAny(script[i:i+end], "\"'`(") {
					i += end
					continue
				}
			}
			return 0, false
		case '<':
			if strings.HasPrefix(script[i:], "<<") {
				return 0, false
			}
		case '>':
			if strings.HasPrefix(script[i:], ">&") {
				i++
			}
		case ';', '&':
			if c == '&' && !strings.HasPrefix(script[i:], "&&") {
				return 0, false
			}
			if keywords[firstWord(script[at:i])] && !harmless[firstWord(script[at:i])] {
				return 0, false
			}
			if c == '&' {
				i++
			}
			at = i + 1
		}
	}
	return at, true
}

// harmless are the keywords that may stand in a list in front of the command that gets exec.
var harmless = wordSet(". : cd export set source ulimit umask unset")

// closing returns the index of the quote that closes the one at i; -1 where there is none or, in double quotes, where
// a command is substituted.
func closing(s string, i int) int {
	for j := i + 1; j < len(s); j++ {
		switch {
		case s[j] == s[i]:
			return j
		case s[i] == '"' && s[j] == '\\':
			j++
		case s[i] == '"' && (s[j] == '`' || strings.HasPrefix(s[j:], "$(")):
			return -1
		}
	}
	return -1
}

func firstWord(s string) string {
	w := strings.Fields(s)
	if len(w) == 0 {
		return ""
	}
	return w[0]
}

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}
