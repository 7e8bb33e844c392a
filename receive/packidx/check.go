package packidx

import (
	"bytes"
	"encoding/hex"
)

// checker applies the rules of git fsck --strict to one object at a time, and notes what it links to. What old tools did
// wrong and many histories carry, and git's other warnings of the class "info", it lets pass: an unknown file mode, a zero
// before one, mail addresses and time zones that cannot be read, a tag's name.
type checker struct {
	shallow map[ID]bool
	links   *linkSet
	found   []link
	names   [][]byte // see order
}

func (p *pack) newChecker() *checker {
	c := &checker{links: p.links, shallow: map[ID]bool{}}
	for _, id := range p.options.Shallow {
		c.shallow[id] = true
	}
	return c
}

func (c *checker) check(kind Kind, id ID, data []byte) error {
	c.found = c.found[:0]
	var why string
	switch kind {
	case Commit:
		why = c.commit(id, data)
	case Tree:
		why = c.tree(data)
	case Tag:
		why = c.tag(data)
	}
	if why != "" {
		return &Error{What: kind.String() + " " + id.String(), Why: why}
	}
	return c.links.add(c.found)
}

func (c *checker) link(id ID, w want) { c.found = append(c.found, link{id, w}) }

// checkHeaders wants a header without NUL that ends in a line feed.
func checkHeaders(data []byte) string {
	header := data
	if end := bytes.Index(data, []byte("\n\n")); end >= 0 {
		header = data[:end+1]
	}
	switch {
	case bytes.IndexByte(header, 0) >= 0:
		return "nulInHeader: unterminated header"
	case len(header) == 0 || header[len(header)-1] != '\n':
		return "unterminatedHeader: unterminated header"
	}
	return ""
}

// cutLine takes a line off the front if it begins with a word; the word is not part of it.
func cutLine(data []byte, word string) (line, rest []byte, ok bool) {
	after, ok := bytes.CutPrefix(data, []byte(word))
	if !ok {
		return nil, data, false
	}
	line, rest, ok = bytes.Cut(after, []byte{'\n'})
	return line, rest, ok
}

func parseID(b []byte) (id ID, ok bool) {
	if len(b) != 2*len(id) {
		return id, false
	}
	_, err := hex.Decode(id[:], b)
	return id, err == nil
}

// minCommit is shorter than a tree line and what must follow it.
const minCommit = 46

func (c *checker) commit(id ID, data []byte) string {
	if why := checkHeaders(data); why != "" {
		return why
	}
	line, rest, ok := cutLine(data, "tree ")
	if !ok {
		return "missingTree: invalid format - expected 'tree' line"
	}
	tree, ok := parseID(line)
	if !ok || len(data) <= minCommit {
		return "badTreeSha1: invalid 'tree' line format - bad sha1"
	}
	c.link(tree, want(Tree))
	for {
		if line, rest, ok = cutLine(rest, "parent "); !ok {
			break
		}
		parent, ok := parseID(line)
		if !ok {
			return "badParentSha1: invalid 'parent' line format - bad sha1"
		}
		if !c.shallow[id] {
			c.link(parent, want(Commit))
		}
	}
	authors := 0
	for {
		if line, rest, ok = cutLine(rest, "author "); !ok {
			break
		}
		if authors++; authors > 1 {
			return "multipleAuthors: invalid format - multiple 'author' lines"
		}
		if why := checkIdent(line); why != "" {
			return why
		}
	}
	if authors == 0 {
		return "missingAuthor: invalid format - expected 'author' line"
	}
	if line, _, ok = cutLine(rest, "committer "); !ok {
		return "missingCommitter: invalid format - expected 'committer' line"
	}
	if why := checkIdent(line); why != "" {
		return why
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return "nulInCommit: NUL byte in the commit object body"
	}
	return ""
}

// checkIdent judges "name <mail> seconds zone". After a fault that is let pass, the rest of the line is not looked at.
func checkIdent(line []byte) string {
	mail := bytes.IndexAny(line, "<>")
	switch {
	case mail < 0 || line[0] == '<':
		return ""
	case line[mail] == '>':
		return "badName: invalid author/committer line - bad name"
	case line[mail-1] != ' ':
		return ""
	}
	rest := line[mail+1:]
	end := bytes.IndexAny(rest, "<>")
	if end < 0 || rest[end] == '<' {
		return ""
	}
	date, ok := bytes.CutPrefix(rest[end+1:], []byte{' '})
	if !ok {
		return ""
	}
	if len(date) > 1 && date[0] == '0' && date[1] != ' ' || len(date) == 1 && date[0] == '0' {
		return "zeroPaddedDate: invalid author/committer line - zero-padded date"
	}
	return checkDate(date)
}

const maxSeconds = 1<<63 - 1

// checkDate wants seconds that fit into 63 bits, and a space after them. A sign is let pass as in git.
func checkDate(date []byte) string {
	const overflow = "badDateOverflow: invalid author/committer line - date causes integer overflow"
	date = bytes.TrimLeft(date, " \t\v\f\r")
	minus := bytes.HasPrefix(date, []byte{'-'})
	if minus || bytes.HasPrefix(date, []byte{'+'}) {
		date = date[1:]
	}
	seconds, digits := uint64(0), 0
	for digits < len(date) && '0' <= date[digits] && date[digits] <= '9' {
		digit := uint64(date[digits] - '0')
		if seconds > (maxSeconds-digit)/10 {
			return overflow
		}
		seconds = seconds*10 + digit
		digits++
	}
	switch {
	case minus && seconds > 0:
		return overflow
	case digits == 0 || digits == len(date) || date[digits] != ' ':
		return "badDate: invalid author/committer line - bad date"
	}
	return ""
}

const (
	minTag     = 64 // shorter than the three lines that must be there
	maxTagType = 19
)

func (c *checker) tag(data []byte) string {
	if why := checkHeaders(data); why != "" {
		return why
	}
	line, rest, ok := cutLine(data, "object ")
	if !ok {
		return "missingObject: invalid format - expected 'object' line"
	}
	object, ok := parseID(line)
	if !ok || len(data) < minTag {
		return "badObjectSha1: invalid 'object' line format - bad sha1"
	}
	if line, rest, ok = cutLine(rest, "type "); !ok {
		return "missingTypeEntry: invalid format - expected 'type' line"
	}
	kind := KindOf(string(line[:min(len(line), maxTagType)]))
	if kind == None {
		return "badType: invalid 'type' value"
	}
	c.link(object, want(kind))
	if _, rest, ok = cutLine(rest, "tag "); !ok {
		return "missingTagEntry: invalid format - expected 'tag' line"
	}
	if line, _, ok = cutLine(rest, "tagger "); !ok {
		return "" // early tags have none
	}
	return checkIdent(line)
}
