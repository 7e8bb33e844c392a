package deploy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"hop3/procman"
)

// A Talk writes what the pusher sees, in the shape of PRODUCT.md section 3:
// steps, lines below them, failures. It writes whole lines, and never a known
// secret of the app. Its methods may be called at once.
type Talk struct {
	mu      sync.Mutex
	w       io.Writer
	values  []string // that are masked
	secrets *strings.Replacer

	said    []string      // what was written, for those who listen later
	dropped int           // lines before those of said
	more    chan struct{} // closed and replaced when something is said
}

// transcript bounds how many of the last lines a Talk remembers: a verbose build says more than anybody reads again.
const transcript = 5000

// NewTalk returns a Talk that writes to w.
func NewTalk(w io.Writer) *Talk {
	return &Talk{w: w, secrets: strings.NewReplacer(), more: make(chan struct{})}
}

// Replay writes what was said so far to w, and what is said from now on, until done is closed or ctx ends.
func (t *Talk) Replay(ctx context.Context, done <-chan struct{}, w io.Writer) error {
	for next := 0; ; {
		t.mu.Lock()
		lines, first, more := t.said, t.dropped, t.more
		t.mu.Unlock()
		next = max(next, first)
		for _, line := range lines[next-first:] {
			if _, err := io.WriteString(w, line); err != nil {
				return fmt.Errorf("replay: %w", err)
			}
		}
		next = first + len(lines)
		select {
		case <-more:
			continue
		default:
		}
		select {
		case <-more:
		case <-done:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Hide masks the values of settings, too, in all that is written from now on.
func (t *Talk) Hide(settings map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	values := slices.Concat(t.values, secretForms(settings))
	sortSecrets(values)
	t.values = slices.Compact(values)
	pairs := make([]string, 0, 2*len(t.values))
	for _, v := range t.values {
		pairs = append(pairs, v, "********")
	}
	t.secrets = strings.NewReplacer(pairs...)
}

// Step begins a step: "-----> Building with Nix".
func (t *Talk) Step(format string, a ...any) { t.line("-----> ", format, a...) }

// Line writes a line below a step.
func (t *Talk) Line(format string, a ...any) { t.line("       ", format, a...) }

// Done ends the whole: "=====> blog v12 is live in 3.4 s".
func (t *Talk) Done(format string, a ...any) { t.line("=====> ", format, a...) }

// Fail writes a line of what went wrong.
func (t *Talk) Fail(format string, a ...any) { t.line(" !     ", format, a...) }

func (t *Talk) line(prefix, format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range strings.SplitSeq(t.secrets.Replace(text), "\n") {
		// Losing the listener is noticed by who reads, not by who talks.
		whole := prefix + strings.TrimRight(line, "\r") + "\n"
		_, _ = io.WriteString(t.w, whole)
		t.said = append(t.said, whole)
	}
	if excess := len(t.said) - transcript; excess > 0 {
		t.said, t.dropped = slices.Clone(t.said[excess:]), t.dropped+excess // who replays holds the old slice
	}
	close(t.more)
	t.more = make(chan struct{})
}

// Lines returns a writer whose lines appear below the step, with label before
// each. Close writes a last line that has no end.
func (t *Talk) Lines(label string) io.WriteCloser {
	return &liner{emit: func(line string) { t.Line("%s%s", label, line) }, uncut: t.uncut}
}

// uncut says how much of a line that is too long can be written before the rest of it.
func (t *Talk) uncut(b []byte) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return procman.Uncut(t.values, b)
}

// maxLine bounds a line of output that never ends.
const maxLine = 16 << 10

type liner struct {
	mu    sync.Mutex
	buf   []byte
	emit  func(string)
	uncut func([]byte) int
}

func (l *liner) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	for {
		i := bytes.IndexByte(l.buf, '\n')
		if i < 0 && len(l.buf) >= maxLine {
			i = l.uncut(l.buf[:maxLine]) - 1
			if i < 0 { // a secret that is larger than a line may be
				i = maxLine - 1
			}
		}
		if i < 0 {
			return len(p), nil
		}
		l.emit(strings.TrimRight(string(l.buf[:i+1]), "\r\n"))
		l.buf = l.buf[i+1:]
	}
}

func (l *liner) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buf) > 0 {
		l.emit(string(l.buf))
		l.buf = nil
	}
	return nil
}

// BytesText writes a size for people: "84 MiB".
func BytesText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 10<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n < 10<<30:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
