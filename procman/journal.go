package procman

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"hop3/procman/shim"
)

// journal merges the log files of one app. Files are known by inode, so that rotation neither repeats nor loses lines.
type journal struct {
	dir      string
	filter   *filter
	files    map[inode]*logFile
	finished map[inode]time.Time // rotated files that were read to their end, and when they were last written
	stable   bool                // nothing moved during the last scan
}

func (j *journal) close() {
	for _, f := range j.files {
		f.file.Close() //nolint:errcheck // read only
	}
}

// scanTries bounds how often a scan is repeated because files were renamed under it.
const scanTries = 20

// scan looks for new files in the folder and for how far the known ones have grown. A rotation meanwhile could hide a
// file from it, and the lines of its successor would come first: it looks until nothing moves.
func (j *journal) scan() error {
	var before map[string]inode
	j.stable = false
	for n := 0; n < scanTries && !j.stable; n++ {
		now, err := j.look()
		if err != nil {
			return err
		}
		j.stable = n > 0 && maps.Equal(before, now)
		before = now
	}
	if j.stable {
		here := slices.Collect(maps.Values(before))
		maps.DeleteFunc(j.finished, func(id inode, _ time.Time) bool { return !slices.Contains(here, id) })
	}
	for _, f := range j.files {
		if err := f.refresh(); err != nil {
			return fmt.Errorf("look at log: %w", err)
		}
	}
	return nil
}

// look opens the files that are new and returns which file has which name.
func (j *journal) look() (map[string]inode, error) {
	entries, err := os.ReadDir(j.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	for _, f := range j.files {
		f.seen = false
	}
	names := map[string]inode{}
	for _, e := range entries {
		m := logName.FindStringSubmatch(e.Name())
		info, err := e.Info()
		if m == nil || err != nil || !info.Mode().IsRegular() {
			continue
		}
		id := inodeOf(info)
		names[e.Name()] = id
		if at, ok := j.finished[id]; ok && at.Equal(info.ModTime()) {
			continue
		}
		f := j.files[id]
		if f == nil {
			if f, err = openLog(filepath.Join(j.dir, e.Name())); err != nil {
				continue // it has moved: the next look finds it
			}
			if f.id != id {
				f.file.Close() //nolint:errcheck // read only
				continue
			}
			j.files[id] = f
		}
		f.seen = true
		f.rotated = m[2] != ""
	}
	return names, nil
}

// history writes the records that there are.
func (j *journal) history(ctx context.Context, out *logWriter) error {
	if err := j.scan(); err != nil {
		return err
	}
	for _, f := range j.files {
		if f.mod.Before(j.filter.q.Since) {
			f.off = f.end
		}
	}
	if j.filter.q.Lines >= 0 {
		if err := j.seekLast(ctx, min(orElse(j.filter.q.Lines, DefaultLines), maxLines)); err != nil {
			return err
		}
	}
	return j.drain(ctx, out)
}

// mark is where one of the last records stands.
type mark struct {
	time time.Time
	file *logFile
	rank int // of the file
	off  int64
}

// marks is a heap with the oldest mark on top. Of records of one time in one file, which is read on from one place, the
// first is the oldest: else dropping one from between would bring it back.
type marks []mark

func (m marks) Len() int { return len(m) }
func (m marks) Less(i, k int) bool {
	return cmp.Or(m[i].time.Compare(m[k].time), cmp.Compare(m[i].rank, m[k].rank), cmp.Compare(m[i].off, m[k].off)) < 0
}
func (m marks) Swap(i, k int) { m[i], m[k] = m[k], m[i] }
func (m *marks) Push(x any)   { *m = append(*m, x.(mark)) }
func (m *marks) Pop() any {
	old := *m
	x := old[len(old)-1]
	*m = old[:len(old)-1]
	return x
}

// seekLast places all files so that reading on gives the last n records that fit.
func (j *journal) seekLast(ctx context.Context, n int) error {
	files := j.sorted()
	slices.SortStableFunc(files, func(a, b *logFile) int { return b.mod.Compare(a.mod) })
	var last marks
	for rank, f := range files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		begin := f.off
		f.off = f.lineEnd()
		if len(last) == n && f.mod.Before(last[0].time) {
			continue
		}
		err := f.backward(func(off int64, r *shim.Record) bool {
			full := len(last) == n
			if off < begin || r.Time.Before(j.filter.q.Since) || full && !last[0].time.Before(r.Time) {
				return false
			}
			if j.filter.match(r) {
				heap.Push(&last, mark{r.Time, f, rank, off})
				if full {
					heap.Pop(&last)
				}
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	for _, m := range last {
		m.file.off = min(m.file.off, m.off)
	}
	return nil
}

// lineEnd is the offset behind the last complete line.
func (l *logFile) lineEnd() int64 {
	end := l.end
	for end > 0 {
		n := min(end, 4096)
		block := make([]byte, n)
		if _, err := l.file.ReadAt(block, end-n); err != nil {
			return l.end
		}
		for k := len(block) - 1; k >= 0; k-- {
			if block[k] == '\n' {
				return end - n + int64(k) + 1
			}
		}
		end -= n
	}
	return 0
}

// sorted returns the files in a fixed order, which decides between records of the same time.
func (j *journal) sorted() []*logFile {
	var out []*logFile
	for _, f := range j.files {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *logFile) int {
		if c := a.mod.Compare(b.mod); c != 0 {
			return c
		}
		return int(min(1, max(-1, int64(a.id.ino)-int64(b.id.ino)))) //nolint:gosec // an order, no number
	})
	return out
}

// merge is a heap of files by the time of their heads.
type merge []*logFile

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, k int) bool { return m[i].head.Time.Before(m[k].head.Time) }
func (m merge) Swap(i, k int)      { m[i], m[k] = m[k], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(*logFile)) }
func (m *merge) Pop() any {
	old := *m
	x := old[len(old)-1]
	*m = old[:len(old)-1]
	return x
}

// drain writes all records up to the files' ends, in the order of their times.
func (j *journal) drain(ctx context.Context, out *logWriter) error {
	var m merge
	for _, f := range j.sorted() {
		ok, err := f.next(j.filter.match)
		if err != nil {
			return err
		}
		if ok {
			m = append(m, f)
		}
	}
	heap.Init(&m)
	for n := 0; len(m) > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f := m[0]
		if err := out.write(&f.head); err != nil {
			return fmt.Errorf("write log: %w", err)
		}
		ok, err := f.next(j.filter.match)
		if err != nil {
			return err
		}
		if ok {
			heap.Fix(&m, 0)
		} else {
			heap.Pop(&m)
		}
	}
	if err := out.w.Flush(); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	return nil
}

