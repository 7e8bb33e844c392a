package receive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// command is one line of a push: move ref from old to new.
type command struct {
	old, new, ref string
	status        string // "" = accepted so far, else why not
}

func (c *command) deletes() bool { return c.new == zeroID }

// clientCaps are the capabilities that a client asked for.
type clientCaps map[string]string

func (c clientCaps) has(name string) bool { _, ok := c[name]; return ok }

// request is everything that a client says before its pack.
type request struct {
	commands []*command
	caps     clientCaps
	shallow  []string
	options  []string
}

func (r *request) wantsPack() bool {
	for _, c := range r.commands {
		if !c.deletes() {
			return true
		}
	}
	return false
}

const (
	maxShallow     = 10_000 // a clone by date has a handful, one by --depth as many as branches end
	maxOptions     = 64
	maxOptionBytes = 4096
)

// errNothing means that the client has nothing to push, or gave up after the advertisement.
var errNothing = errors.New("nothing to do")

// readRequest reads shallow lines, commands and push options. A client that sends only a flush, or
// nothing at all, has found everything up to date.
func readRequest(r io.Reader, l Limits) (*request, error) {
	q := &request{caps: clientCaps{}}
	for first := true; ; first = false {
		line, err := readPkt(r)
		if errors.Is(err, errFlush) {
			break
		}
		if err == io.EOF && first {
			return nil, errNothing
		}
		if err != nil {
			return nil, early(err)
		}
		if err := q.add(line, l); err != nil {
			return nil, err
		}
	}
	if len(q.commands) == 0 {
		return nil, errNothing
	}
	if f, ok := q.caps["object-format"]; ok && f != "sha1" {
		return nil, fmt.Errorf("object format %q is not supported, only sha1", f)
	}
	if q.caps.has("push-options") {
		return q, q.readOptions(r)
	}
	return q, nil
}

func early(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (q *request) add(line []byte, l Limits) error {
	if id, ok := bytes.CutPrefix(line, []byte("shallow ")); ok {
		return q.addShallow(strings.TrimSuffix(string(id), "\n"))
	}
	if len(q.commands) >= l.Commands {
		return fmt.Errorf("more than %d refs in one push", l.Commands)
	}
	if i := bytes.IndexByte(line, 0); i >= 0 {
		if len(q.commands) == 0 {
			q.caps = parseCaps(string(line[i+1:]))
		}
		line = line[:i]
	}
	c, err := parseCommand(strings.TrimSuffix(string(line), "\n"))
	if err != nil {
		return err
	}
	q.commands = append(q.commands, c)
	return nil
}

func (q *request) addShallow(id string) error {
	if !isID(id) {
		return fmt.Errorf("shallow line %q names no object", sanitise(id))
	}
	if len(q.shallow) >= maxShallow {
		return fmt.Errorf("more than %d shallow lines", maxShallow)
	}
	q.shallow = append(q.shallow, id)
	return nil
}

func parseCaps(s string) clientCaps {
	caps := clientCaps{}
	for word := range strings.FieldsSeq(s) {
		k, v, _ := strings.Cut(word, "=")
		caps[k] = v
	}
	return caps
}

// parseCommand reads "OLD NEW REF". Whether the ref's name is good is judged later, ref by ref.
func parseCommand(s string) (*command, error) {
	old, rest, ok1 := strings.Cut(s, " ")
	id, ref, ok2 := strings.Cut(rest, " ")
	if !ok1 || !ok2 || !isID(old) || !isID(id) || ref == "" {
		return nil, fmt.Errorf("command %q is not OLD NEW REF", sanitise(s))
	}
	return &command{old: old, new: id, ref: ref}, nil
}

func (q *request) readOptions(r io.Reader) error {
	for {
		line, err := readPkt(r)
		if errors.Is(err, errFlush) {
			return nil
		}
		if err != nil {
			return early(err)
		}
		if len(q.options) >= maxOptions || len(line) > maxOptionBytes {
			return fmt.Errorf("more than %d push options, or one of more than %d bytes", maxOptions, maxOptionBytes)
		}
		q.options = append(q.options, strings.TrimSuffix(string(line), "\n"))
	}
}
