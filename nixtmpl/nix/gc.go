package nix

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"syscall"
)

// Freed is what a collection removed.
type Freed struct {
	Paths []string
	Bytes int64 // as nix counts them, to about a KiB in a hundred
}

var (
	deletedPath = regexp.MustCompile(`^deleting '(` + StoreDir + `/[^']+)'$`)
	freedBytes  = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?) ([KMGT]?i?B) freed`)
	byteUnits   = map[string]float64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
)

// GC removes what no root keeps, and stops once it has freed maxFreed bytes;
// 0 means no limit. With dry nothing is removed and Bytes is 0.
func (n *Nix) GC(ctx context.Context, maxFreed int64, dry bool) (Freed, error) {
	var freed Freed
	if dry {
		dead, err := n.lines(ctx, n.nixStore, "--gc", "--print-dead")
		if err != nil {
			return Freed{}, fmt.Errorf("list garbage: %w", err)
		}
		freed.Paths = dead
		return freed, nil
	}
	args := []string{"--gc"}
	if maxFreed > 0 {
		args = append(args, "--max-freed", strconv.FormatInt(maxFreed, 10))
	}
	var out bytes.Buffer
	var last tail
	err := n.run(ctx, invocation{bin: n.nixStore, args: args, stdout: &out, line: func(b []byte) {
		line := clean(string(b))
		if m := deletedPath.FindStringSubmatch(line); m != nil {
			freed.Paths = append(freed.Paths, m[1])
			return
		}
		last.add(line)
	}})
	if err != nil {
		return freed, fmt.Errorf("collect garbage: %w; nix said: %s", err, errorText(last.lines()))
	}
	if m := freedBytes.FindStringSubmatch(out.String()); m != nil {
		size, _ := strconv.ParseFloat(m[1], 64) // it has the form of a number
		freed.Bytes = int64(size * byteUnits[m[2]])
	}
	return freed, nil
}

// Disk tells how full the store's file system is, in bytes and inodes.
type Disk struct{ Total, Free, Inodes, FreeInodes int64 }

// Disk measures the file system of the store; Free is what an ordinary user may take.
func (n *Nix) Disk() (Disk, error) {
	dir := StoreDir
	if _, err := os.Stat(dir); err != nil {
		dir = "/" // before the first build there is no store
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return Disk{}, fmt.Errorf("measure %s: %w", dir, err)
	}
	size := int64(st.Bsize)
	return Disk{
		Total: int64(st.Blocks) * size, Free: int64(st.Bavail) * size,
		Inodes: int64(st.Files), FreeInodes: int64(st.Ffree),
	}, nil
}
