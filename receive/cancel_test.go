package receive_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"hop3/receive"
)

// A client that goes away while the hook works cancels it, and nothing has changed.
func TestCancel_KilledClient(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	before := snapshot(t, h.repo.Dir())
	started := make(chan struct{})
	h.deploy = func(ctx context.Context, p *receive.Push) error {
		close(started)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	cmd := h.gitCmd(dir, "push", "hop3", "main")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-started
	if err := cmd.Process.Kill(); err != nil { // git's death closes the pipe of its "ssh", which ends too
		t.Fatal(err)
	}
	cmd.Wait()
	wantSame(t, h, before)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !errors.Is(errors.Join(h.errs...), context.Canceled) {
		t.Errorf("errors: %v", h.errs)
	}
}

// Once the hook has accepted, a lost client changes nothing: the ref moves when the hook is done.
func TestCancel_AfterAcceptTheRefMoves(t *testing.T) {
	h := newHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	c, objs := app(file("f"))
	h.deploy = func(_ context.Context, p *receive.Push) error {
		if err := errors.Join(p.Accept(), p.Accept()); err != nil {
			return err
		}
		cancel()
		return nil
	}
	in := strings.NewReader(commands(wireCaps, create(c.id())) + string(pack(objs...)))
	err := h.server.ReceivePack(ctx, receive.Request{Repo: h.repo, In: in, Out: io.Discard, Deploy: h.deploy})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	h.wantRef(mainRef, c.id())
	h.fsck()
}

// A hook that has moved the ref itself, twice even, leaves nothing to do: whoever comes next, before the report, finds the
// ref at the live release.
func TestPush_MoveInTheHook(t *testing.T) {
	h := newHost(t)
	c, objs := app(file("f"))
	h.deploy = func(_ context.Context, p *receive.Push) error {
		if err := errors.Join(p.Move(), p.Move()); err != nil {
			return err
		}
		h.wantRef(mainRef, c.id())
		return nil
	}
	in := strings.NewReader(commands(wireCaps, create(c.id())) + string(pack(objs...)))
	var out strings.Builder
	if err := h.server.ReceivePack(t.Context(), receive.Request{Repo: h.repo, In: in, Out: &out, Deploy: h.deploy}); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "ok "+mainRef) {
		t.Errorf("the report is %q", out.String())
	}
	h.wantRef(mainRef, c.id())
	h.fsck()
}

// A failed write cancels the hook as a closed channel does.
func TestCancel_FailedWrite(t *testing.T) {
	h := newHost(t)
	before := snapshot(t, h.repo.Dir())
	c, objs := app(file("f"))
	in := strings.NewReader(commands(wireCaps, create(c.id())) + string(pack(objs...)))
	out := &brokenWriter{}
	err := h.server.ReceivePack(t.Context(), receive.Request{Repo: h.repo, In: in, Out: out,
		Deploy: func(ctx context.Context, p *receive.Push) error {
			out.broken = true
			io.WriteString(p.Progress, "hello\n")
			<-ctx.Done()
			return ctx.Err()
		}})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error is %v", err)
	}
	wantSame(t, h, before)
}

type brokenWriter struct{ broken bool }

func (b *brokenWriter) Write(p []byte) (int, error) {
	if b.broken {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// The pack stops in the middle and the session is cancelled.
func TestCancel_InThePack(t *testing.T) {
	h := newHost(t)
	before := snapshot(t, h.repo.Dir())
	c, objs := app(file("f"))
	ctx, cancel := context.WithCancel(t.Context())
	whole := commands(wireCaps, create(c.id())) + string(pack(objs...))
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- h.server.ReceivePack(ctx, receive.Request{Repo: h.repo, In: r, Out: io.Discard})
	}()
	io.WriteString(w, whole[:len(whole)-30])
	cancel()
	w.Close()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	wantSame(t, h, before)
}

// Two pushes looked at the same ref; the later one descends from the earlier and goes on top.
func TestAccept_TwoPushesAtOnce(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	base := h.rev(dir, "HEAD")
	one := h.commit(dir, "one", "1")
	h.git(dir, 0, "branch", "one")
	two := h.commit(dir, "two", "2")
	h.git(dir, 0, "checkout", "-q", "-b", "side", base)
	h.commit(dir, "side", "s")
	h.git(dir, 0, "push", "-q", "hop3", base+":refs/heads/main")
	h.deploy = func(ctx context.Context, p *receive.Push) error {
		if p.New == two {
			if err := h.repo.UpdateRef(mainRef, base, one); err != nil { // as if another push had been faster
				return err
			}
			err := p.Accept()
			if p.Old != one {
				t.Errorf("old is %s, want %s", p.Old, one)
			}
			return err
		}
		return h.repo.UpdateRef(mainRef, base, two)
	}
	// The earlier push's objects must be there for it.
	keep := h.deploy
	h.deploy = func(_ context.Context, p *receive.Push) error { return errors.Join(p.Accept(), failed("stored only")) }
	h.git(dir, 1, "push", "hop3", two+":refs/heads/main")
	h.deploy = keep
	h.git(dir, 0, "push", "hop3", two+":refs/heads/main")
	h.wantRef(mainRef, two)
	if err := h.repo.UpdateRef(mainRef, two, base); err != nil {
		t.Fatal(err)
	}
	wantIn(t, h.git(dir, 1, "push", "hop3", "side:main"), "refs/heads/main moved to "+two[:7]+" meanwhile; fetch first")
	h.wantRef(mainRef, two)
}
