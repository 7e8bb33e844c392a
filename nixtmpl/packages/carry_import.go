package packages

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// carryBatch and carryBatchFiles bound what is copied before it goes to the
	// store: bytes for the disk, files for the store's command line.
	carryBatch      = 256 << 20
	carryBatchFiles = 64
	// clockSlack is how far an index may be dated ahead of this machine's clock.
	clockSlack = 24 * time.Hour
)

// Import reads what Export wrote and adds it to the store; it uses no network.
// Every file is checked against the lock of the archive before it is added, and
// that lock becomes the machine's unless it was locked from older indices: the
// archive is trusted as far as who made it. Nothing of an archive that is cut off or
// changed is used but files that were whole.
func (s *Set) Import(ctx context.Context, r io.Reader, progress io.Writer) (Carried, error) {
	unlock, err := s.exclusive(ctx, progress)
	if err != nil {
		return Carried{}, err
	}
	defer unlock()
	tmp, err := os.MkdirTemp(s.dir, scratchPrefix+"*")
	if err != nil {
		return Carried{}, diskError(s.dir, err)
	}
	defer os.RemoveAll(tmp)
	in := &importer{set: s, tar: tar.NewReader(bufio.NewReaderSize(r, 1<<20)), batch: downloads{set: s, dir: tmp}}
	c, err := in.run(ctx)
	if err != nil {
		return Carried{}, fmt.Errorf("import packages: %w", diskError(s.dir, err))
	}
	return c, nil
}

// importer is one run of Import.
type importer struct {
	set  *Set
	tar  *tar.Reader
	lock *lock
	want map[string]file // by part of the archive

	missing map[string]bool // by store name
	applets []string
	batch   downloads // what is to be added next
	bytes   int64     // of the batch
	got     Carried
}

func (in *importer) run(ctx context.Context) (Carried, error) {
	h, err := in.tar.Next()
	if err != nil || h.Name != carryLock {
		return Carried{}, &CarryError{Problem: "it does not begin with a lock", Mend: "give it what `hop3 packages export` wrote"}
	}
	if err := in.readLock(ctx, h.Size); err != nil {
		return Carried{}, err
	}
	if err := in.parts(ctx); err != nil {
		return Carried{}, err
	}
	mine, err := in.set.current().encode()
	if err != nil {
		return Carried{}, err
	}
	theirs, err := in.lock.encode()
	if err != nil {
		return Carried{}, err
	}
	if !bytes.Equal(mine, theirs) {
		in.got.Lock = true
		return in.got, in.set.replace(in.lock)
	}
	return in.got, nil
}

// parts reads everything behind the lock. What was whole is added also when the
// archive turns out to be cut off.
func (in *importer) parts(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		h, err := in.tar.Next()
		if errors.Is(err, io.EOF) {
			return in.flush(ctx)
		}
		if err != nil {
			err = cutOff(err)
		} else {
			err = in.part(ctx, h)
		}
		if err != nil {
			return errors.Join(err, in.flush(ctx))
		}
	}
}

func (in *importer) readLock(ctx context.Context, size int64) error {
	if size > maxCarryLock {
		return &CarryError{Problem: "its lock is too large", Mend: "give it what `hop3 packages export` wrote"}
	}
	b, err := io.ReadAll(in.tar)
	if err != nil {
		return cutOff(err)
	}
	if in.lock, err = parseLock(b); err != nil {
		return err
	}
	if reason := in.set.takesLock(in.lock); reason != nil {
		return reason
	}
	in.want, in.missing = map[string]file{}, map[string]bool{}
	files := in.lock.files()
	for _, f := range files {
		in.want[carryFiles+f.name] = f
	}
	delete(in.want, carryFiles+stage0Name)
	missing, err := in.set.missing(ctx, files)
	for _, f := range missing {
		in.missing[f.name] = true
	}
	return err
}

