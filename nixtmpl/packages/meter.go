package packages

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// meterEvery is the longest silence while files are fetched.
const meterEvery = 3 * time.Second

// meter writes the progress of a round of downloads as complete lines.
type meter struct {
	w     io.Writer
	files int
	bytes int64
	stop  chan struct{}
	done  sync.WaitGroup

	mu       sync.Mutex
	finished int
	received int64
}

// newMeter starts to write; close ends it.
func newMeter(w io.Writer, files []file) *meter {
	m := &meter{w: w, files: len(files), stop: make(chan struct{})}
	for _, f := range files {
		m.bytes += f.size
	}
	noun := "packages"
	if m.files == 1 {
		noun = "package"
	}
	say(w, "fetching %d %s, %s", m.files, noun, mebibytes(m.bytes))
	m.done.Go(m.loop)
	return m
}

func (m *meter) loop() {
	t := time.NewTicker(meterEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			m.mu.Lock()
			finished, received := m.finished, m.received
			m.mu.Unlock()
			say(m.w, "[%d/%d] %d of %s", finished, m.files, received>>20, mebibytes(max(m.bytes, received)))
		case <-m.stop:
			return
		}
	}
}

// read counts bytes; negative ones are of a download that begins again.
func (m *meter) read(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.received += int64(n)
}

// finish counts a file.
func (m *meter) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finished++
}

func (m *meter) close() {
	close(m.stop)
	m.done.Wait()
}

// say writes one progress line. A reader that has gone away stops nothing here;
// the caller's context does.
func say(w io.Writer, format string, args ...any) {
	if w != nil {
		_, _ = fmt.Fprintf(w, format+"\n", args...)
	}
}

func mebibytes(n int64) string {
	if n > 0 && n < 1<<20 {
		return "1 MiB"
	}
	return fmt.Sprintf("%d MiB", (n+1<<19)>>20)
}
