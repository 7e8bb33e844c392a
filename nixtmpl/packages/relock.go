package packages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Change is a package whose version differs between two locks; From or To is ""
// for one that came or went.
type Change struct{ Name, From, To string }

// Changes says what a new lock changed, sorted by name.
type Changes struct {
	Changed []Change
	Kept    []string // why something could not be locked again and stays as it was
}

// Update locks the set again from today's signed indices, registry and module
// proxy. It fetches no package but stage 0; what nobody asks for is not fetched.
// A source that fails leaves its part of the lock as it was and is named in
// Kept, unless it is Debian, which is an error.
func (s *Set) Update(ctx context.Context, progress io.Writer) (Changes, error) {
	unlock, err := s.exclusive(ctx, progress)
	if err != nil {
		return Changes{}, err
	}
	defer unlock()
	w := newWeb()
	defer w.close()
	return s.relock(ctx, w, progress, sourceDebian, sourceNpm, sourceGo)
}

// relock makes the parts of the lock that come from the sources anew. The
// caller holds the set's exclusive lock.
func (s *Set) relock(ctx context.Context, w *web, progress io.Writer, sources ...string) (Changes, error) {
	old := s.current()
	next := *old
	var kept []string
	if slices.Contains(sources, sourceDebian) || slices.Contains(sources, sourceSecurity) {
		if err := s.lockDebian(ctx, w, progress, &next); err != nil {
			return Changes{}, fmt.Errorf("lock packages: %w", err)
		}
	}
	if slices.Contains(sources, sourceNpm) {
		if err := s.lockNode(ctx, w, &next); err != nil {
			if ctx.Err() != nil {
				return Changes{}, context.Cause(ctx)
			}
			kept = append(kept, fmt.Sprintf("node: %v", err))
		}
		if err := s.lockTools(ctx, w, &next); err != nil {
			if ctx.Err() != nil {
				return Changes{}, context.Cause(ctx)
			}
			kept = append(kept, err.Error())
		}
	}
	if slices.Contains(sources, sourceGo) {
		if err := s.lockGo(ctx, w, &next); err != nil {
			if ctx.Err() != nil {
				return Changes{}, context.Cause(ctx)
			}
			kept = append(kept, fmt.Sprintf("go: %v", err))
		}
	}
	for _, k := range kept {
		say(progress, "kept as it was: %s", k)
	}
	if err := s.replace(&next); err != nil {
		return Changes{}, err
	}
	return Changes{Changed: diffLocks(old, &next), Kept: kept}, nil
}

func (s *Set) lockNode(ctx context.Context, w *web, next *lock) error {
	addr, err := s.address(ctx, w, sourceNpm)
	if err != nil {
		return err
	}
	pins, err := lockNode(ctx, w, addr, next.Node)
	if err != nil {
		return err
	}
	next.Node = pins
	return nil
}

func (s *Set) lockGo(ctx context.Context, w *web, next *lock) error {
	addr, err := s.address(ctx, w, sourceGo)
	if err != nil {
		return err
	}
	pins, err := lockGo(ctx, w, addr, next.Go)
	if err != nil {
		return err
	}
	next.Go = pins
	return nil
}

// lockDebian resolves the spec against the mirror's signed indices.
func (s *Set) lockDebian(ctx context.Context, w *web, progress io.Writer, next *lock) error {
	base, err := s.address(ctx, w, sourceDebian)
	if err != nil {
		return err
	}
	keys, err := readKeyring(s.o.Keyring)
	if err != nil {
		return err
	}
	a := &archives{web: w, keys: keys, now: s.now()}
	say(progress, "reading the signed index of %s", s.spec.Suite)
	suites := []suite{
		{archive: sourceDebian, base: base, name: s.spec.Suite},
		{archive: sourceDebian, base: base, name: s.spec.Suite + "-updates", optional: true},
		{archive: sourceDebian, base: base, name: s.spec.PatchelfSuite, optional: true, apart: true},
	}
	if sec := s.known(sourceSecurity); sec != "" {
		suites = append(suites, suite{archive: sourceSecurity, base: sec, name: s.spec.Suite + "-security"})
	}
	x, apart, dates, err := a.read(ctx, suites, next.Dates)
	if err != nil {
		return err
	}
	next.Version, next.Suite, next.Spec, next.Dates = lockVersion, s.spec.Suite, specDigest(), dates
	if next.Groups, next.Languages, err = resolve(s.spec, x); err != nil {
		return err
	}
	if p := apart.packages["patchelf"]; p != nil && strings.HasPrefix(p.version, "0.14.") {
		next.Patchelf = p.pin()
	}
	next.Clients = map[string]debPin{}
	for source, name := range s.spec.Clients {
		if p := x.packages[name]; p != nil {
			next.Clients[source] = p.pin()
		}
	}
	return s.lockStage0(ctx, w, x, next)
}

