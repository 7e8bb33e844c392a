package shim

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// MaxText is the most bytes of text in one record; longer lines are split.
const MaxText = 16 << 10

// Streams of a record.
const (
	Stdout byte = 'o'
	Stderr byte = 'e'
	System byte = 's' // written by hop3 itself: "12 lines dropped"
)

// Record is one line of an instance's log, or a piece of one.
//
// In the file it is one line:
//
//	2026-11-23T15:04:05.000000Z o web.1 v12 the text as the app wrote it
//	2026-11-23T15:04:05.000000Z o+ web.1 v12 a piece of a line that goes on
//
// The text may hold any byte but a newline.
type Record struct {
	Time    time.Time // UTC, microseconds
	Stream  byte      // Stdout, Stderr or System
	Process string    // "web.1"; no blanks
	Release int
	Partial bool // the app's line goes on in the next record of this stream
	Text    []byte
}

const timeLayout = "2006-01-02T15:04:05.000000Z"

// AppendRecord appends r as one line to dst. A newline in Text is written as a
// carriage return, for a record is one line; a Process that would break the
// line is written as "-".
func AppendRecord(dst []byte, r Record) []byte {
	dst = r.Time.UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, ' ', r.Stream)
	if r.Partial {
		dst = append(dst, '+')
	}
	dst = append(dst, ' ')
	if validProcess(r.Process) {
		dst = append(dst, r.Process...)
	} else {
		dst = append(dst, '-')
	}
	dst = append(dst, " v"...)
	dst = strconv.AppendInt(dst, int64(r.Release), 10)
	dst = append(dst, ' ')
	at := len(dst)
	dst = append(dst, r.Text...)
	for i := at; i < len(dst); i++ {
		if dst[i] == '\n' {
			dst[i] = '\r'
		}
	}
	return append(dst, '\n')
}

func validProcess(s string) bool {
	if s == "" || len(s) > 255 || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

var errRecord = errors.New("parse log record")

// ParseRecord reads one line of a log, with or without its newline. The
// record's Text is part of line.
func ParseRecord(line []byte) (Record, error) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	var r Record
	field := func() []byte {
		f, rest, ok := bytes.Cut(line, []byte(" "))
		if !ok {
			return nil
		}
		line = rest
		return f
	}
	stamp := field()
	if len(stamp) != len(timeLayout) {
		return r, fmt.Errorf("%w: no time", errRecord)
	}
	t, err := time.Parse(timeLayout, string(stamp))
	if err != nil {
		return r, fmt.Errorf("%w: no time", errRecord)
	}
	stream := field()
	if len(stream) < 1 || len(stream) > 2 || !bytes.Contains([]byte("oes"), stream[:1]) || len(stream) == 2 && stream[1] != '+' {
		return r, fmt.Errorf("%w: no stream", errRecord)
	}
	process := field()
	if !validProcess(string(process)) {
		return r, fmt.Errorf("%w: no process", errRecord)
	}
	release := field()
	if len(release) < 2 || release[0] != 'v' {
		return r, fmt.Errorf("%w: no release", errRecord)
	}
	n, err := strconv.Atoi(string(release[1:]))
	if err != nil {
		return r, fmt.Errorf("%w: no release", errRecord)
	}
	if bytes.IndexByte(line, '\n') >= 0 {
		return r, fmt.Errorf("%w: more than one line", errRecord)
	}
	return Record{Time: t, Stream: stream[0], Process: string(process), Release: n, Partial: len(stream) == 2, Text: line}, nil
}
