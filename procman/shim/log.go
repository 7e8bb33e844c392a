package shim

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// maxQueue bounds what waits for the disk, in bytes.
const maxQueue = 1 << 20

// patience is how long the app may be held up, once, by a disk that does not
// take its lines. After that lines are dropped until there is room again.
const patience = 100 * time.Millisecond

// log writes what an instance prints.
type log struct {
	process string
	release int
	file    *logFile
	readers sync.WaitGroup
	pipes   []pipeStream
	texts   []string          // that are masked
	masked  *strings.Replacer // them
	written chan struct{}     // closed when the writer has ended

	wake chan struct{} // something to write, or closing
	room chan struct{} // the queue was emptied

	mu      sync.Mutex
	budget  budget
	queue   []byte
	dropped int
	stalled bool
	closing bool
}

// pipeStream is a pipe and who reads it.
type pipeStream struct {
	pipe   *os.File
	stream *stream
}

// openLog opens the file p.LogName in dir.
func openLog(dir *os.File, p payload) (*log, error) {
	f := &logFile{dir: dir, name: p.LogName, limits: p.Log.withDefaults()}
	l := &log{
		process: p.Process, release: p.Release, file: f, texts: p.Masked, masked: mask(p.Masked),
		written: make(chan struct{}), wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	if err := f.open(); err != nil {
		return nil, err
	}
	go l.write()
	return l, nil
}

// mask returns what replaces the texts, the first that fits, nil for none.
func mask(texts []string) *strings.Replacer {
	if len(texts) == 0 {
		return nil
	}
	var pairs []string
	for _, t := range texts {
		pairs = append(pairs, t, "********")
	}
	return strings.NewReplacer(pairs...)
}

// pipe returns the end that the app writes to as the given stream. The caller
// closes it once the app has it.
func (l *log) pipe(kind byte) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	s := &stream{kind: kind, emit: l.emit, masked: l.texts}
	l.pipes = append(l.pipes, pipeStream{r, s})
	l.readers.Go(func() {
		if err := s.pump(r); err != nil {
			l.emit(time.Now(), System, false, fmt.Appendf(nil, "output lost: %v", err))
		}
		r.Close()
	})
	return w, nil
}

// emit queues one record.
func (l *log) emit(at time.Time, kind byte, partial bool, text []byte) {
	if l.masked != nil {
		text = []byte(l.masked.Replace(string(text)))
		text = text[:min(len(text), MaxText)] // what stands for a text may be longer than it
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if kind != System && !l.budget.take(at, len(text)) {
		l.dropped++ // told with the next line that goes through, or at the end
		return
	}
	if len(l.queue) >= maxQueue && !l.stalled {
		l.waitForRoom()
	}
	if len(l.queue) >= maxQueue {
		l.stalled = true
		l.dropped++
		return
	}
	l.stalled = false
	l.queue = AppendRecord(l.queue, Record{Time: at, Stream: kind, Process: l.process, Release: l.release, Partial: partial, Text: text})
	nudge(l.wake)
}

// waitForRoom waits for the writer, with l.mu released meanwhile.
func (l *log) waitForRoom() {
	l.mu.Unlock()
	t := time.NewTimer(patience)
	select {
	case <-l.room:
	case <-t.C:
	}
	t.Stop()
	l.mu.Lock()
}

// nudge leaves a token for whoever waits on c.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write takes the queue to the file until the log is closed and empty.
func (l *log) write() {
	defer close(l.written)
	var chunk []byte
	for range l.wake {
		l.mu.Lock()
		chunk, l.queue = l.queue, chunk[:0]
		dropped, closing := l.dropped, l.closing
		l.dropped = 0
		l.mu.Unlock()
		nudge(l.room)
		lost := l.put(chunk, dropped)
		l.mu.Lock()
		l.dropped += lost
		last := closing && len(l.queue) == 0
		l.mu.Unlock()
		if last {
			return
		}
		if closing {
			nudge(l.wake)
		}
	}
}

// put writes the records, and before them how many are missing. It says how
// many lines could not be written, earlier ones included.
func (l *log) put(chunk []byte, dropped int) (lost int) {
	if dropped > 0 {
		note := AppendRecord(nil, Record{Time: time.Now(), Stream: System, Process: l.process, Release: l.release,
			Text: fmt.Appendf(nil, "%d lines dropped", dropped)})
		if _, err := l.file.Write(note); err != nil {
			return dropped + bytes.Count(chunk, newline)
		}
	}
	if len(chunk) == 0 {
		return 0
	}
	n, err := l.file.Write(chunk)
	if err != nil {
		return bytes.Count(chunk[n:], newline)
	}
	return 0
}

var newline = []byte("\n")

// closeWait bounds what a hanging disk can add to the end of an instance.
const closeWait = 5 * time.Second

// lastWordsTime is how long the pipes are read on after the app has ended:
// another process, which got them from it, may hold them open for ever.
const lastWordsTime = time.Second

// Close waits until the pipes have been read to their end and all is written.
// Where processes may have survived (bare), it hardly waits for their ends.
func (l *log) Close(bare bool) {
	wait := lastWordsTime
	if bare {
		wait = flushAfter
	}
	for _, p := range l.pipes {
		p.stream.finishBy(p.pipe, time.Now().Add(wait))
	}
	l.readers.Wait()
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	nudge(l.wake)
	select {
	case <-l.written:
	case <-time.After(closeWait):
	}
}
