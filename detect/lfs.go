package detect

import (
	"bytes"
	"io/fs"
	"path"
	"strings"
)

// lfsMagic begins every pointer file of Git LFS; a pointer has less than maxPointer bytes (its specification, version 1).
// One without extensions has the magic, "oid sha256:" with 64 digits, and "size" with up to 19.
const (
	lfsMagic    = "version https://git-lfs.github.com/spec/v1\n"
	maxPointer  = 1024
	leastPlain  = len(lfsMagic) + len("oid sha256:\n") + 64 + len("size 0\n")
	longestSize = 18
)

// LFSPointers returns the files of fsys, sorted, that are Git LFS pointers instead of the content that they stand for.
func LFSPointers(fsys fs.FS) ([]string, error) {
	t, err := load(fsys)
	if err != nil {
		return nil, err
	}
	most := int64(leastPlain + longestSize)
	if t.usesLFS() {
		most = maxPointer
	}
	var list []string
	for _, f := range t.order {
		if n := t.size(f); n < int64(leastPlain) || n > most {
			continue
		}
		b, err := t.read(f)
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(b, []byte(lfsMagic)) && strings.Contains(string(b), "\noid sha256:") {
			list = append(list, f)
		}
	}
	return list, nil
}

// usesLFS reports whether a .gitattributes file names the filter, so that pointers with extensions may be there.
func (t *tree) usesLFS() bool {
	for _, f := range t.order {
		if path.Base(f) == ".gitattributes" && bytes.Contains(t.source(f), []byte("filter=lfs")) {
			return true
		}
	}
	return false
}
