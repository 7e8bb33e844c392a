package packidx

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pjbgf/sha1cd"
)

// bareHash leaves out the header of an object: no collision of two objects is public, only of two files (shattered.io). Of
// those the first 320 bytes collide.
type bareHash struct {
	sha1cd.CollisionResistantHash
	began bool
}

func (h *bareHash) Reset() { h.CollisionResistantHash.Reset(); h.began = false }

func (h *bareHash) Write(b []byte) (int, error) {
	if !h.began {
		h.began = true
		return len(b), nil
	}
	return h.CollisionResistantHash.Write(b)
}

// TestIndex_RefusesCollisions refuses both sides of the public collision, whole and as what a delta makes, and takes a file
// that differs from them by one bit.
func TestIndex_RefusesCollisions(t *testing.T) {
	files := [][]byte{collision(t, "1"), collision(t, "2")}
	if bytes.Equal(files[0], files[1]) || sha1.Sum(files[0]) != sha1.Sum(files[1]) {
		t.Fatal("the files do not collide")
	}
	harmless := bytes.Clone(files[0])
	harmless[319] ^= 1
	options := Options{hash: func(h sha1cd.CollisionResistantHash) sha1cd.CollisionResistantHash {
		return &bareHash{CollisionResistantHash: h}
	}}
	index := func(pack []byte) error {
		o := options
		o.Dir = t.TempDir()
		res, err := Index(context.Background(), bytes.NewReader(pack), o)
		if err == nil {
			res.Close()
		}
		return err
	}
	if err := errors.Join(index(blobs(harmless)), index(deltas([]byte("base"), harmless))); err != nil {
		t.Fatal(err)
	}
	for n, file := range files {
		for how, pack := range map[string][]byte{"whole": blobs(file), "among others": blobs(harmless, file), "delta": deltas([]byte("base"), file)} {
			err := index(pack)
			if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), "collision attack") {
				t.Errorf("file %d, %s: %v", n+1, how, err)
			}
		}
	}
}

func collision(t *testing.T, n string) []byte {
	b, err := os.ReadFile("testdata/shattered-" + n)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// blobs is a pack of whole files.
func blobs(files ...[]byte) []byte {
	var entries [][]byte
	for _, f := range files {
		entries = append(entries, append(appendHeader(nil, Blob, int64(len(f))), deflate(f)...))
	}
	return packed(entries...)
}

// deltas is a pack of a small file, and of one that a delta makes of it without taking anything over.
func deltas(base, file []byte) []byte {
	first := append(appendHeader(nil, Blob, int64(len(base))), deflate(base)...)
	delta := appendSize(appendSize(nil, int64(len(base))), int64(len(file)))
	for rest := file; len(rest) > 0; {
		n := min(len(rest), 127)
		delta = append(append(delta, byte(n)), rest[:n]...)
		rest = rest[n:]
	}
	second := append(appendHeader(nil, offsetDelta, int64(len(delta))), byte(len(first))) // a distance below 128
	return packed(first, append(second, deflate(delta)...))
}

func packed(entries ...[]byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(entries)))
	b = append(b, bytes.Join(entries, nil)...)
	sum := sha1.Sum(b)
	return append(b, sum[:]...)
}

func deflate(b []byte) []byte {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	z.Write(b) // a bytes.Buffer takes everything
	z.Close()
	return out.Bytes()
}
