package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"hop3/internal/state"
)

// DeployOptions say what [Pipeline.Deploy] deploys.
type DeployOptions struct {
	Ref     string // branch, tag or commit of the app's repository; "" is what was pushed last
	NoCache bool   // rebuild the dependencies too
	Rebuild bool   // say that it is one
}

// Deploy builds a commit of the app's repository and makes it live. The branch
// stays where it is: it follows pushes, as with a rollback.
func (p *Pipeline) Deploy(ctx context.Context, r Request, d DeployOptions) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	what := "a deploy"
	if d.Rebuild {
		what = "a rebuild"
	}
	t := building(r.By, what, r.Talk, cancel)
	defer func() { t.finish(err) }()
	app, leave, err := p.changeTurnOf(ctx, r, t)
	if err != nil {
		return err
	}
	defer leave()
	return p.deployStored(ctx, r, app, t, d, options{noCache: d.NoCache})
}

// Plan builds a commit of the app's repository and returns what deploying it
// would do; nothing that runs changes. With ref "" it is the deployed commit.
func (p *Pipeline) Plan(ctx context.Context, r Request, ref string) (plan Preview, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := building(r.By, "a plan", r.Talk, cancel)
	defer func() { t.finish(err) }()
	app, leave, err := p.turnOf(ctx, r, t)
	if err != nil {
		return Preview{}, err
	}
	defer leave()
	if rel, ok := app.CurrentRelease(); ok && ref == "" {
		ref = rel.Commit
	}
	err = p.deployStored(ctx, r, app, t, DeployOptions{Ref: ref}, options{plan: &plan})
	if errors.Is(err, errPlanned) {
		return plan, nil
	}
	return plan, err
}

// Tell shows a preview as `git push -o plan` does.
func (v Preview) Tell(w io.Writer) { v.tell(NewTalk(w)) }

func (p *Pipeline) deployStored(ctx context.Context, r Request, app *state.App, t *ticket, d DeployOptions, o options) error {
	started := time.Now()
	if app.Pushed == "" {
		return &NotDeployed{r.App}
	}
	repo, err := p.Repo(r.App)
	if err != nil {
		return err
	}
	commit := app.Pushed
	if d.Ref != "" {
		if commit, err = repo.Resolve(ctx, d.Ref); err != nil {
			return err
		}
		if commit == "" {
			return &state.NotFound{Kind: "commit", Name: d.Ref + " in the repository of " + r.App}
		}
	}
	src := stored{repo, commit}
	info, err := src.Commit(ctx)
	if err != nil {
		return err
	}
	r.Talk.Step("hop3 %s · %s · %s %q", p.Version, r.App, short(commit), info.Subject)
	verb := "deploy "
	if d.Rebuild {
		verb = "rebuild "
	}
	a := activation{app: r.App, command: true, ticket: t}
	a.release.Commit, a.release.Subject, a.release.By, a.release.Change = commit, info.Subject, r.By, verb+short(commit)
	return p.deploy(ctx, r.Talk, a, src, o, started, func() error { return nil })
}

// Attach writes what the build of an app that is under way says, from its beginning, and returns when it has ended, with its
// error. With none under way it takes the first that waits; a *state.Conflict says that there is none.
func (p *Pipeline) Attach(ctx context.Context, app string, w io.Writer) error {
	t := p.queue.build(app)
	if t == nil {
		return &state.Conflict{What: "no build of " + app + " is under way", Mend: "see how the last ones ended: builds " + app + "; their log: logs:build " + app}
	}
	if err := t.talk.Replay(ctx, t.done, w); err != nil {
		return err
	}
	return t.err
}

// build returns the build that holds the app, else the first that waits, nil if there is none.
func (q *queue) build(app string) *ticket {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.apps[app]
	if l == nil {
		return nil
	}
	for _, t := range slices.Concat([]*ticket{l.holder}, l.waiting) {
		if t != nil && t.talk != nil {
			return t
		}
	}
	return nil
}

// A Task is something that changes an app, or waits to.
type Task struct {
	What  string // "a push of 3f2c1aa"
	By    string
	Since time.Time
	State string // "waiting", "building", "starting", or "running" for what builds nothing
}

// Tasks lists what changes an app now and what waits to, in this order.
func (p *Pipeline) Tasks(app string) []Task { return p.queue.tasks(app) }

// Cancel ends the build of an app that is under way, or the one that waits if
// none is. It returns what that was. A release that is being started completes.
func (p *Pipeline) Cancel(app, by string) (Task, error) {
	t, err := p.queue.stop(app, &Stopped{By: by})
	switch {
	case err != nil:
		return Task{}, err
	case t == nil:
		return Task{}, &state.Conflict{What: "no build of " + app + " is under way", Mend: "see them: builds " + app}
	}
	return Task{What: t.what, By: t.who}, nil
}

// Stopped is the cause that ends a build which builds:cancel cancelled.
type Stopped struct{ By string }

func (s *Stopped) Error() string { return "cancelled by " + s.By }

// Reason is what git prints behind "remote rejected".
func (s *Stopped) Reason() string { return "cancelled" }

func (q *queue) tasks(app string) []Task {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.apps[app]
	if l == nil {
		return nil
	}
	var list []Task
	if t := l.holder; t != nil {
		doing := "building"
		switch {
		case t.passed:
			doing = "starting"
		case t.stop == nil:
			doing = "running"
		}
		list = append(list, Task{t.what, t.who, t.since, doing})
	}
	for _, t := range l.waiting {
		list = append(list, Task{t.what, t.who, t.since, "waiting"})
	}
	return list
}

// stop cancels the build that holds the app, else the first that waits; nil
// if there is none. One that has passed is a [*state.Conflict].
func (q *queue) stop(app string, cause error) (*ticket, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.apps[app]
	if l == nil {
		return nil, nil
	}
	if t := l.holder; t != nil && t.passed {
		return nil, &state.Conflict{What: fmt.Sprintf("%s by %s is built and being started: it completes", t.what, t.who), Mend: "afterwards: rollback " + app}
	}
	for _, t := range slices.Concat([]*ticket{l.holder}, l.waiting) {
		if t != nil && t.stop != nil && !t.stopped {
			t.stopped = true
			t.stop(cause)
			return t, nil
		}
	}
	return nil, nil
}

// pass takes a build over the line from which on it is not cancelled.
func (q *queue) pass(t *ticket) error {
	if t == nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.stopped {
		return context.Canceled
	}
	t.passed = true
	return nil
}
