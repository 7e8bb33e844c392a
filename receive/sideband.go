package receive

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	bandData     = 1
	bandProgress = 2
)

// sideband frames progress and the report into one stream. It is an io.Writer for progress.
type sideband struct {
	lost context.CancelCauseFunc // told when the client no longer takes what we write

	mu    sync.Mutex // one frame at a time; held while writing, because frames must not mix
	w     io.Writer
	err   error
	wrote bool // since the last look of keepAlive
	ended bool
}

func newSideband(w io.Writer, lost context.CancelCauseFunc) *sideband {
	return &sideband{w: w, lost: lost}
}

// Write sends progress. After the report it is dropped.
func (b *sideband) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return len(p), nil
	}
	return len(p), b.frames(bandProgress, p)
}

// frames splits p into frames of the largest size. The lock is held.
func (b *sideband) frames(band byte, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), dataMax)
		if err := b.frame(band, p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func (b *sideband) frame(band byte, p []byte) error {
	if b.err != nil {
		return b.err
	}
	b.wrote = true
	frame := append(fmt.Appendf(nil, "%04x%c", len(p)+5, band), p...)
	if _, err := b.w.Write(frame); err != nil {
		b.err = fmt.Errorf("write to client: %w", err)
		b.lost(b.err)
	}
	return b.err
}

// finish sends the report and the flush that ends the stream.
func (b *sideband) finish(report string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return b.err
	}
	b.ended = true
	if err := b.frames(bandData, []byte(report)); err != nil {
		return err
	}
	_, err := io.WriteString(b.w, flushPkt)
	return err
}

// keepAlive sends an empty frame after each silence of that length, so that neither client nor
// network give up, and so that a client that is gone is noticed. It is a frame of the data band as
// git's own: libgit2 would show an empty progress frame. The returned func stops it and waits.
func (b *sideband) keepAlive(silence time.Duration) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(silence / 2) // so a silence is noticed after 1 to 1.5 times its length at most
		defer t.Stop()
		quiet := 0
		for {
			select {
			case <-quit:
				return
			case <-t.C:
				quiet = b.tick(quiet)
			}
		}
	}()
	return sync.OnceFunc(func() { close(quit); <-done })
}

// tick counts half silences and sends a frame on the second in a row.
func (b *sideband) tick(quiet int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wrote || b.ended {
		b.wrote = false
		return 0
	}
	if quiet++; quiet < 2 {
		return quiet
	}
	_ = b.frame(bandData, nil) // an error has cancelled the push and comes again with the next frame
	b.wrote = false
	return 0
}
