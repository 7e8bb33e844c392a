package receive

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"
)

// maxLine is where an endless line is broken.
const maxLine = 16 << 10

// lineWriter turns what programs print into what a git client can show: complete lines, no cursor
// movement, colours only. Safe for concurrent use.
type lineWriter struct {
	mu      sync.Mutex // one line at a time; held while writing, because lines must not mix
	w       io.Writer
	partial []byte
}

func (l *lineWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []byte
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			l.partial = append(l.partial, rest...)
			rest = nil
			if len(l.partial) < maxLine {
				break
			}
		} else {
			l.partial = append(l.partial, rest[:i]...)
			rest = rest[i+1:]
		}
		out = l.take(out)
	}
	if len(out) == 0 {
		return len(p), nil
	}
	if _, err := l.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush writes an unfinished last line.
func (l *lineWriter) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) == 0 {
		return nil
	}
	_, err := l.w.Write(l.take(nil))
	return err
}

// take appends the buffered line to out and empties the buffer.
func (l *lineWriter) take(out []byte) []byte {
	line := cleanLine(string(l.partial))
	l.partial = l.partial[:0]
	return append(append(out, line...), '\n')
}

var (
	escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-~])?")
	colour  = regexp.MustCompile("^\x1b\\[[0-9;:]*m$")
)

const resetColour = "\x1b[0m"

// cleanLine keeps what a terminal would show of one line: what stands after the last carriage
// return, without control characters and escape sequences but those that set colours.
func cleanLine(s string) string {
	s = strings.TrimRight(s, "\r")
	s = s[strings.LastIndexByte(s, '\r')+1:]
	s = strings.ToValidUTF8(s, "\ufffd")
	coloured := false
	s = escapes.ReplaceAllStringFunc(s, func(esc string) string {
		if !colour.MatchString(esc) {
			return ""
		}
		coloured = esc != resetColour && esc != "\x1b[m"
		return esc
	})
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\x1b' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
	if coloured {
		s += resetColour
	}
	return s
}
