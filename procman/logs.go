package procman

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"hop3/procman/shim"
)

// DefaultLines is how much of a log is shown where nothing is said.
const DefaultLines = 100

// maxLines bounds how many records a query for the last ones keeps track of; each takes 40 bytes.
const maxLines = 1_000_000

// logSuffix ends the name of an instance's log file; rotated ones have a number after it.
const logSuffix = ".log"

// logName is the form of the log files' names: process, release, run and, for rotated ones, a number.
var logName = regexp.MustCompile(`^(.+)\.log(?:\.(\d+))?$`)

// LogQuery says which records of an app's logs are wanted. The zero value wants the last DefaultLines of all.
type LogQuery struct {
	Lines   int // the last so many of those that fit; 0: DefaultLines; negative: all
	Type    string
	Index   int // 0: all
	Release int // 0: all
	Since   time.Time
	Grep    string // RE2, on the text
	JSON    bool   // one object per line
	Follow  bool   // go on until the context ends
	Raw     bool   // keep escape sequences and control characters: for a terminal that the user trusts with them
}

// QueryError is a LogQuery that cannot be understood.
type QueryError struct{ Err error }

func (e *QueryError) Error() string { return "read logs: " + e.Err.Error() }

func (e *QueryError) Unwrap() error { return e.Err }

// Hint says what --grep takes.
func (e *QueryError) Hint() string { return "--grep takes a Go (RE2) regular expression" }

// filter is a LogQuery ready for use.
type filter struct {
	q    LogQuery
	grep *regexp.Regexp
}

func (q LogQuery) filter() (*filter, error) {
	f := &filter{q: q}
	if q.Grep != "" {
		re, err := regexp.Compile(q.Grep)
		if err != nil {
			return nil, &QueryError{Err: err}
		}
		f.grep = re
	}
	return f, nil
}

func (f *filter) match(r *shim.Record) bool {
	q := &f.q
	if q.Release != 0 && r.Release != q.Release || r.Time.Before(q.Since) {
		return false
	}
	if q.Type != "" && typeOf(r.Process) != q.Type {
		return false
	}
	if q.Index != 0 && r.Process != typeOf(r.Process)+fmt.Sprintf(".%d", q.Index) {
		return false
	}
	return f.grep == nil || f.grep.Match(r.Text)
}

// Logs writes the records in dir (a release's LogDir) that q wants to w, in the order of their times. With q.Follow it
// then goes on with new ones, of new instances too, until ctx ends, which is no error. Each record is written once.
// Memory does not depend on the size of the logs.
func (s *Supervisor) Logs(ctx context.Context, dir string, q LogQuery, w io.Writer) error {
	f, err := q.filter()
	if err != nil {
		return err
	}
	j := &journal{dir: dir, filter: f, files: map[inode]*logFile{}, finished: map[inode]time.Time{}}
	defer j.close()
	out := &logWriter{w: bufio.NewWriter(w), json: q.JSON, raw: q.Raw}
	if q.Follow {
		return j.follow(ctx, out)
	}
	if err := j.history(ctx, out); err != nil {
		return fmt.Errorf("read logs: %w", err)
	}
	return nil
}

// logWriter writes records for people or programs.
type logWriter struct {
	w    *bufio.Writer
	json bool
	raw  bool
	line []byte
}

// A LogLine is a record as programs read it: one document a line.
type LogLine struct {
	Version int    `json:"version"`
	Time    string `json:"time"`
	Process string `json:"process"` // "web.1"
	Release int    `json:"release"`
	Stream  string `json:"stream"` // stdout, stderr or system
	Text    string `json:"text"`
	Partial bool   `json:"partial,omitempty"` // the line goes on in the next record
}

const textTime = "2006-01-02T15:04:05.000000Z"

func (o *logWriter) write(r *shim.Record) error {
	text := r.Text
	if !o.raw {
		text = plainText(text)
	}
	if o.json {
		b, err := json.Marshal(LogLine{1, r.Time.UTC().Format(textTime), r.Process, r.Release, streamName(r.Stream), string(text), r.Partial})
		if err != nil {
			return fmt.Errorf("write log record: %w", err)
		}
		o.line = append(append(o.line[:0], b...), '\n')
	} else {
		o.line = r.Time.UTC().AppendFormat(o.line[:0], textTime)
		o.line = append(o.line, " app["...)
		o.line = append(o.line, r.Process...)
		o.line = append(o.line, "]: "...)
		o.line = append(append(o.line, text...), '\n')
	}
	_, err := o.w.Write(o.line)
	return err
}

func streamName(b byte) string {
	switch b {
	case shim.Stdout:
		return "stdout"
	case shim.Stderr:
		return "stderr"
	}
	return "hop3"
}

// escapes are the sequences by which a program steers a terminal (ECMA-48): CSI, OSC and the short ones.
var escapes = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])`)

// plainText returns b without what could steer a terminal.
func plainText(b []byte) []byte {
	if !slices.ContainsFunc(b, func(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return b
	}
	b = escapes.ReplaceAll(b, nil)
	return slices.DeleteFunc(b, func(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// tailText returns the text of the last n records in one log file, for an error message.
func tailText(path string, n int) []string {
	f, err := openLog(path)
	if err != nil {
		return nil
	}
	defer f.file.Close() //nolint:errcheck // read only
	var out []string
	f.backward(func(_ int64, r *shim.Record) bool { //nolint:errcheck // what could be read is good enough here
		out = append(out, string(plainText(slices.Clone(r.Text))))
		return len(out) < n
	})
	slices.Reverse(out)
	return out
}

// prune removes the oldest log files of ended instances until the app's logs are within their budget. Owner only.
func (a *app) prune() {
	used := map[string]bool{}
	for _, i := range a.instances() {
		used[i.id] = i.id != ""
	}
	entries, err := os.ReadDir(a.logs)
	if err != nil {
		return
	}
	var files []fs.FileInfo
	var total int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && logName.MatchString(e.Name()) {
			files = append(files, info)
			total += info.Size()
		}
	}
	slices.SortFunc(files, func(x, y fs.FileInfo) int { return x.ModTime().Compare(y.ModTime()) })
	for _, f := range files {
		if total <= a.sup.o.LogBudget {
			return
		}
		if used[runOf(f.Name())] {
			continue // bounded by its own shim
		}
		if err := os.Remove(filepath.Join(a.logs, f.Name())); err != nil {
			a.log().WithError(err).Warn("old log not removed")
			continue
		}
		total -= f.Size()
	}
}

// runOf returns the run's id in the name of a log file: web.1-v12-ID.log.3.
func runOf(name string) string {
	m := logName.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	for i := len(m[1]) - 1; i >= 0; i-- {
		if m[1][i] == '-' {
			return m[1][i+1:]
		}
	}
	return ""
}
