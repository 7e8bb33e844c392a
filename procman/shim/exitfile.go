package shim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// exitRecord is the content of exit.json.
type exitRecord struct {
	Version int `json:"version"`
	ExitStatus
}

// exitSize is what an exit record takes at most.
const exitSize = 512

// exitWriter holds the space of exit.json from the beginning, so that a disk
// that is full at the end cannot lose the exit status.
type exitWriter struct {
	dir  *os.File
	file *os.File
}

const exitTemp = "exit.tmp"

func prepareExit(dir *os.File) (*exitWriter, error) {
	fd, err := unix.Openat(int(dir.Fd()), exitTemp, unix.O_CREAT|unix.O_TRUNC|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("prepare exit status: %w", err)
	}
	f := os.NewFile(uintptr(fd), exitTemp)
	if _, err := f.Write(bytes.Repeat([]byte(" "), exitSize)); err != nil {
		return nil, fmt.Errorf("prepare exit status: %w", err)
	}
	return &exitWriter{dir: dir, file: f}, nil
}

// write makes the status durable under its final name.
func (w *exitWriter) write(st ExitStatus) error {
	b, err := json.Marshal(exitRecord{Version: 1, ExitStatus: st})
	if err != nil {
		return fmt.Errorf("encode exit status: %w", err)
	}
	b = append(b, bytes.Repeat([]byte(" "), max(0, exitSize-1-len(b)))...)
	if _, err := w.file.WriteAt(append(b, '\n'), 0); err != nil {
		return fmt.Errorf("write exit status: %w", err)
	}
	err = errors.Join(w.file.Sync(), w.file.Close())
	if err == nil {
		err = unix.Renameat(int(w.dir.Fd()), exitTemp, int(w.dir.Fd()), exitFile)
	}
	if err != nil {
		return fmt.Errorf("write exit status: %w", err)
	}
	if err := w.dir.Sync(); err != nil {
		return fmt.Errorf("write exit status: %w", err)
	}
	return nil
}

// readExit reads the exit.json of an instance's directory.
func readExit(path string) (ExitStatus, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return ExitStatus{}, fmt.Errorf("read exit status: %w", err)
	}
	var r exitRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return ExitStatus{}, fmt.Errorf("read exit status: %w", err)
	}
	if r.Version != 1 {
		return ExitStatus{}, fmt.Errorf("read exit status: version %d", r.Version)
	}
	return r.ExitStatus, nil
}
