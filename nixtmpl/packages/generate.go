package packages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hop3/nixtmpl/nix"
)

//go:generate go run ./internal/relock

// Relock writes the lock that is embedded in this package, from the sources
// that this machine knows, with the hashes of all Go toolchains. It is for
// developers; a server has Set.Update.
func Relock(ctx context.Context, progress io.Writer, name string) error {
	old := &lock{}
	if b, err := os.ReadFile(name); err == nil {
		if l, err := parseLock(b); err == nil {
			old = l
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read lock: %w", err)
	}
	dir, err := os.MkdirTemp("", "hop3-relock-*")
	if err != nil {
		return fmt.Errorf("relock: %w", err)
	}
	defer os.RemoveAll(dir)
	s := &Set{dir: dir, o: Options{Keyring: debianKeyring, AptDir: "/etc/apt"}, now: time.Now, lock: old, store: noStore{}}
	if s.spec, err = loadSpec(); err != nil {
		return err
	}
	if err := os.MkdirAll(s.flakeDir(), 0o755); err != nil {
		return fmt.Errorf("relock: %w", err)
	}
	if err := s.loadAddresses(); err != nil {
		return err
	}
	w := newWeb()
	defer w.close()
	changes, err := s.relock(ctx, w, progress, sourceDebian, sourceNpm, sourceGo)
	if err != nil {
		return err
	}
	if len(changes.Kept) > 0 {
		return fmt.Errorf("relock: %v", changes.Kept)
	}
	lines := slices.Sorted(slices.Values(s.Versions()["go"]))
	for _, line := range lines {
		if s.current().Go[line].SHA256 != "" {
			continue
		}
		tmp := filepath.Join(dir, "zip"+line)
		if err := errors.Join(os.Mkdir(tmp, 0o755), s.completeGo(ctx, w, progress, line, tmp), os.RemoveAll(tmp)); err != nil {
			return err
		}
	}
	out := *s.current()
	out.Dates = nil // a mirror that lags behind this one is no attack
	b, err := out.encode()
	if err != nil {
		return err
	}
	for _, c := range changes.Changed {
		say(progress, "%s: %q to %q", c.Name, c.From, c.To)
	}
	return writeAtomic(name, b)
}

// noStore is a store that computes paths and keeps nothing.
type noStore struct{}

func (noStore) KeepOnly(context.Context, string, []string) error { return nil }

func (noStore) AddFixed(_ context.Context, algo string, recursive bool, files ...string) ([]string, error) {
	out := make([]string, len(files))
	for i, f := range files {
		sum, _, err := hashFile(f)
		if err != nil {
			return nil, err
		}
		out[i] = nix.FixedPath(filepath.Base(f), algo, sum, recursive)
	}
	return out, nil
}

func (noStore) Valid(context.Context, ...string) (map[string]bool, error) { return nil, nil }
