package receive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// manyPacks is when Consolidate acts: each push leaves one pack, and each pack costs every reader a little.
const manyPacks = 50

// Crowded says whether there are so many packs that Consolidate would act.
func (r *Repo) Crowded() bool {
	packs, err := filepath.Glob(filepath.Join(r.packDir(), "*.pack"))
	return err == nil && len(packs) >= manyPacks
}

// Consolidate joins the packs of many small pushes; below fifty it does nothing. It may run beside pushes and readers, but
// not beside itself. It can be stopped at any moment, by ctx or with the machine: the old packs go only when the new one is
// on the disk, and what is left of an unfinished one goes the next time.
func (r *Repo) Consolidate(ctx context.Context) error {
	if !r.Crowded() {
		return nil
	}
	if err := r.sweepPacks(); err != nil {
		return fmt.Errorf("consolidate packs: %w", err)
	}
	_, err := r.view().run(ctx, "", "repack", "-d", "-q", "--geometric=2")
	return err
}

func (r *Repo) packDir() string { return filepath.Join(r.dir, "objects", "pack") }

// sweepPacks removes the temporary files of git repack. Pushes have theirs elsewhere.
func (r *Repo) sweepPacks() error {
	var failed error
	for _, pattern := range []string{".tmp-*", "tmp_*"} {
		left, err := filepath.Glob(filepath.Join(r.packDir(), pattern))
		failed = errors.Join(failed, err)
		for _, name := range left {
			failed = errors.Join(failed, os.Remove(name))
		}
	}
	return failed
}
