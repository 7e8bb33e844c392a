package packidx_test

import (
	"bufio"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"hop3/receive/packidx"
)

// memoryEnv makes the test binary index one file, in a process that has done nothing else, and print how much memory that
// took at most, in KiB.
const memoryEnv = "PACKIDX_TEST_MEMORY"

func TestMain(m *testing.M) {
	if name := os.Getenv(memoryEnv); name != "" {
		os.Exit(indexAlone(name))
	}
	os.Exit(m.Run())
}

func indexAlone(name string) int {
	f, err := os.Open(name)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	res, err := packidx.Index(context.Background(), f, packidx.Options{Dir: filepath.Dir(name), Limits: packidx.Limits{ObjectBytes: 1 << 30}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	res.Close()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Println(strings.Fields(after)[0])
	return 0
}

// maxMemory is the promise of the product, whatever the pack; see PRODUCT.md, section 12.
const maxMemory = 64 << 10 // KiB

// TestIndex_Memory indexes packs that would like to be in memory as a whole.
func TestIndex_Memory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has its own shadow of all memory")
	}
	for name, write := range memoryCases() {
		t.Run(name, func(t *testing.T) {
			if got := memoryOf(t, write); got > maxMemory {
				t.Errorf("%d MiB, want at most %d", got>>10, maxMemory>>10)
			} else {
				t.Logf("%d MiB", got>>10)
			}
		})
	}
}

func memoryOf(t testing.TB, write func(*packWriter)) int {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pack")
	if err := writePack(name, write); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), memoryEnv+"="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// packWriter writes a pack object by object.
type packWriter struct {
	w     *bufio.Writer
	z     *zlib.Writer
	count uint32
}

// add returns the length of the entry.
func (p *packWriter) add(o obj) int {
	b := o.encodeWith(p.z)
	p.w.Write(b) // a bufio.Writer keeps its error for Flush
	p.count++
	return len(b)
}

// writePack writes a pack in two passes: the number of objects and the checksum are known after the first.
func writePack(name string, write func(*packWriter)) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zlib.NewWriterLevel(nil, zlib.BestSpeed)
	if err != nil {
		return err
	}
	p := &packWriter{w: bufio.NewWriterSize(f, 1<<20), z: z}
	p.w.WriteString("PACK\x00\x00\x00\x02\x00\x00\x00\x00")
	write(p)
	if err := p.w.Flush(); err != nil {
		return err
	}
	if _, err := f.WriteAt(binary.BigEndian.AppendUint32(nil, p.count), 8); err != nil {
		return err
	}
	sum := sha1.New()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	_, err = f.Write(sum.Sum(nil))
	return err
}

func memoryCases() map[string]func(*packWriter) {
	many, large, bushy := 20_000, 64<<20, 100
	if slow {
		many, large, bushy = 1_000_000, 512<<20, 3000
	}
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	return map[string]func(*packWriter){
		"many objects": func(p *packWriter) {
			for i := range many {
				p.add(obj{kind: blob, data: strconv.Itoa(i)})
			}
		},
		"many deltas": func(p *packWriter) {
			base := obj{kind: blob, data: "base"}
			back := p.add(base)
			for i := range many - 1 {
				back += p.add(obj{kind: ofs, base: distance(back), data: replace(base.data, strconv.Itoa(i))})
			}
		},
		"large object": func(p *packWriter) { p.add(obj{kind: blob, data: zeros(large)}) },
		"large delta": func(p *packWriter) {
			base := obj{kind: blob, data: zeros(1 << 20)}
			p.add(base)
			p.add(obj{kind: ref, base: base.raw(), data: deltaOf(1<<20, large, strings.Repeat(copyFrom(0x60, 0, 0x100000), large>>20))})
		},
		"large bases": func(p *packWriter) { // each has two deltas, one of which has two deltas
			base := zeros(500 << 10)
			last := obj{kind: blob, data: base}
			p.add(last)
			for i := range bushy {
				prefix := func(n int) string {
					return deltaOf(len(base), len(base), fmt.Sprintf("\x08%08d", n), copyFrom(0x77, 8, len(base)-8))
				}
				next := obj{kind: ref, base: last.raw(), data: prefix(2 * i)}
				p.add(next)
				p.add(obj{kind: ref, base: last.raw(), data: prefix(2*i + 1)})
				last = obj{kind: blob, data: fmt.Sprintf("%08d", 2*i) + base[8:]}
			}
		},
		"large trees": func(p *packWriter) {
			for n := range 4 {
				var b strings.Builder
				for i := range 180_000 {
					b.WriteString(entry("160000", fmt.Sprintf("%08d-%d", i, n), hello.raw()))
				}
				p.add(obj{kind: tree, data: b.String()})
			}
		},
		"many links": func(p *packWriter) {
			p.add(hello)
			for n := range many / 1000 {
				var entries []string
				for i := range 500 {
					o := obj{kind: blob, data: fmt.Sprint(n, i)}
					p.add(o)
					entries = append(entries, entry("100644", fmt.Sprintf("%05d", i), o.raw()))
				}
				p.add(treeOf(entries...))
			}
		},
	}
}
