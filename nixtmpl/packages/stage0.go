package packages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// stage0Name is the name of stage 0 in the store: bin/busybox, static, and a
// link to it for each of its applets. It is all that exists when the first .deb
// is unpacked.
const stage0Name = "stage0"

// makeStage0 builds stage 0 from the .deb of busybox-static into dir/bin and
// returns the SHA-256 of its NAR serialisation.
func makeStage0(ctx context.Context, deb, dir string) ([]byte, error) {
	f, err := os.Open(deb)
	if err != nil {
		return nil, fmt.Errorf("make stage 0: %w", err)
	}
	defer f.Close()
	busybox, err := readDebFile(f, func(name string) bool {
		return name == "usr/bin/busybox" || name == "bin/busybox"
	})
	if err != nil {
		return nil, fmt.Errorf("make stage 0: %w", err)
	}
	program, err := writeStage0(dir, busybox)
	if err != nil {
		return nil, err
	}
	applets, err := listApplets(ctx, program)
	if err != nil {
		return nil, err
	}
	if err := linkStage0(dir, applets); err != nil {
		return nil, err
	}
	return narOfStage0(busybox, applets), nil
}

// writeStage0 writes the program of the folder and returns its name.
func writeStage0(dir string, busybox []byte) (program string, err error) {
	bin := filepath.Join(dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", fmt.Errorf("make stage 0: %w", diskError(dir, err))
	}
	program = filepath.Join(bin, "busybox")
	if err := os.WriteFile(program, busybox, 0o755); err != nil {
		return "", fmt.Errorf("make stage 0: %w", diskError(dir, err))
	}
	return program, nil
}

// linkStage0 gives the program its other names.
func linkStage0(dir string, applets []string) error {
	for _, a := range applets {
		if err := os.Symlink("busybox", filepath.Join(dir, "bin", a)); err != nil {
			return fmt.Errorf("make stage 0: %w", err)
		}
	}
	return nil
}

func listApplets(ctx context.Context, program string) ([]string, error) {
	cmd := exec.CommandContext(ctx, program, "--list")
	cmd.Env, cmd.Dir = []string{}, filepath.Dir(program)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list applets of busybox: %w", err)
	}
	set := map[string]bool{}
	for _, a := range strings.Fields(string(out)) {
		if a != "busybox" && filepath.Base(a) == a && a != "." && a != ".." {
			set[a] = true
		}
	}
	return slices.Sorted(maps.Keys(set)), nil
}

// narOfStage0 hashes the folder as a nix archive without reading it again.
func narOfStage0(busybox []byte, applets []string) []byte {
	n := nar{sha256.New()}
	entries := append(slices.Clone(applets), "busybox")
	slices.Sort(entries)
	n.str("nix-archive-1", "(", "type", "directory", "entry", "(", "name", "bin", "node", "(", "type", "directory")
	for _, e := range entries {
		n.str("entry", "(", "name", e, "node", "(", "type")
		if e == "busybox" {
			n.str("regular", "executable", "", "contents", string(busybox))
		} else {
			n.str("symlink", "target", "busybox")
		}
		n.str(")", ")")
	}
	n.str(")", ")", ")")
	return n.Sum(nil)
}

// nar writes strings as nix archives have them: length, bytes, padding to 8.
type nar struct{ hash.Hash }

func (n nar) str(all ...string) {
	for _, s := range all {
		_ = binary.Write(n, binary.LittleEndian, uint64(len(s))) // a hash never fails
		_, _ = io.WriteString(n, s)
		_, _ = n.Write(bytes.Repeat([]byte{0}, (8-len(s)%8)%8))
	}
}

func sri(algo string, sum []byte) string {
	return algo + "-" + base64.StdEncoding.EncodeToString(sum)
}
