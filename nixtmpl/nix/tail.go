package nix

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	tailLines   = 50      // of a failing step that an error carries
	tailLineLen = 2 << 10 // bytes of one of them
)

// tail keeps the last lines that were added. The zero value is ready.
type tail struct {
	ring [tailLines]string
	n    int
}

func (t *tail) add(line string) {
	if len(line) > tailLineLen {
		line = strings.ToValidUTF8(line[:tailLineLen], "") + "…"
	}
	t.ring[t.n%tailLines] = line
	t.n++
}

func (t *tail) lines() []string {
	out := make([]string, 0, min(t.n, tailLines))
	for i := max(0, t.n-tailLines); i < t.n; i++ {
		out = append(out, t.ring[i%tailLines])
	}
	return out
}

// escapes are terminal control sequences: CSI, OSC, and the two-byte ones.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[@-_a-z]?")

// clean makes text of a build fit for a terminal and a log: valid UTF-8, without
// control sequences. Newlines and tabs stay.
func clean(s string) string {
	if plain(s) {
		return s
	}
	s = escapes.ReplaceAllString(strings.ToValidUTF8(s, "\ufffd"), "")
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return -1
		}
		return r
	}, s)
}

func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' || c >= utf8.RuneSelf || c == 0x7f {
			return false
		}
	}
	return true
}
