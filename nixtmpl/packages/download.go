package packages

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
)

// goneFile is a file that its mirror does not have as the lock knows it.
type goneFile struct {
	GoneError
	file file
}

// downloads is one round of parallel downloads into a scratch folder and from
// there into the store.
type downloads struct {
	set *Set
	web *web
	dir string

	mu   sync.Mutex
	got  []file
	gone []*goneFile
}

// run fetches the files and adds them to the store; also when one fails, so that
// what has arrived is not fetched again.
func (d *downloads) run(ctx context.Context, progress io.Writer, files []file) ([]*goneFile, error) {
	meter := newMeter(progress, files)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(d.set.o.Jobs)
	for _, f := range files {
		g.Go(func() error { return d.one(gctx, f, meter) })
	}
	err := g.Wait()
	meter.close()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if addErr := d.add(ctx); err == nil {
		err = addErr
	}
	return d.gone, err
}

func (d *downloads) one(ctx context.Context, f file, m *meter) error {
	gone := func(addr, why string) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.gone = append(d.gone, &goneFile{GoneError{Name: f.name, URL: redact(addr), Why: why}, f})
		return nil
	}
	base, err := d.set.address(ctx, d.web, f.source)
	var none *AddressError
	if f.source == sourceSecurity && errors.As(err, &none) {
		return gone("", "this machine has no mirror of the security archive")
	} else if err != nil {
		return err
	}
	if err := d.fetch(ctx, base, f, m); errors.Is(err, errGone) || errors.Is(err, errWrong) {
		return gone(base+f.path, err.Error())
	} else if err != nil {
		return err
	}
	m.finish()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, f)
	return nil
}

func (d *downloads) fetch(ctx context.Context, base string, f file, m *meter) error {
	name := filepath.Join(d.dir, f.name)
	if !f.recursive {
		return d.set.download(ctx, d.web, base, f, name, m.read)
	}
	pin := d.set.current().Stage0.Deb
	deb := filepath.Join(d.dir, pin.File)
	if err := d.set.download(ctx, d.web, base, pin.file(), deb, m.read); err != nil {
		return err
	}
	sum, err := makeStage0(ctx, deb, name)
	if err != nil {
		return err
	}
	if hex.EncodeToString(sum) != f.hex {
		return fmt.Errorf("make stage 0: %s gives another one than the lock says", pin.File)
	}
	return nil
}

// download fetches one file. The error is errGone or errWrong if the mirror does
// not have it.
func (s *Set) download(ctx context.Context, w *web, base string, f file, name string, read func(int)) error {
	addr, err := joinURL(base, f.path)
	if err != nil {
		return err
	}
	return diskError(s.dir, w.save(ctx, addr, name, f, read))
}

// add puts what has arrived into the store, in one call per kind of hash.
func (d *downloads) add(ctx context.Context) error {
	type kind struct {
		algo      string
		recursive bool
	}
	kinds := map[kind][]file{}
	for _, f := range d.got {
		k := kind{f.algo, f.recursive}
		kinds[k] = append(kinds[k], f)
	}
	for k, files := range kinds {
		if err := d.set.addFixed(ctx, k.algo, k.recursive, d.dir, files); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) addFixed(ctx context.Context, algo string, recursive bool, dir string, files []file) error {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = filepath.Join(dir, f.name)
	}
	paths, err := s.store.AddFixed(ctx, algo, recursive, names...)
	if err != nil {
		if isNoSpace(err) {
			return &DiskFullError{Dir: "/nix/store", Err: err}
		}
		return fmt.Errorf("add to nix store: %w", err)
	}
	for i, f := range files {
		if i >= len(paths) || paths[i] != f.storePath() {
			return fmt.Errorf("add %s to nix store: it is not at %s", f.name, f.storePath())
		}
	}
	return nil
}

// completeGo fetches a toolchain whose hash is not known yet, has it checked
// against Go's checksum database, writes its hash into the lock and adds it to
// the store.
func (s *Set) completeGo(ctx context.Context, w *web, progress io.Writer, line, tmp string) error {
	l := s.current()
	pin := l.Go[line]
	base, err := s.address(ctx, w, sourceGo)
	if err != nil {
		return err
	}
	scratch := filepath.Join(tmp, "go"+line)
	if err := os.Mkdir(scratch, 0o755); err != nil {
		return diskError(s.dir, err)
	}
	zip := filepath.Join(scratch, pin.File)
	m := newMeter(progress, []file{pin.fetch()})
	err = s.download(ctx, w, base, pin.fetch(), zip, m.read)
	m.close()
	if errors.Is(err, errGone) {
		return &GoneError{Name: pin.File, URL: redact(base + pin.Path), Why: err.Error()}
	} else if err != nil {
		return err
	}
	say(progress, "checking %s against Go's checksum database", pin.File)
	if err := checkGoZip(ctx, pin, zip, base, scratch); err != nil {
		return err
	}
	if pin.SHA256, pin.Size, err = hashFile(zip); err != nil {
		return err
	}
	if err := s.addFixed(ctx, "sha256", false, scratch, []file{pin.fetch()}); err != nil {
		return err
	}
	return s.replace(l.withGo(line, pin))
}
