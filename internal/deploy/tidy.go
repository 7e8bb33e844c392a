package deploy

import (
	"context"
	"time"
)

// idleTime is for how long nobody must have pushed: one push is often followed by the next.
const idleTime = 5 * time.Second

// tidySoon joins the packs of many pushes when the app has been left alone for a while, in a goroutine of its own that
// Close awaits. Whoever wants to change the app meanwhile need not wait: the work is dropped, and done after a later push.
func (p *Pipeline) tidySoon(name string) {
	repo, err := p.Repo(name)
	if err != nil || !repo.Crowded() {
		return
	}
	p.pushes.Go(func() {
		ctx, cancel := context.WithTimeout(p.base, idleTime)
		defer cancel()
		<-ctx.Done()
		if p.base.Err() != nil {
			return
		}
		p.tidy(name)
	})
}

func (p *Pipeline) tidy(name string) {
	ctx, yield := context.WithCancel(p.base)
	defer yield()
	leave, free := p.queue.try(name, &ticket{who: "the server", what: "tidying up", yield: yield})
	if !free {
		return
	}
	defer leave()
	repo, err := p.Repo(name)
	if err == nil {
		err = repo.Consolidate(ctx)
	}
	if err != nil && ctx.Err() == nil {
		p.Log.WithField("app", name).WithError(err).Warn("packs were not consolidated")
	}
}