// lockStage0 makes stage 0 of the index's busybox if that is a new one.
func (s *Set) lockStage0(ctx context.Context, w *web, x *index, next *lock) error {
	p := x.packages["busybox-static"]
	if p == nil {
		return errors.New("the index has no busybox-static")
	}
	pin := p.pin()
	if pin.SHA256 == next.Stage0.Deb.SHA256 {
		next.Stage0.Deb = pin
		return nil
	}
	tmp, err := os.MkdirTemp(s.dir, scratchPrefix+"*")
	if err != nil {
		return diskError(s.dir, err)
	}
	defer os.RemoveAll(tmp)
	base, err := s.address(ctx, w, pin.Archive)
	if err != nil {
		return err
	}
	deb := filepath.Join(tmp, pin.File)
	if err := s.download(ctx, w, base, pin.file(), deb, func(int) {}); err != nil {
		return err
	}
	sum, err := makeStage0(ctx, deb, filepath.Join(tmp, stage0Name))
	if err != nil {
		return err
	}
	next.Stage0 = stage0Pin{Deb: pin, Hash: sri("sha256", sum)}
	return nil
}

// read fetches the suites at once and returns the newest of all packages, and
// those of the suites that are apart. before has the dates of the last lock: an
// index that is older is refused, so that nobody can play an old one back.
func (a *archives) read(ctx context.Context, suites []suite, before map[string]time.Time) (x, apart *index, dates map[string]time.Time, err error) {
	parts := make([]*index, len(suites))
	rels := make([]*release, len(suites))
	g, ctx := errgroup.WithContext(ctx)
	for i, s := range suites {
		g.Go(func() error {
			rel, err := a.release(ctx, s)
			if s.optional && errors.Is(err, errGone) {
				return nil
			} else if err != nil {
				return err
			}
			if rel.Date.Before(before[s.name]) {
				return &SignatureError{What: redact(s.base) + "dists/" + s.name, Err: fmt.Errorf("it is of %s, older than the one that was used last", rel.Date.Format(time.DateOnly))}
			}
			parts[i], rels[i] = newIndex(), rel
			return a.packages(ctx, s, rel, parts[i])
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, nil, err
	}
	x, apart, dates = newIndex(), newIndex(), map[string]time.Time{}
	maps.Copy(dates, before) // a suite that is away for one time keeps its date
	for i, s := range suites {
		if parts[i] == nil {
			continue
		}
		dates[s.name] = rels[i].Date.UTC()
		if s.apart {
			apart.merge(parts[i])
		} else {
			x.merge(parts[i])
		}
	}
	x.finish()
	return x, apart, dates, nil
}

func diffLocks(old, next *lock) []Change {
	from, to := old.versions(), next.versions()
	var out []Change
	for name, v := range to {
		if from[name] != v {
			out = append(out, Change{Name: name, From: from[name], To: v})
		}
	}
	for name, v := range from {
		if _, ok := to[name]; !ok {
			out = append(out, Change{Name: name, From: v})
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// versions maps each package to its version, the languages by their line.
func (l *lock) versions() map[string]string {
	out := map[string]string{"patchelf": l.Patchelf.Version, "busybox-static": l.Stage0.Deb.Version}
	for _, g := range slices.Collect(maps.Values(l.Groups)) {
		for _, d := range g.Debs {
			out[d.Name] = d.Version
		}
	}
	for line, p := range l.Go {
		out["go "+line] = p.Version
	}
	for line, p := range l.Node {
		out["nodejs "+line] = p.Node.Version + " with npm " + p.Npm.Version
	}
	l.addNpmVersions(out)
	return out
}
