package sandbox

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// late is a reader that is slow to take the first of what it is given.
type late struct {
	bytes.Buffer
	wait time.Duration
}

func (l *late) Write(p []byte) (int, error) {
	time.Sleep(l.wait)
	l.wait = 0
	return l.Buffer.Write(p)
}

// Somebody else has the other end of the output and does not let go of it.
func TestRun_OutputHeldOpen(t *testing.T) {
	for name, wait := range map[string]time.Duration{"quick reader": 0, "slow reader": lastWordsTime + 100*time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &late{wait: wait}
			p, err := newPipes(Stdio{Out: w})
			if err != nil {
				t.Fatal(err)
			}
			defer p.closeOuter()
			defer p.closeInner() // only now
			r := &run{ended: make(chan struct{})}
			want := strings.Repeat("x", 60_000)
			if _, err := p.inner[1].WriteString(want); err != nil {
				t.Fatal(err)
			}
			p.connect(r, nil)
			close(r.ended)
			p.lastWords()
			r.outputs.Wait()
			if got := w.String(); got != want {
				t.Errorf("%d of %d bytes came through", len(got), len(want))
			}
		})
	}
}
