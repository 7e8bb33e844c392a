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
	// accessBuffer is what one app may have waiting for a slow disk; what comes beyond it is lost.
	accessBuffer = 1 << 20
)

// An AccessLog writes the router's lines into the logs of the apps, where Logs finds them as the process "router". Its
// methods may be called from any goroutine.
type AccessLog struct {
	dir func(app string) string // the LogDir of an app

	mu     sync.Mutex // never held while a disk is waited for
	apps   map[string]*accessFile
	closed bool
}

type accessFile struct {
	buf     []byte // under AccessLog.mu
	pending bool   // a flush is on its way; under AccessLog.mu

	disk  sync.Mutex // held while writing
	path  string
	log   *shim.LogFile
	spare []byte // the buffer that was written last
}

// NewAccessLog returns an AccessLog for apps whose logs are where dir says. Close ends it.
func NewAccessLog(dir func(app string) string) *AccessLog {
	return &AccessLog{dir: dir, apps: map[string]*accessFile{}}
}

// Line adds one line, for proxy.Options.AccessLog. A line that cannot be written is lost: no request waits for a disk.
func (l *AccessLog) Line(app string, line []byte) {
	l.add(app, shim.Record{Process: routerProcess, Text: bytes.TrimSuffix(line, []byte("\n"))})
}

// serverProcess is the name under which hop3's own words stand in an app's logs.
const serverProcess = "hop3"

// Say adds words of the server itself about a release of the app. A nil AccessLog says nothing.
func (l *AccessLog) Say(app string, release int, text string) {
	if l != nil {
		l.add(app, shim.Record{Process: serverProcess, Release: release, Text: []byte(text)})
	}
}

func (l *AccessLog) add(app string, r shim.Record) {
	r.Time, r.Stream = time.Now(), shim.System
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	f := l.apps[app]
	if f == nil {
		f = &accessFile{path: filepath.Join(l.dir(app), routerProcess+logSuffix)}
		l.apps[app] = f
	}
	if len(f.buf) < accessBuffer {
		f.buf = shim.AppendRecord(f.buf, r)
	}
	if !f.pending {
		f.pending = true
		time.AfterFunc(accessDelay, func() { l.flush(f) })
	}
}

// flush writes what waits. It runs in a goroutine of its own, or at the end.
func (l *AccessLog) flush(f *accessFile) {
	f.disk.Lock()
	defer f.disk.Unlock()
	l.mu.Lock()
	buf := f.buf
	f.buf, f.pending = f.spare[:0], false
	l.mu.Unlock()
	f.write(buf)
	f.spare = buf
}

// write needs disk. An app that was destroyed and made anew has another folder: its log is opened again after an error.
func (f *accessFile) write(buf []byte) {
	for range 2 {
		if len(buf) == 0 {
			return
		}
		if f.log == nil {
			log, err := shim.OpenLog(f.path, shim.LogLimits{})
			if err != nil {
				return // the app has no logs any more
			}
			f.log = log
		}
		n, err := f.log.Write(buf)
		if err == nil {
			return
		}
		buf = buf[n:]
		f.close()
	}
}

// close needs disk.
func (f *accessFile) close() {
	if f.log != nil {
		_ = f.log.Close() // everything was written, or cannot be
		f.log = nil
	}
}

// Forget writes what waits for an app and closes its file: for a name that another app may get. A nil AccessLog has none.
func (l *AccessLog) Forget(app string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	f := l.apps[app]
	delete(l.apps, app)
	l.mu.Unlock()
	if f != nil {
		l.end(f)
	}
}

func (l *AccessLog) end(f *accessFile) {
	l.flush(f)
	f.disk.Lock()
	defer f.disk.Unlock()
	f.close()
}

// Close writes what waits and ends the log.
func (l *AccessLog) Close() error {
	l.mu.Lock()
	l.closed = true
	apps := l.apps
	l.apps = map[string]*accessFile{}
	l.mu.Unlock()
	for _, f := range apps {
		l.end(f)
	}
	return nil
}
