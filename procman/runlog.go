package procman

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hop3/procman/shim"
)

// A runLog keeps in the app's logs what a command prints that its caller reads as well: a release's own commands.
type runLog struct {
	process string
	release int

	mu   sync.Mutex
	file *shim.LogFile
	open map[byte][]byte // of each stream, the line that is being written
}

// openRunLog makes the log file of one run of the command called process.
func openRunLog(r *Release, process string) (*runLog, error) {
	if err := os.MkdirAll(r.LogDir, 0o700); err != nil {
		return nil, fmt.Errorf("open log of %s: %w", process, err)
	}
	f, err := shim.OpenLog(filepath.Join(r.LogDir, fmt.Sprintf("%s-v%d-%s%s", process, r.Number, newID(), logSuffix)), shim.LogLimits{})
	if err != nil {
		return nil, err
	}
	return &runLog{process: process, release: r.Number, file: f, open: map[byte][]byte{}}, nil
}

// tee returns a writer that passes on to next, which may be nil, and keeps what it passes on.
func (l *runLog) tee(stream byte, next io.Writer) io.Writer {
	if next == nil {
		next = io.Discard
	}
	return io.MultiWriter(next, runStream{l, stream})
}

type runStream struct {
	log    *runLog
	stream byte
}

// Write never fails: a log that cannot be written is no reason to end a migration.
func (s runStream) Write(b []byte) (int, error) {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[s.stream] = append(l.open[s.stream], b...)
	for {
		line := l.open[s.stream]
		end := bytes.IndexByte(line, '\n')
		if end < 0 && len(line) <= shim.MaxText {
			return len(b), nil
		}
		cut := min(len(line), shim.MaxText)
		if end >= 0 && end <= cut {
			cut = end
		}
		l.put(s.stream, line[:cut], cut != end)
		if cut == end {
			cut++
		}
		l.open[s.stream] = line[cut:]
	}
}

func (l *runLog) put(stream byte, text []byte, partial bool) {
	r := shim.Record{Time: time.Now(), Stream: stream, Process: l.process, Release: l.release, Partial: partial, Text: text}
	_, _ = l.file.Write(shim.AppendRecord(nil, r)) // see Write
}

// close keeps what has no newline at its end.
func (l *runLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for stream, rest := range l.open {
		if len(rest) > 0 {
			l.put(stream, rest, true)
		}
	}
	return l.file.Close()
}
