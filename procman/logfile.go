package procman

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"hop3/procman/shim"
)

// logBlock is how much of a log file is read at once.
const logBlock = 64 << 10

// maxLine is longer than any record: what is longer is not a record, and is skipped.
const maxLine = 2 * (shim.MaxText + 1024)

// inode names a file whatever it is called: rotation renames files.
type inode struct{ dev, ino uint64 }

// logFile is one log file that is being read.
type logFile struct {
	file    *os.File
	id      inode
	mod     time.Time
	off     int64 // of the first byte that has not been taken
	end     int64 // up to which it is read now
	buf     []byte
	skip    bool        // in the middle of an overlong line
	head    shim.Record // of the merge
	line    []byte      // the memory of head
	rotated bool        // nothing more is written to it
	seen    bool        // it is still in the folder
}

func openLog(path string) (*logFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	l := &logFile{file: f}
	if err := l.refresh(); err != nil {
		f.Close() //nolint:errcheck // read only
		return nil, err
	}
	return l, nil
}

// refresh moves the end to where the file ends now.
func (l *logFile) refresh() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	l.id, l.mod, l.end = inodeOf(info), info.ModTime(), info.Size()
	return nil
}

func inodeOf(info os.FileInfo) inode {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return inode{dev: uint64(st.Dev), ino: st.Ino} //nolint:unconvert // its type differs by architecture
	}
	return inode{}
}

// backward calls visit with the records before the end, last first, and their offsets, until it returns false.
func (l *logFile) backward(visit func(off int64, r *shim.Record) bool) error {
	at := l.end
	var tail []byte // the end of a line that begins in the block before
	complete := false
	for at > 0 {
		n := min(at, logBlock)
		block := make([]byte, n, int(n)+len(tail))
		if _, err := l.file.ReadAt(block, at-n); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read log: %w", err)
		}
		at -= n
		block = append(block, tail...)
		for {
			cut := bytes.LastIndexByte(block, '\n')
			if cut < 0 {
				break
			}
			line := block[cut+1:]
			if complete { // what follows the last newline is still being written
				if r, err := shim.ParseRecord(line); err == nil && !visit(at+int64(cut)+1, &r) {
					return nil
				}
			}
			complete = true
			block = block[:cut]
		}
		if tail = block; len(tail) > maxLine {
			tail = tail[:maxLine]
		}
	}
	if complete {
		if r, err := shim.ParseRecord(tail); err == nil {
			visit(0, &r)
		}
	}
	return nil
}

// next takes the next record before the end into head; ok is false where there is none yet.
func (l *logFile) next(match func(*shim.Record) bool) (ok bool, err error) {
	for {
		cut := bytes.IndexByte(l.buf, '\n')
		if cut < 0 {
			if more, err := l.fill(); err != nil || !more {
				return false, err
			}
			continue
		}
		l.line = append(l.line[:0], l.buf[:cut]...)
		l.buf = l.buf[cut+1:]
		l.off += int64(cut) + 1
		if l.skip {
			l.skip = false
			continue
		}
		if r, err := shim.ParseRecord(l.line); err == nil && match(&r) {
			l.head = r
			return true, nil
		}
	}
}

// fill reads one more block behind buf. It reports false at the end.
func (l *logFile) fill() (bool, error) {
	if len(l.buf) > maxLine {
		l.off += int64(len(l.buf))
		l.buf, l.skip = nil, true
	}
	from := l.off + int64(len(l.buf))
	n := min(l.end-from, logBlock)
	if n <= 0 {
		return false, nil
	}
	grown := make([]byte, len(l.buf)+int(n))
	copy(grown, l.buf)
	got, err := l.file.ReadAt(grown[len(l.buf):], from)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read log: %w", err)
	}
	l.buf = grown[:len(l.buf)+got]
	return got > 0, nil
}
