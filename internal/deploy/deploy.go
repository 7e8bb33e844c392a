// Package deploy turns a push into a running release: it is the only place
// that knows all the stages and hands one stage's value to the next.
//
// Everything that changes what an app runs goes through one function,
// activate: a push, a rollback, a config change and a rebuild differ only in
// the release that they hand to it. Until the commit point inside of it a
// failure leaves the app as it was; from there on a client that goes away
// stops nothing.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"hop3/internal/state"
	"hop3/nixtmpl"
	"hop3/nixtmpl/nix"
	"hop3/procman"
	"hop3/procman/proxy"
	"hop3/receive"
)

// Options are the stages and settings of a [Pipeline].
type Options struct {
	Store      *state.Store
	Nix        *nix.Nix
	Builder    *nixtmpl.Builder
	Supervisor *procman.Supervisor
	Router     *proxy.Router
	Access     *procman.AccessLog // nil: none
	Log        logrus.FieldLogger

	Version      string // of hop3, in the first line of a push
	Domain       string // app blog answers at blog.Domain
	HTTPAddr     string // where the router listens, for URLs
	HTTPSAddr    string // the same for HTTPS; "" without
	MinFree      int64  // bytes; below it pushes are refused
	KeepReleases int
	Builds       int    // at once
	OSV          string // where the records for Audit are; "" has none

	// Observe is told of each deploy that has ended: how long the phases took that it came through, and how it failed. nil: nobody.
	Observe func(app string, phases map[string]time.Duration, err error)

	Fault func(procman.Step) error // called at each step of an activation, by tests; its error fails the step
}

// A Pipeline conducts deploys. Its methods may be called at once.
type Pipeline struct {
	Options
	queue queue

	creating sync.Mutex

	base   context.Context // ends with Close; a Pipeline is a lifetime, not a call
	end    context.CancelCauseFunc
	pushes sync.WaitGroup           // under way, detached ones and probations too
	boots  map[string]chan struct{} // by app, closed when its start has ended; written by Prepare only
	limits atomic.Pointer[limits]
	builds chan struct{} // one token per build under way
	gc     sync.Mutex    // held by a collection
	clock  clock
}

// New returns a pipeline.
func New(o Options) *Pipeline {
	p := &Pipeline{Options: o, builds: make(chan struct{}, max(1, o.Builds)), clock: clock{changed: make(chan struct{}, 1)}}
	p.base, p.end = context.WithCancelCause(context.Background())
	p.SetLimits(o.MinFree, o.KeepReleases)
	return p
}

var errClosed = errors.New("the server is stopping")

// Close cancels builds that nobody waits for and returns when no push is under
// way any more. The server takes no calls by then.
func (p *Pipeline) Close() {
	p.end(errClosed)
	p.pushes.Wait()
}

// limits can change while the server runs.
type limits struct {
	minFree int64
	keep    int
}

// SetLimits changes Options.MinFree and Options.KeepReleases from now on.
func (p *Pipeline) SetLimits(minFree int64, keepReleases int) {
	p.limits.Store(&limits{minFree, keepReleases})
}

// Repo opens the repository of an app.
func (p *Pipeline) Repo(app string) (*receive.Repo, error) {
	p.creating.Lock() // it may be on its way
	defer p.creating.Unlock()
	return receive.Open(p.repoDir(app))
}

// Create makes an app with an empty repository.
func (p *Pipeline) Create(name, by string) (*state.App, error) {
	p.creating.Lock() // an app is not seen before its repository is there
	defer p.creating.Unlock()
	a, err := p.Store.Create(name, by, time.Now())
	if err != nil {
		return nil, err
	}
	if _, err := receive.Init(p.repoDir(name)); err != nil {
		return nil, errors.Join(fmt.Errorf("make the repository of %s: %w", name, err), p.Store.Destroy(name))
	}
	return a, nil
}

func (p *Pipeline) repoDir(app string) string { return filepath.Join(p.Store.AppDir(app), "repo.git") }

func (p *Pipeline) releaseDir(app string, number int) string {
	return filepath.Join(p.Store.AppDir(app), "releases", fmt.Sprint(number))
}

// runDir is where procman records which instances of the app there are.
func (p *Pipeline) runDir(app string) string { return filepath.Join(p.Store.AppDir(app), "run") }

// JobDir is where procman keeps the app's one-off processes, those that have ended too.
func (p *Pipeline) JobDir(app string) string { return filepath.Join(p.Store.AppDir(app), "jobs") }

// LogDir is where the logs of the app's processes lie.
func (p *Pipeline) LogDir(app string) string { return filepath.Join(p.Store.AppDir(app), "logs") }

// URL is where the app answers.
func (p *Pipeline) URL(app string) string {
	scheme, addr, usual := "http", p.HTTPAddr, "80"
	if p.HTTPSAddr != "" {
		scheme, addr, usual = "https", p.HTTPSAddr, "443"
	}
	host := app + "." + p.Domain
	if _, port, err := net.SplitHostPort(addr); err == nil && port != usual {
		host = net.JoinHostPort(host, port)
	}
	return scheme + "://" + host
}

// enter waits for the app's turn; what is for others who wait.
func (p *Pipeline) enter(ctx context.Context, talk *Talk, app string, t *ticket) (func(), error) {
	return p.queue.enter(ctx, app, t, func(holder string) { talk.Line("%s", holder) })
}
