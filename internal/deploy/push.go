package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hop3/detect"
	"hop3/internal/state"
	"hop3/nixtmpl"
	"hop3/nixtmpl/nix"
	"hop3/receive"
)

// A source is a commit that shall be deployed, wherever its objects lie.
type source interface {
	Tree(ctx context.Context) (fs.FS, error)
	Export(ctx context.Context, dst string, l receive.ExportLimits) error
	Commit(ctx context.Context) (receive.CommitInfo, error)
}

// options of one deploy, as the pusher gave them.
type options struct {
	verbose, noCache bool
	plan             *Preview // where to write what would happen, instead of deploying; nil deploys
}

// Push deploys what was pushed. It returns nil once the release is live, and
// then the branch may move; any error has been told to the pusher.
func (p *Pipeline) Push(ctx context.Context, app, by string, push *receive.Push) error {
	talk := NewTalk(push.Progress)
	p.pushes.Add(1)
	defer p.pushes.Done()
	if slices.Contains(push.Options, "detach") { // the pusher asked for it: the build outlives the connection, not the server
		detached, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		defer cancel(nil)
		defer context.AfterFunc(p.base, func() { cancel(context.Cause(p.base)) })()
		ctx = detached
	}
	o := options{verbose: slices.Contains(push.Options, "verbose"), noCache: slices.Contains(push.Options, "no-cache")}
	if slices.Contains(push.Options, "plan") {
		o.plan = &Preview{}
	}
	err := p.push(ctx, talk, app, by, push, o)
	p.tidySoon(app)
	if errors.Is(err, errPlanned) {
		o.plan.tell(talk)
	}
	if err != nil {
		talk.report(err)
	}
	return err
}

func (p *Pipeline) push(ctx context.Context, talk *Talk, name, by string, push *receive.Push, o options) (err error) {
	started := time.Now()
	info, err := push.Commit(ctx)
	if err != nil {
		return err
	}
	branch := strings.TrimPrefix(push.Ref, "refs/heads/")
	talk.Step("hop3 %s · %s · %s %s %q", p.Version, name, branch, short(push.New), info.Subject)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := building(by, "a push of "+short(push.New), talk, cancel)
	t.commit = push.New
	defer func() { t.finish(err) }()
	leave, err := p.enter(ctx, talk, name, t)
	if err != nil {
		return err
	}
	defer leave()
	app, err := p.Store.App(name)
	if err != nil {
		return err
	}
	if err := checkLock(app); err != nil && o.plan == nil {
		return err
	}
	change := "deploy " + short(push.New)
	if push.Force {
		change = "deploy " + short(push.New) + " (forced)"
	}
	a := activation{app: name, command: true, pushed: true, ticket: t}
	a.release.Ref, a.release.Commit, a.release.Subject, a.release.By, a.release.Change = push.Ref, push.New, info.Subject, by, change
	if err := p.deploy(ctx, talk, a, push, o, started, push.Accept); err != nil {
		return err
	}
	return push.Move() // before the next in the queue looks where the branch is
}

// deploy is the whole way from a commit to a live release. accept makes the
// commit's objects safe; from there on the client's going away cancels nothing.
func (p *Pipeline) deploy(ctx context.Context, talk *Talk, a activation, src source, o options, started time.Time, accept func() error) (err error) {
	var times timings
	defer func() { p.measured(a.app, times, err) }()
	app, err := p.Store.App(a.app)
	if err != nil {
		return err
	}
	talk.Hide(app.Config)
	if err := p.checkDisk(ctx, app); err != nil {
		return err
	}
	plan, err := p.detect(ctx, talk, src)
	if err != nil {
		return err
	}
	addBuildSettings(plan, app)
	times.detect = time.Since(started)
	if err := p.checkAddons(talk, app, plan); err != nil {
		return err
	}
	if a.config, err = generated(app, plan); err != nil {
		return err
	}
	talk.Hide(a.config)
	built, err := p.build(ctx, talk, app, plan, src, o)
	if err != nil {
		return err
	}
	times.build = time.Since(started) - times.detect
	fill(&a.release, plan, built)
	if o.plan != nil {
		a.release.Config = a.config
		*o.plan = p.preview(app, a.release, built)
		if err := os.RemoveAll(p.releaseDir(a.app, app.LastRelease+1)); err != nil {
			return fmt.Errorf("remove what the plan has built: %w", err)
		}
		return errPlanned
	}
	if err := p.queue.pass(a.ticket); err != nil {
		return buildFailure(ctx, err)
	}
	if err := accept(); err != nil {
		return fmt.Errorf("keep the pushed objects: %w", err)
	}
	if err := p.provide(context.WithoutCancel(ctx), talk, app, plan, &a); err != nil {
		return err
	}
	talk.Step("Release v%d: %s (%s)", app.LastRelease+1, built.Out, sizeText(app, built.Size))
	a.times = &times
	ctx = context.WithoutCancel(ctx)
	signed := make(chan error, 1)
	go func() { signed <- p.Nix.Sign(ctx, built.Out) }() // beside the start of the processes: it takes 30 ms
	rel, err := p.activate(ctx, talk, a)
	if err := <-signed; err != nil {
		p.Log.WithField("app", a.app).WithError(err).Warn("a release has no signature")
	}
	if err != nil {
		return err
	}
	if o.verbose {
		talk.Line("%s", times)
	}
	talk.Done("%s v%d is live in %.1f s", a.app, rel.Number, time.Since(started).Seconds())
	talk.Line("%s", p.URL(a.app))
	return nil
}

