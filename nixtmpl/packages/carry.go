package packages

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The parts of an archive that carries the set to a machine without network: a
// tar of the lock, of stage 0 as its program and the names that lead to it, and
// of files under the names that they have in the store. The lock comes first,
// so that every other part can be checked against it while it is read.
const (
	carryLock    = "lock.json"
	carryProgram = "stage0/busybox"
	carryApplets = "stage0/applets" // one a line, sorted
	carryFiles   = "files/"

	// maxCarryLock bounds lock and applet list: the lock of the whole set has 0.7 MB.
	maxCarryLock = 16 << 20
)

// Carried says what an archive holds, or what of it was taken.
type Carried struct {
	Files int   // files, stage 0 counted as one
	Bytes int64 // their sizes together
	Added int   // of Import: those that the store did not have
	Lock  bool  // of Import: the machine's lock was replaced by the archive's
}

// Export writes the lock and the files that the needs name as a tar; without
// needs, all that the store has of the set. What the needs name must be in the
// store: Prefetch first. Import reads it. The same lock and needs give the same
// bytes.
func (s *Set) Export(ctx context.Context, w io.Writer, needs ...Need) (Carried, error) {
	l := s.current()
	files, err := s.exported(ctx, l, needs)
	if err != nil {
		return Carried{}, fmt.Errorf("export packages: %w", err)
	}
	b, err := l.encode()
	if err != nil {
		return Carried{}, fmt.Errorf("export packages: %w", err)
	}
	tw := tar.NewWriter(w)
	err = writePart(tw, carryLock, int64(len(b)), bytes.NewReader(b))
	var c Carried
	for _, f := range files {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = exportFile(tw, f)
		}
		c.Files, c.Bytes = c.Files+1, c.Bytes+f.size
	}
	if err == nil {
		err = tw.Close()
	}
	if err != nil {
		return Carried{}, fmt.Errorf("export packages: %w", err)
	}
	return c, nil
}

// exported lists the files to write, stage 0 first, then by name.
func (s *Set) exported(ctx context.Context, l *lock, needs []Need) ([]file, error) {
	files := l.files()
	if len(needs) > 0 {
		var err error
		var pending []string
		if files, pending, err = l.wanted(s.spec, needs); err != nil {
			return nil, err
		}
		if len(pending) > 0 {
			return nil, fmt.Errorf("go %s is not in the store", pending[0])
		}
	}
	missing, err := s.missing(ctx, files)
	if err != nil {
		return nil, err
	}
	if len(needs) > 0 && len(missing) > 0 {
		return nil, fmt.Errorf("%s and %d more are not in the store", missing[0].name, len(missing)-1)
	}
	files = slices.DeleteFunc(files, func(f file) bool {
		return slices.ContainsFunc(missing, func(m file) bool { return m.name == f.name })
	})
	if len(files) == 0 {
		return nil, &emptyError{}
	}
	slices.SortFunc(files, func(a, b file) int {
		if a.recursive != b.recursive {
			return map[bool]int{true: -1, false: 1}[a.recursive]
		}
		return strings.Compare(a.name, b.name)
	})
	return slices.CompactFunc(files, func(a, b file) bool { return a.name == b.name }), nil
}

func exportFile(tw *tar.Writer, f file) error {
	name, part := f.storePath(), carryFiles+f.name
	if f.recursive {
		applets, err := os.ReadDir(filepath.Join(name, "bin"))
		if err != nil {
			return err
		}
		var list strings.Builder
		for _, a := range applets {
			if a.Name() != "busybox" {
				list.WriteString(a.Name() + "\n")
			}
		}
		if err := writePart(tw, carryApplets, int64(list.Len()), strings.NewReader(list.String())); err != nil {
			return err
		}
		name, part = filepath.Join(name, "bin", "busybox"), carryProgram
	}
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	return writePart(tw, part, info.Size(), in)
}

func writePart(tw *tar.Writer, name string, size int64, r io.Reader) error {
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := io.Copy(tw, r)
	return err
}

// CarryError says why an archive of packages was not taken.
type CarryError struct {
	Problem, Mend string
	Err           error // nil, or the cause
}

func (e *CarryError) Error() string { return "read archive: " + e.Problem }

// Unwrap returns the cause.
func (e *CarryError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *CarryError) Hint() string { return e.Mend }

type emptyError struct{}

func (*emptyError) Error() string { return "the store has nothing of the set yet" }

// Hint says what to do about it.
func (*emptyError) Hint() string {
	return "name the stacks that the other machine is to build: hop3 packages export node python > packages.tar"
}
