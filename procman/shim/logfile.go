package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// A LogFile is a log that the caller writes itself, with the records and the
// rotation of an instance's. Its methods may not be called at once.
type LogFile struct{ file logFile }

// OpenLog opens the log at path and makes it if need be; its folder must exist.
func OpenLog(path string, limits LogLimits) (*LogFile, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &LogFile{logFile{dir: dir, name: filepath.Base(path), limits: limits.withDefaults()}}
	if err := l.file.open(); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return l, nil
}

// Write appends whole records, as AppendRecord makes them.
func (l *LogFile) Write(records []byte) (int, error) { return l.file.Write(records) }

// Close closes the log.
func (l *LogFile) Close() error { return errors.Join(l.file.f.Close(), l.file.dir.Close()) }