// takesLock says why a lock must not become this machine's.
func (s *Set) takesLock(l *lock) error {
	if l.Spec != specDigest() {
		return &CarryError{Problem: "it was made by another version of hop3", Mend: "export it with the version that imports it (hop3 version)"}
	}
	mine := s.current()
	for _, suite := range slices.Sorted(maps.Keys(mine.Dates)) {
		if l.Dates[suite].Before(mine.Dates[suite]) {
			return &CarryError{
				Problem: fmt.Sprintf("its packages are older than this machine's: %s of %s, here %s", suite, day(l.Dates[suite]), day(mine.Dates[suite])),
				Mend:    "run `hop3 packages update` on the machine that exports, and export again",
			}
		}
	}
	for _, suite := range slices.Sorted(maps.Keys(l.Dates)) {
		if l.Dates[suite].After(s.now().Add(clockSlack)) {
			return &CarryError{Problem: fmt.Sprintf("its packages are of %s, which is in the future", day(l.Dates[suite])), Mend: "set this machine's clock"}
		}
	}
	return nil
}

func day(t time.Time) string {
	if t.IsZero() {
		return "those that came with hop3"
	}
	return t.UTC().Format(time.DateOnly)
}

// part takes one entry: it is checked first, then added.
func (in *importer) part(ctx context.Context, h *tar.Header) error {
	f, known := in.want[h.Name]
	switch {
	case h.Typeflag != tar.TypeReg:
		return &CarryError{Problem: fmt.Sprintf("%q is not a plain file", h.Name), Mend: "export it again"}
	case h.Name == carryApplets && h.Size <= maxCarryLock:
		b, err := io.ReadAll(in.tar)
		in.applets = strings.Fields(string(b))
		return cutOff(err)
	case h.Name == carryProgram && h.Size <= maxDebFile:
		return in.stage0(ctx)
	case !known:
		return &CarryError{Problem: fmt.Sprintf("its lock does not name %q", h.Name), Mend: "export it again"}
	}
	delete(in.want, h.Name) // a second one of the name is not known
	if err := in.save(f); err != nil {
		return err
	}
	return in.add(ctx, f, h.Size)
}

// save writes the entry to the scratch folder, unless the store has the file,
// and checks it in either case.
func (in *importer) save(f file) error {
	sum := newHash(f.algo)
	to := io.Writer(sum)
	if in.missing[f.name] {
		out, err := os.OpenFile(filepath.Join(in.batch.dir, f.name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer out.Close() // what was not written whole is found by the store's own hash
		to = io.MultiWriter(out, sum)
	}
	if _, err := io.Copy(to, in.tar); err != nil {
		return cutOff(err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.hex {
		return damaged(f.name)
	}
	return nil
}

// stage0 makes the folder again; only its hash says whether it is the right one,
// and nothing of it is run.
func (in *importer) stage0(ctx context.Context) error {
	program, err := io.ReadAll(in.tar)
	if err != nil {
		return cutOff(err)
	}
	f := in.lock.stage0File()
	if hex.EncodeToString(narOfStage0(program, in.applets)) != f.hex {
		return damaged(f.name)
	}
	if in.missing[f.name] {
		dir := filepath.Join(in.batch.dir, f.name)
		if _, err := writeStage0(dir, program); err != nil {
			return err
		}
		if err := linkStage0(dir, in.applets); err != nil {
			return err
		}
	}
	return in.add(ctx, f, int64(len(program)))
}

// add counts a file that is right and puts it into the store with the next
// batch.
func (in *importer) add(ctx context.Context, f file, size int64) error {
	in.got.Files, in.got.Bytes = in.got.Files+1, in.got.Bytes+size
	if !in.missing[f.name] {
		return nil
	}
	delete(in.missing, f.name)
	in.batch.got = append(in.batch.got, f)
	if in.bytes += size; in.bytes < carryBatch && len(in.batch.got) < carryBatchFiles {
		return nil
	}
	return in.flush(ctx)
}

func (in *importer) flush(ctx context.Context) error {
	if err := in.batch.add(ctx); err != nil {
		return err
	}
	for _, f := range in.batch.got {
		if err := os.RemoveAll(filepath.Join(in.batch.dir, f.name)); err != nil {
			return err
		}
	}
	in.got.Added += len(in.batch.got)
	in.batch.got, in.bytes = nil, 0
	return nil
}

func damaged(name string) error {
	return &CarryError{Problem: name + " is not what its lock names", Mend: "it was changed or damaged on its way: copy or export it again"}
}

func cutOff(err error) error {
	if err == nil {
		return nil
	}
	return &CarryError{Problem: "it is cut off or damaged (" + err.Error() + ")", Mend: "copy or export it again", Err: err}
}
