package procman

import (
	"bytes"
	"path/filepath"
	"sync"
	"time"

	"hop3/procman/shim"
)

// routerProcess is the name under which the router's lines stand in an app's logs.
const routerProcess = "router"

const (
	// accessDelay is how long a line of the access log may wait for others: who follows the log does not notice, and a
	// thousand requests a second cost a handful of writes.
	accessDelay = 200 * time.Millisecond
	// accessBuffer is what one app may have waiting; what comes in between is written at once.
	accessBuffer = 64 << 10
)

// An AccessLog writes the router's lines into the logs of the apps, where Logs finds them as the process "router". Its
// methods may be called from any goroutine.
type AccessLog struct {
	dir func(app string) string // the LogDir of an app

	mu     sync.Mutex
	apps   map[string]*accessFile
	closed bool
}

type accessFile struct {
	log     *shim.LogFile
	buf     []byte
	pending bool // a flush is on its way
}

// NewAccessLog returns an AccessLog for apps whose logs are where dir says. Close ends it.
func NewAccessLog(dir func(app string) string) *AccessLog {
	return &AccessLog{dir: dir, apps: map[string]*accessFile{}}
}

// Line adds one line, for proxy.Options.AccessLog. A line that cannot be written is lost: no request waits for a disk.
func (l *AccessLog) Line(app string, line []byte) {
	r := shim.Record{Time: time.Now(), Stream: shim.System, Process: routerProcess, Text: bytes.TrimSuffix(line, []byte("\n"))}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	f := l.apps[app]
	if f == nil {
		f = &accessFile{}
		l.apps[app] = f
	}
	f.buf = shim.AppendRecord(f.buf, r)
	switch {
	case len(f.buf) >= accessBuffer:
		l.flush(app, f)
	case !f.pending:
		f.pending = true
		time.AfterFunc(accessDelay, func() { l.due(app) })
	}
}

func (l *AccessLog) due(app string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.apps[app]; f != nil && !l.closed {
		f.pending = false
		l.flush(app, f)
	}
}

// flush needs mu. An app that was destroyed and made anew has another folder: its log is opened again after an error.
func (l *AccessLog) flush(app string, f *accessFile) {
	defer func() { f.buf = f.buf[:0] }()
	if len(f.buf) == 0 {
		return
	}
	for range 2 {
		if f.log == nil {
			log, err := shim.OpenLog(filepath.Join(l.dir(app), routerProcess+logSuffix), shim.LogLimits{})
			if err != nil {
				return // the app has no logs any more
			}
			f.log = log
		}
		n, err := f.log.Write(f.buf)
		if err == nil {
			return
		}
		f.buf = f.buf[n:]
		_ = f.log.Close() // it is useless now
		f.log = nil
	}
}

// Forget writes what waits for an app and closes its file: for a name that another app may get. A nil AccessLog has none.
func (l *AccessLog) Forget(app string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.apps[app]
	if f == nil || l.closed {
		return
	}
	l.flush(app, f)
	if f.log != nil {
		_ = f.log.Close() // everything was written
	}
	delete(l.apps, app)
}

// Close writes what waits and ends the log.
func (l *AccessLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for app, f := range l.apps {
		l.flush(app, f)
		if f.log != nil {
			_ = f.log.Close() // everything was written
		}
	}
	return nil
}
