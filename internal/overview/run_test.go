package overview

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// output is what the terminal was sent.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	drawn chan struct{} // closed once there is something of an app on it
	once  sync.Once
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	if strings.Contains(o.text.String(), "blog") {
		o.once.Do(func() { close(o.drawn) })
	}
	return len(b), nil
}

// TestRun_LeavesNothingBehind ends the overview in each way that there is:
// the caller quits, or has gone, or lost the right to look.
func TestRun_LeavesNothingBehind(t *testing.T) {
	revoked := errors.New("revoked")
	for name, c := range map[string]struct {
		end  func(cancel func(), keys io.Writer, deny *atomic.Bool)
		want error
	}{
		"quit": {func(_ func(), keys io.Writer, _ *atomic.Bool) {
			_, _ = keys.Write([]byte("q")) // a pipe that is read
		}, nil},
		"ctrl-c": {func(_ func(), keys io.Writer, _ *atomic.Bool) {
			_, _ = keys.Write([]byte{3}) // a pipe that is read
		}, nil},
		"gone":   {func(cancel func(), _ io.Writer, _ *atomic.Bool) { cancel() }, context.Canceled},
		"denied": {func(_ func(), _ io.Writer, deny *atomic.Bool) { deny.Store(true) }, revoked},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var following atomic.Int64
		var deny atomic.Bool
		src := Source{
			Look: func(context.Context) (Snapshot, error) {
				if deny.Load() {
					return Snapshot{}, revoked
				}
				return shot(1, true), nil
			},
			Follow: func(ctx context.Context, _ string, line func(Line)) error {
				following.Add(1)
				defer following.Add(-1)
				for ctx.Err() == nil { // more than anybody reads
					line(Line{At: time.Now(), Process: "web.1", Text: "x"})
				}
				return ctx.Err()
			},
			Do: func(context.Context, ...string) (string, error) { return "", nil },
		}
		in, keys := io.Pipe()
		out := &output{drawn: make(chan struct{})}
		ended := make(chan error)
		go func() {
			ended <- Run(ctx, src, Terminal{In: in, Out: out, Term: "xterm-256color", Size: Size{80, 24}, Resize: make(chan Size)})
		}()
		<-out.drawn
		c.end(cancel, keys, &deny)
		if err := <-ended; !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if n := following.Load(); n != 0 {
			t.Errorf("%s: %d logs are still followed", name, n)
		}
		out.mu.Lock()
		if text := out.text.String(); !strings.Contains(text, "\x1b[?1049h") || strings.LastIndex(text, "\x1b[?1049l") < strings.LastIndex(text, "\x1b[?1049h") {
			t.Errorf("%s: the caller's screen was not restored: %q", name, text[max(0, len(text)-200):])
		}
		out.mu.Unlock()
		cancel()
		keys.Close()
	}
}

// TestRun_WithoutColours draws for a terminal that has none.
func TestRun_WithoutColours(t *testing.T) {
	in, keys := io.Pipe()
	defer keys.Close()
	out := &output{drawn: make(chan struct{})}
	src := Source{
		Look:   func(context.Context) (Snapshot, error) { return shot(1, true), nil },
		Follow: func(context.Context, string, func(Line)) error { return nil },
	}
	ended := make(chan error)
	go func() {
		ended <- Run(t.Context(), src, Terminal{In: in, Out: out, Term: "vt100", Size: Size{80, 24}})
	}()
	<-out.drawn
	if _, err := keys.Write([]byte("q")); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if text := out.text.String(); strings.Contains(text, "\x1b[32") || strings.Contains(text, ";32") {
		t.Errorf("a colour: %q", text)
	}
}