// follow writes what there is and then what comes, until ctx ends.
func (j *journal) follow(ctx context.Context, out *logWriter) error {
	watch, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("follow logs: %w", err)
	}
	defer watch.Close() //nolint:errcheck // nothing is written through it
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return fmt.Errorf("follow logs: %w", err)
	}
	if err := watch.Add(j.dir); err != nil {
		return fmt.Errorf("follow logs: %w", err)
	}
	if err := j.history(ctx, out); err != nil {
		return ignoreEnd(ctx, err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-watch.Events:
		case err := <-watch.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) { // the scan makes up for lost events
				return fmt.Errorf("follow logs: %w", err)
			}
		}
		for waiting := true; waiting; { // a burst of events is one reason to look
			select {
			case <-watch.Events:
			default:
				waiting = false
			}
		}
		if err := j.more(ctx, out); err != nil {
			return ignoreEnd(ctx, err)
		}
	}
}

// more writes what has come since the last look.
func (j *journal) more(ctx context.Context, out *logWriter) error {
	if err := j.scan(); err != nil {
		return err
	}
	if err := j.drain(ctx, out); err != nil {
		return err
	}
	for id, f := range j.files {
		if f.rotated && f.seen {
			j.finished[id] = f.mod
		}
		if f.rotated && f.seen || !f.seen && j.stable { // nothing more will come
			f.file.Close() //nolint:errcheck // read only
			delete(j.files, id)
		}
	}
	return nil
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("follow logs: %w", err)
}
