package detect

import (
	"bytes"
	"io/fs"
	"strings"
)

// lfsMagic begins every pointer file of Git LFS; a pointer has less than maxPointer bytes (its specification, version 1).
const (
	lfsMagic   = "version https://git-lfs.github.com/spec/v1\n"
	maxPointer = 1024
)

// LFSPointers returns the files of fsys, sorted, that are Git LFS pointers instead of the content that they stand for.
func LFSPointers(fsys fs.FS) ([]string, error) {
	t, err := load(fsys)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, f := range t.order {
		if t.files[f] >= maxPointer || t.files[f] < int64(len(lfsMagic)) {
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
