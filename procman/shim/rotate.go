package shim

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// logFile is a file that is renamed to NAME.1 when it is full, NAME.1 to
// NAME.2 and so on. Other instances may write to the same one: every write
// appends whole records, and whoever finds it renamed opens the new one.
type logFile struct {
	dir    *os.File
	name   string
	limits LogLimits

	f      *os.File
	size   int64
	broken bool // the last write ended inside a record
}

func (l *logFile) open() error {
	fd, err := unix.Openat(int(l.dir.Fd()), l.name, unix.O_CREAT|unix.O_APPEND|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	f := os.NewFile(uintptr(fd), l.name)
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open log: %w", err)
	}
	if l.f != nil {
		l.f.Close()
	}
	l.f, l.size = f, st.Size()
	return nil
}

// Write appends whole records and says how many bytes got to the file.
func (l *logFile) Write(b []byte) (int, error) {
	total := len(b)
	for len(b) > 0 {
		if err := l.turn(int64(bytes.IndexByte(b, '\n') + 1)); err != nil {
			return total - len(b), err
		}
		n, err := l.append(b[:l.fitting(b)])
		b = b[n:]
		if err != nil {
			return total - len(b), err
		}
	}
	return total, nil
}

// fitting is how much of b, cut behind a record, fills the file.
func (l *logFile) fitting(b []byte) int {
	space := l.limits.FileBytes - l.size
	if int64(len(b)) <= space {
		return len(b)
	}
	if i := bytes.LastIndexByte(b[:max(space, 0)], '\n'); i >= 0 {
		return i + 1
	}
	return bytes.IndexByte(b, '\n') + 1 // a record larger than a whole file
}

func (l *logFile) append(b []byte) (int, error) {
	if l.broken {
		if _, err := l.f.Write(newline); err != nil {
			return 0, fmt.Errorf("write log: %w", err)
		}
		l.broken = false
	}
	n, err := l.f.Write(b)
	l.size += int64(n)
	if err != nil {
		whole := bytes.LastIndexByte(b[:n], '\n') + 1
		l.broken = n > whole
		return whole, fmt.Errorf("write log: %w", err)
	}
	return n, nil
}

// turn makes sure that l.f is the file of that name and has room for so many
// bytes more; a file that is empty has.
func (l *logFile) turn(next int64) error {
	var st unix.Stat_t
	err := unix.Fstatat(int(l.dir.Fd()), l.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	var own unix.Stat_t
	if oerr := unix.Fstat(int(l.f.Fd()), &own); oerr != nil {
		return fmt.Errorf("look at log: %w", oerr)
	}
	if err != nil || st.Ino != own.Ino || st.Dev != own.Dev { // somebody else has turned or removed it
		return l.open()
	}
	l.size = own.Size
	if l.size == 0 || l.size+next <= l.limits.FileBytes {
		return nil
	}
	d := int(l.dir.Fd())
	for i := l.limits.Files - 1; i >= 1; i-- {
		err := unix.Renameat(d, l.numbered(i-1), d, l.numbered(i))
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("rotate log: %w", err)
		}
	}
	if l.limits.Files == 1 {
		if err := unix.Unlinkat(d, l.name, 0); err != nil {
			return fmt.Errorf("rotate log: %w", err)
		}
	}
	return l.open()
}

func (l *logFile) numbered(i int) string {
	if i == 0 {
		return l.name
	}
	return l.name + "." + strconv.Itoa(i)
}
