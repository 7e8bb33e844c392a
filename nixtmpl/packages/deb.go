package packages

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/ulikunitz/xz"
)

// maxDebFile bounds one file that is read out of a .deb.
const maxDebFile = 64 << 20

// readDebFile returns the first regular file of a .deb's data whose cleaned
// path match accepts.
func readDebFile(deb io.Reader, match func(name string) bool) ([]byte, error) {
	data, err := debData(bufio.NewReader(deb))
	if err != nil {
		return nil, fmt.Errorf("read deb: %w", err)
	}
	tr := tar.NewReader(data)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read deb: %w", os.ErrNotExist)
		} else if err != nil {
			return nil, fmt.Errorf("read deb: %w", err)
		}
		if h.Typeflag != tar.TypeReg || !match(strings.TrimPrefix(path.Clean("/"+h.Name), "/")) {
			continue
		}
		if h.Size > maxDebFile {
			return nil, fmt.Errorf("read deb: %s is too large", h.Name)
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			return nil, fmt.Errorf("read deb: %w", err)
		}
		return b, nil
	}
}

// debData finds data.tar in the ar archive that a .deb is (deb(5), ar(5)) and
// unpacks it.
func debData(r io.Reader) (io.Reader, error) {
	magic := make([]byte, 8)
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != "!<arch>\n" {
		return nil, errors.New("it is no ar archive")
	}
	head := make([]byte, 60)
	for {
		if _, err := io.ReadFull(r, head); err != nil {
			return nil, errors.New("it has no data.tar")
		}
		name := strings.TrimRight(strings.TrimSpace(string(head[:16])), "/")
		size, err := strconv.ParseInt(strings.TrimSpace(string(head[48:58])), 10, 64)
		if err != nil || size < 0 || !bytes.Equal(head[58:], []byte("`\n")) {
			return nil, errors.New("bad ar header")
		}
		member := io.LimitReader(r, size)
		switch name {
		case "data.tar":
			return member, nil
		case "data.tar.xz":
			return xz.NewReader(member)
		case "data.tar.gz":
			return gzip.NewReader(member)
		}
		if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
			return nil, errors.New("it is cut off")
		}
	}
}