// timings are where a deploy's time went.
type timings struct{ detect, build, release, boot, swap time.Duration }

// measured tells Options.Observe of a deploy that has ended.
func (p *Pipeline) measured(app string, t timings, err error) {
	if p.Observe == nil || errors.Is(err, errPlanned) {
		return
	}
	phases := map[string]time.Duration{}
	for phase, took := range map[string]time.Duration{"detect": t.detect, "build": t.build, "release": t.release, "start": t.boot, "swap": t.swap} {
		if took > 0 {
			phases[phase] = took
		}
	}
	p.Observe(app, phases, err)
}

func (t timings) String() string {
	ms := func(d time.Duration) int64 { return d.Milliseconds() }
	return fmt.Sprintf("took: detect %d ms, build %d ms, release command %d ms, start %d ms, swap %d ms", ms(t.detect), ms(t.build), ms(t.release), ms(t.boot), ms(t.swap))
}

func sizeText(app *state.App, size int64) string {
	old, ok := app.CurrentRelease()
	if !ok {
		return BytesText(size)
	}
	if diff := size - old.Size; diff < 0 {
		return fmt.Sprintf("%s, -%s", BytesText(size), BytesText(-diff))
	}
	return fmt.Sprintf("%s, +%s", BytesText(size), BytesText(size-old.Size))
}

// checkDisk refuses a deploy early where the disk is nearly full, and says
// what the app takes; other apps are not the pusher's to know.
func (p *Pipeline) checkDisk(ctx context.Context, app *state.App) error {
	for _, dir := range []string{p.Store.Dir(), "/nix/store"} {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil {
			return fmt.Errorf("look at the disk of %s: %w", dir, err)
		}
		if free := int64(st.Bavail) * st.Bsize; free < p.limits.Load().minFree {
			f := &Failure{
				What: fmt.Sprintf("the server's disk is nearly full: %s free at %s, %s are kept free", BytesText(free), dir, BytesText(p.limits.Load().minFree)),
				Mend: "an operator must free space: the commands storage and gc show where it is", Why: "disk full",
			}
			if s, err := p.Storage(ctx, app); err == nil { // the disk is the news, not this
				f.Tail = []string{fmt.Sprintf("%s takes %s: releases %s, data %s, logs %s, repository %s", app.Name,
					BytesText(s.Releases+s.Data+s.Logs+s.Repository), BytesText(s.Releases), BytesText(s.Data), BytesText(s.Logs), BytesText(s.Repository))}
			}
			return f
		}
	}
	return nil
}

func (p *Pipeline) detect(ctx context.Context, talk *Talk, src source) (detect.Plan, error) {
	tree, err := src.Tree(ctx)
	if err != nil {
		return detect.Plan{}, fmt.Errorf("read the pushed tree: %w", err)
	}
	plan, err := detect.Detect(tree)
	if err != nil {
		if err := checkLFS(tree); err != nil { // what reads as a broken manifest
			return plan, err
		}
		return plan, &Failure{What: err.Error(), Mend: hintOf(err), Why: "not deployable", Status: err}
	}
	for i, line := range Summary(plan) {
		if i == 0 {
			talk.Step("%s", line)
			continue
		}
		talk.Line("%s", line)
	}
	return plan, errors.Join(checkManifest(plan), p.checkPlaces(plan.Manifest))
}

// checkLFS refuses files that Git LFS left out. It looks at the size of each file, which is cheap only in a folder.
func checkLFS(tree fs.FS) error {
	files, err := detect.LFSPointers(tree)
	if err != nil {
		return fmt.Errorf("look for LFS pointers: %w", err)
	}
	if len(files) == 0 {
		return nil
	}
	return &Failure{
		What: "these files are Git LFS pointers, not their content: " + strings.Join(files, ", "),
		Mend: "hop3 has no LFS server: git lfs migrate export --include='*', then push again", Why: "LFS pointers",
	}
}

