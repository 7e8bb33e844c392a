package packidx

import "bytes"

// The types of tree entries, in the bits of their modes.
const (
	modeType    = 0o170000
	modeDir     = 0o040000
	modeRegular = 0o100000
	modeLink    = 0o120000
)

// treeEntry is one line of a tree.
type treeEntry struct {
	mode uint32
	name []byte
	id   ID
}

// minEntry is a mode of one digit, a space, a NUL and an id; git wants the name to have a letter, but finds that itself.
const minEntry = 23

// nextEntry takes one entry off the front of a tree.
func nextEntry(b []byte) (e treeEntry, rest []byte, ok bool) {
	if len(b) < minEntry || b[len(b)-21] != 0 || b[0] == ' ' {
		return e, nil, false
	}
	i := 0
	for ; b[i] != ' '; i++ { // it ends before the NUL that is there
		if b[i] < '0' || b[i] > '7' {
			return e, nil, false
		}
		e.mode = e.mode<<3 + uint32(b[i]-'0')
	}
	b = b[i+1:]
	end := bytes.IndexByte(b, 0)
	if end <= 0 || len(b) < end+1+len(e.id) {
		return e, nil, false
	}
	e.name = b[:end]
	copy(e.id[:], b[end+1:])
	return e, b[end+1+len(e.id):], true
}

func (c *checker) tree(data []byte) string {
	var last treeEntry
	c.names = c.names[:0]
	for len(data) > 0 {
		e, rest, ok := nextEntry(data)
		if !ok {
			return "badTree: cannot be parsed as a tree"
		}
		data = rest
		if e.id == (ID{}) {
			return "nullSha1: contains entries pointing to null sha1"
		}
		if why := c.entry(e); why != "" {
			return why
		}
		if last.name != nil {
			if why := c.ordered(last, e); why != "" {
				return why
			}
		}
		last = e
	}
	return ""
}

// entry judges an entry by its name and notes where it leads.
func (c *checker) entry(e treeEntry) string {
	switch {
	case bytes.IndexByte(e.name, '/') >= 0:
		return "fullPathname: contains full pathnames"
	case string(e.name) == ".":
		return "hasDot: contains '.'"
	case string(e.name) == "..":
		return "hasDotdot: contains '..'"
	}
	var more want
	if mayBeSpecial(e.name) {
		if isDotGit(e.name) {
			return "hasDotgit: contains '.git'"
		}
		isLink := e.mode&modeType == modeLink
		if isSpecial(e.name, gitmodules) {
			if isLink {
				return "gitmodulesSymlink: .gitmodules is a symbolic link"
			}
			more |= wantModules
		}
		if isSpecial(e.name, gitattributes) && !isLink {
			more |= wantAttributes
		}
	}
	switch e.mode & modeType {
	case modeDir:
		if more != 0 {
			return "gitmodulesBlob: non-blob found at " + string(e.name)
		}
		c.link(e.id, want(Tree))
	case modeRegular, modeLink:
		c.link(e.id, want(Blob)|more)
	default: // a commit of another repository, or what git takes for one
		if more != 0 { // git would read it nevertheless
			c.link(e.id, want(Blob)|more)
		}
	}
	return ""
}

// ordered wants the order of names in which that of a folder ends in a slash, and no name twice. A file and a folder of the
// same name may have others between them, so that files whose name may return as a folder's are kept.
func (c *checker) ordered(a, b treeEntry) string {
	const twice, unsorted = "duplicateEntries: contains duplicate file entries", "treeNotSorted: not properly sorted"
	n := min(len(a.name), len(b.name))
	if cmp := bytes.Compare(a.name[:n], b.name[:n]); cmp > 0 {
		return unsorted
	} else if cmp < 0 {
		return ""
	}
	if len(a.name) == len(b.name) {
		return twice
	}
	endA, endB := charAfter(a, n), charAfter(b, n)
	if endA == 0 && belowSlash(endB) {
		c.names = append(c.names, a.name)
	} else if endB == '/' && belowSlash(endA) && c.returns(b.name) {
		return twice
	}
	if endA >= endB {
		return unsorted
	}
	return ""
}

// returns says whether a file of that name was kept, and forgets those that cannot return any more.
func (c *checker) returns(name []byte) bool {
	for len(c.names) > 0 {
		last := c.names[len(c.names)-1]
		c.names = c.names[:len(c.names)-1]
		rest, ok := bytes.CutPrefix(name, last)
		switch {
		case !ok:
		case len(rest) == 0:
			return true
		case belowSlash(rest[0]):
			c.names = append(c.names, last)
			return false
		}
	}
	return false
}

func charAfter(e treeEntry, n int) byte {
	switch {
	case n < len(e.name):
		return e.name[n]
	case e.mode&modeType == modeDir:
		return '/'
	}
	return 0
}

func belowSlash(c byte) bool { return 0 < c && c < '/' }
