package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"hop3/internal/state"
)

// Garbage is what a collection removed, or would remove.
type Garbage struct {
	Paths int   `json:"paths"` // of the store
	Bytes int64 `json:"bytes"`
}

// Collect removes what no release keeps: old releases beyond the number that
// is kept, and all store paths without a root. With dry nothing is removed. It
// waits for builds that are under way and holds others off meanwhile, for what
// a build has fetched and not used yet has no root.
func (p *Pipeline) Collect(ctx context.Context, dry bool) (Garbage, error) {
	if !p.gc.TryLock() {
		return Garbage{}, &state.Conflict{What: "a collection is under way already", Mend: "try again when it is done"}
	}
	defer p.gc.Unlock()
	if dry {
		if err := p.retain(ctx); err != nil {
			return Garbage{}, err
		}
		return p.garbage(ctx)
	}
	for range cap(p.builds) {
		select {
		case p.builds <- struct{}{}:
			defer func() { <-p.builds }()
		case <-ctx.Done():
			return Garbage{}, context.Cause(ctx)
		}
	}
	for _, app := range p.Store.Apps() {
		if leave, free := p.queue.try(app.Name, &ticket{who: "the server", what: "gc"}); free {
			p.prune(app.Name)
			leave()
		}
	}
	if err := p.retain(ctx); err != nil {
		return Garbage{}, err
	}
	freed, err := p.Nix.GC(ctx, 0, false)
	return Garbage{len(freed.Paths), freed.Bytes}, err
}

// retain keeps what the next push of each app will want of the package set.
func (p *Pipeline) retain(ctx context.Context) error {
	dirs, err := filepath.Glob(filepath.Join(p.Store.Dir(), "*", "*", "releases", "*"))
	if err != nil {
		return fmt.Errorf("list releases: %w", err)
	}
	return p.Builder.Retain(ctx, dirs...)
}

// garbage measures what no root keeps.
func (p *Pipeline) garbage(ctx context.Context) (Garbage, error) {
	dead, err := p.Nix.GC(ctx, 0, true)
	if err != nil {
		return Garbage{}, err
	}
	size, err := p.Nix.Sizes(ctx)
	if err != nil {
		return Garbage{}, err
	}
	g := Garbage{Paths: len(dead.Paths)}
	for _, path := range dead.Paths {
		n, known := size[path]
		if !known { // what a build that ended early has left
			if n, err = diskUsage(ctx, path); err != nil {
				return g, err
			}
		}
		g.Bytes += n
	}
	return g, nil
}

// try is enter for who does not want to wait.
func (q *queue) try(app string, t *ticket) (leave func(), free bool) {
	t.ready, t.since = make(chan struct{}), time.Now()
	if q.add(app, t) != "" {
		q.leave(app, t)
		return nil, false
	}
	return func() { q.leave(app, t) }, true
}

// Storage is what an app takes on the disk, in bytes.
type Storage struct {
	App        string `json:"app"`
	Releases   int64  `json:"releases"`   // store paths of all its releases, each once; apps share some
	Data       int64  `json:"data"`       // /data of its processes
	Logs       int64  `json:"logs"`       // of its processes and builds
	Repository int64  `json:"repository"` // its code

	Volumes []VolumeStorage `json:"volumes"` // part of Data
}

// VolumeStorage is what a volume of the current release takes, in bytes.
type VolumeStorage struct {
	state.Volume
	Bytes int64 `json:"bytes"`
}

// Storage measures an app.
func (p *Pipeline) Storage(ctx context.Context, app *state.App) (Storage, error) {
	s := Storage{App: app.Name, Volumes: []VolumeStorage{}}
	dir := p.Store.AppDir(app.Name)
	var paths []string
	for _, r := range app.Releases {
		if r.StorePath != "" && !slices.Contains(paths, r.StorePath) {
			paths = append(paths, r.StorePath)
		}
	}
	valid, err := p.Nix.Valid(ctx, paths...)
	if err != nil {
		return s, err
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return !valid[path] })
	if s.Releases, err = p.Nix.Size(ctx, paths...); err != nil {
		return s, err
	}
	for _, part := range []struct {
		dir string
		to  *int64
	}{{"data", &s.Data}, {"logs", &s.Logs}, {"releases", &s.Logs}, {"repo.git", &s.Repository}} {
		n, err := diskUsage(ctx, filepath.Join(dir, part.dir))
		if err != nil {
			return s, err
		}
		*part.to += n
	}
	rel, _ := app.CurrentRelease() // without one it has no volumes
	for _, v := range rel.Volumes {
		n, err := diskUsage(ctx, filepath.Join(dir, "data", v.Name))
		if err != nil {
			return s, err
		}
		s.Volumes = append(s.Volumes, VolumeStorage{v, n})
	}
	return s, nil
}

// diskUsage sums the blocks of a tree's files. What is not there, or goes
// meanwhile, takes none; a file with several names counts once.
func diskUsage(ctx context.Context, dir string) (int64, error) {
	var sum int64
	seen := map[uint64]bool{}
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		var info fs.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if ok && !(st.Nlink > 1 && seen[st.Ino]) {
			seen[st.Ino] = true
			sum += st.Blocks * 512 // stat(2)'s unit
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", dir, err)
	}
	return sum, nil
}