// build exports the commit, writes its flake and builds it. The GC roots and
// the log lie in the folder of the release that is to come.
func (p *Pipeline) build(ctx context.Context, talk *Talk, app *state.App, plan detect.Plan, src source, o options) (nixtmpl.Build, error) {
	select {
	case p.builds <- struct{}{}:
	default:
		talk.Line("waiting for other builds, of which %d run", cap(p.builds))
		select {
		case p.builds <- struct{}{}:
		case <-ctx.Done():
			return nixtmpl.Build{}, context.Cause(ctx)
		}
	}
	defer func() { <-p.builds }()
	dir := p.releaseDir(app.Name, app.LastRelease+1)
	work := filepath.Join(p.Store.AppDir(app.Name), "build")
	for _, d := range []string{dir, work} { // what a failed or interrupted build left
		if err := os.RemoveAll(d); err != nil {
			return nixtmpl.Build{}, fmt.Errorf("clear %s: %w", d, err)
		}
	}
	for _, d := range []string{dir, filepath.Join(work, "flake")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nixtmpl.Build{}, fmt.Errorf("make the release's folder: %w", err)
		}
	}
	defer os.RemoveAll(work) //nolint:errcheck // cleared before the next build
	source := filepath.Join(work, "source")
	if err := src.Export(ctx, source, receive.ExportLimits{}); err != nil {
		return nixtmpl.Build{}, &Failure{What: err.Error(), Mend: hintOf(err), Why: "not deployable", Status: err}
	}
	if err := checkLFS(os.DirFS(source)); err != nil {
		return nixtmpl.Build{}, err
	}
	log, err := os.OpenFile(p.BuildLog(app.Name, 0), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nixtmpl.Build{}, fmt.Errorf("open the build log: %w", err)
	}
	defer log.Close() //nolint:errcheck // a log that is cut short fails no build
	talk.Step("Building with Nix")
	out := talk.Lines("")
	defer out.Close() //nolint:errcheck // a Talk's writer has no error
	built, err := p.Builder.Build(ctx, nixtmpl.Request{
		Name: buildName(app), Source: source, Work: filepath.Join(work, "flake"), Plan: plan, RootDir: dir,
		Progress: out, Log: log, Verbose: o.verbose, NoCache: o.noCache,
	})
	if err != nil {
		return built, errors.Join(buildFailure(ctx, err), os.RemoveAll(dir))
	}
	return built, keepPapers(dir, p.BuildLog(app.Name, 0), plan, built)
}

// buildName is what a build is called: services of a kind share theirs.
func buildName(app *state.App) string {
	if app.Service != nil {
		return "service-" + app.Service.Kind
	}
	return app.Name
}

// BuildLog is the file of a build's log: of the release whose roots have that
// number, or for 0 of the newest build, whether it became a release or not.
func (p *Pipeline) BuildLog(app string, roots int) string {
	if roots == 0 {
		return filepath.Join(p.Store.AppDir(app), "build.log")
	}
	return filepath.Join(p.releaseDir(app, roots), "build.log")
}

// keepPapers stores what a release was made from beside its GC roots.
func keepPapers(dir, log string, plan detect.Plan, built nixtmpl.Build) error {
	b, err := plan.JSON()
	if err != nil {
		return fmt.Errorf("encode the plan: %w", err)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return fmt.Errorf("read the build log: %w", err)
	}
	return errors.Join(
		state.WriteFile(filepath.Join(dir, "plan.json"), b, 0o600),
		state.WriteFile(filepath.Join(dir, "flake.nix"), built.Flake, 0o600),
		keepLock(dir, built.Lock),
		state.WriteFile(filepath.Join(dir, "build.log"), text, 0o600),
	)
}

// keepLock writes flake.lock, where there is one.
func keepLock(dir string, lock []byte) error {
	if lock == nil {
		return nil
	}
	return state.WriteFile(filepath.Join(dir, "flake.lock"), lock, 0o600)
}

// buildFailure turns an error of nix into what the pusher reads.
func buildFailure(ctx context.Context, err error) error {
	f := &Failure{What: "the build failed: " + err.Error(), Mend: hintOf(err), Why: "build failed", Status: err}
	var failed *nix.BuildError
	switch {
	case ctx.Err() != nil:
		f.What, f.Why = "the build was cancelled: "+context.Cause(ctx).Error(), "cancelled"
	case errors.As(err, &failed):
		f.Tail = failed.Tail
	}
	return f
}

// stored is a commit in the app's repository.
type stored struct {
	repo *receive.Repo
	id   string
}

func (s stored) Tree(ctx context.Context) (fs.FS, error) { return s.repo.Tree(ctx, s.id) }

func (s stored) Export(ctx context.Context, dst string, l receive.ExportLimits) error {
	return s.repo.Export(ctx, s.id, dst, l)
}

func (s stored) Commit(ctx context.Context) (receive.CommitInfo, error) {
	return s.repo.Commit(ctx, s.id)
}
