package receive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"sync"
)

// Push is a checked push on its way to becoming a release. Its methods read through the quarantine
// and work until Deploy returns. Deploy's own goroutine uses it, and those that Deploy waits for.
type Push struct {
	Ref      string
	Old      string // where the ref is now, "" = it is new; Accept may bring it up to date
	New      string
	Force    bool      // New does not descend from Old
	Options  []string  // of git push -o; each is one of detach, plan, no-cache, verbose
	Progress io.Writer // what the client sees after "remote: "; lines are sent when they are complete
	Quiet    bool      // git push -q, but also any push whose stderr is no terminal: no reason to hide what happens
	Repo     *Repo

	quarantine *quarantine
	limits     Limits
	info       CommitInfo
	listing    *listing

	mu       sync.Mutex
	open     []*tree
	accepted bool
	moved    bool
}

// MovedError says that another push moved the ref while this one was on its way.
type MovedError struct{ Ref, To string }

func (e *MovedError) Error() string {
	return fmt.Sprintf("%s moved to %s meanwhile", e.Ref, short(e.To))
}

// Reason is what git prints.
func (e *MovedError) Reason() string { return e.Error() + "; fetch first" }

// check is everything that is looked at once the objects are there and well formed.
func (p *Push) check(ctx context.Context) (err error) {
	v := p.quarantine.view()
	if p.info, err = readCommit(ctx, v, p.New); err != nil {
		return err
	}
	var missing, forced, listed error // told in this order, whichever child is first
	var wg sync.WaitGroup
	if !p.quarantine.whole {
		wg.Go(func() { missing = connected(ctx, v, p.New) })
	}
	wg.Go(func() { p.Force, forced = p.forced(ctx, p.Old) })
	wg.Go(func() {
		if p.listing, listed = list(ctx, v, p.New, p.limits); listed == nil {
			listed = p.listing.fits(ctx, v, p.limits)
		}
	})
	wg.Wait()
	if err := cmp.Or(missing, forced, listed); err != nil {
		return err
	}
	return p.listing.checkLinks(ctx, v)
}

// connected finds out whether everything is there that a commit needs and no ref has already.
func connected(ctx context.Context, v view, id string) error {
	_, err := v.run(ctx, id+"\n", "rev-list", "--objects", "--quiet", "--stdin", "--not", "--all")
	if err != nil && ctx.Err() == nil {
		return errors.Join(&rejection{"missing necessary objects"}, err)
	}
	return err
}

// rejection is an error whose text is for git to print.
type rejection struct{ text string }

func (e *rejection) Error() string  { return e.text }
func (e *rejection) Reason() string { return e.text }

// forced says whether New leaves something of old behind.
func (p *Push) forced(ctx context.Context, old string) (bool, error) {
	if old == "" || old == p.New {
		return false, nil
	}
	_, err := p.quarantine.view().run(ctx, "", "merge-base", "--is-ancestor", old, p.New)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return true, nil
	}
	return false, err
}

// Commit describes the pushed commit.
func (p *Push) Commit(context.Context) (CommitInfo, error) { return p.info, nil }

// Tree returns the pushed commit's files as Repo.Tree does.
func (p *Push) Tree(ctx context.Context) (fs.FS, error) {
	t := newTree(ctx, p.quarantine.view(), p.listing)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = append(p.open, t)
	return t, nil
}

// Export writes the pushed commit's files as Repo.Export does.
func (p *Push) Export(ctx context.Context, dst string, l ExportLimits) error {
	return export(ctx, p.quarantine.view(), p.listing, exportTo{dst, l})
}

// Accept moves the pushed objects into the repository. Deploy calls it when nothing else may fail,
// just before the point of no return, and while no other deploy of the app runs; a second call does
// nothing. If the ref has moved since the client looked, New must descend from where it is now, and
// Old becomes that; else the error is a *MovedError and nothing has changed.
func (p *Push) Accept() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.accepted {
		return nil
	}
	ctx := context.Background() // the client's going away must not stop this half way
	now, err := p.Repo.ref(ctx, p.Ref)
	if err != nil {
		return err
	}
	if now != p.Old {
		forced, err := p.forced(ctx, now)
		if err != nil {
			return err
		}
		if forced || now == "" {
			return &MovedError{Ref: p.Ref, To: now}
		}
		p.Old = now
	}
	if err := p.quarantine.migrate(); err != nil {
		return err
	}
	p.accepted = true
	return nil
}

// Move moves the ref, having accepted the objects. Deploy calls it when the release is live, while no other deploy of the
// app runs, so that the next one finds the ref where this one has left it. What Deploy leaves undone ReceivePack does.
func (p *Push) Move() error {
	if err := p.Accept(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moved {
		return nil
	}
	if err := p.Repo.UpdateRef(p.Ref, p.Old, p.New); err != nil {
		return err
	}
	p.moved = true
	return nil
}

func (p *Push) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.open {
		t.close()
	}
}
