package packidx_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hop3/receive/packidx"
)

// wantSame gives a pack to git and to this package, and wants the same verdict; of what both take the same index.
func wantSame(t testing.TB, repo string, pack []byte) (accepted bool) {
	t.Helper()
	theirs, gitErr := gitIndex(t, repo, pack)
	ours, res, err := goIndex(t, repo, pack, packidx.Limits{})
	if (err == nil) != (gitErr == nil) {
		t.Errorf("hop3 says %v\ngit says %v", err, gitErr)
		return false
	}
	if err != nil {
		return false
	}
	wantIndex(t, repo, theirs, ours, res, pack)
	return true
}

// wantIndex compares what was written. A base that was appended may be compressed in another way than git's, so that such
// a pack is indexed once more by git.
func wantIndex(t testing.TB, repo, theirs, ours string, res *packidx.Result, pack []byte) {
	t.Helper()
	have := indexes(t, ours)
	if int(res.Objects) > int(packCount(pack)) {
		if a, b := objectsOf(t, theirs), objectsOf(t, ours); a != b {
			t.Errorf("objects differ: git\n%s\nhop3\n%s", a, b)
		}
		theirs = t.TempDir()
		for name := range have {
			stem := strings.TrimSuffix(name, ".idx")
			git(t, repo, nil, "index-pack", "-o", filepath.Join(theirs, name), filepath.Join(ours, stem+".pack"))
		}
	}
	if !maps.Equal(indexes(t, theirs), have) {
		t.Errorf("the index differs from git's")
	}
	left, err := filepath.Glob(filepath.Join(ours, "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

func packCount(pack []byte) uint32 {
	return uint32(pack[8])<<24 | uint32(pack[9])<<16 | uint32(pack[10])<<8 | uint32(pack[11])
}

// objectsOf lists the names of a pack's objects.
func objectsOf(t testing.TB, dir string) string {
	t.Helper()
	var ids []string
	for name := range indexes(t, dir) {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(git(t, dir, f, "show-index")) {
			ids = append(ids, strings.Fields(line)[1])
		}
		f.Close()
	}
	return strings.Join(ids, "\n")
}

// deltaBase has every byte, and more than 16 MiB so that each operand byte of a copy can be used.
var deltaBase = strings.Repeat("0123456789abcdefghijklmnopqrstu\x00\xff", 1<<9) // 16.5 KiB

// TestIndex_Deltas has each instruction that a delta can be made of, and each way to be wrong.
func TestIndex_Deltas(t *testing.T) {
	repo := emptyRepo(t)
	base := obj{kind: blob, data: deltaBase}
	of := func(delta string) []byte { return pack(base, obj{kind: ref, base: base.raw(), data: delta}) }
	good, bad := map[string][]byte{}, map[string][]byte{}
	for mask := range byte(0x80) {
		if !slow && mask%3 != 1 && mask&(mask-1) != 0 { // each operand byte by itself, and a third of the rest
			continue
		}
		size := 0x10000
		if mask&0x70 != 0 {
			size = 0x234 & (int(mask>>4&1)*0xff | int(mask>>5&1)*0xff00 | int(mask>>6&1)*0xff0000)
		}
		off := 0x123 & (int(mask&1)*0xff | int(mask>>1&1)*0xff00 | int(mask>>2&1)*0xff0000)
		if size == 0 {
			size = 0x10000
		}
		to := good
		if off+size > len(deltaBase) {
			to = bad
		}
		to[fmt.Sprintf("copy %02x", mask)] = of(deltaOf(len(deltaBase), size, copyFrom(mask, off, size)))
	}
	n := len(deltaBase)
	good["insert 1"] = of(deltaOf(n, 1, "\x01x"))
	good["insert 127"] = of(replace(deltaBase, strings.Repeat("y", 127)))
	good["many inserts"] = of(replace(deltaBase, strings.Repeat("yz", 1000)))
	good["empty result"] = of(deltaOf(n, 0))
	good["copy twice"] = of(deltaOf(n, 20, copyFrom(0x10, 0, 10), copyFrom(0x11, 7, 10)))
	good["copy to the end"] = of(deltaOf(n, 4, copyFrom(0x13, n-4, 4)))
	bad["reserved 0"] = of(deltaOf(n, 1, "\x00x"))
	bad["insert too short"] = of(deltaOf(n, 3, "\x03xy"))
	bad["copy too short"] = of(deltaOf(n, 3, "\x91\x00"))
	bad["copy past the end"] = of(deltaOf(n, 4, copyFrom(0x13, n-3, 4)))
	bad["result too long"] = of(deltaOf(n, 3, "\x04wxyz"))
	bad["result too short"] = of(deltaOf(n, 5, "\x04wxyz"))
	bad["base size"] = of(deltaOf(n+1, 1, "\x01x"))
	bad["no sizes"] = of("")
	bad["one size"] = of(varint(n))
	bad["endless size"] = of(strings.Repeat("\xff", 30))
	for name, p := range good {
		t.Run(name, func(t *testing.T) {
			if !wantSame(t, repo, p) {
				t.Error("was refused")
			}
		})
	}
	for name, p := range bad {
		t.Run(name, func(t *testing.T) {
			if wantSame(t, repo, p) {
				t.Error("was taken")
			}
		})
	}
}

// TestIndex_Shapes has packs whose entries relate to each other in unusual ways, and those that are no packs.
func TestIndex_Shapes(t *testing.T) {
	repo, stored := repoWith(t, hello, obj{kind: blob, data: deltaBase})
	next := func(o obj, i int) obj {
		return obj{kind: ref, base: o.raw(), data: replace(o.data, fmt.Sprint("version ", i))}
	}
	target := func(i int) obj { return obj{kind: blob, data: fmt.Sprint("version ", i)} }
	base := obj{kind: blob, data: "version 0"}
	chain := []obj{base}
	for i := range 100 {
		chain = append(chain, next(target(i), i+1))
	}
	backwards := append([]obj{}, chain...)
	for i := range len(backwards) / 2 {
		j := len(backwards) - 1 - i
		backwards[i], backwards[j] = backwards[j], backwards[i]
	}
	var fan []obj
	for i := range 50 {
		fan = append(fan, next(base, i+1), next(target(i+1), 100+i))
	}
	ofsChain := []obj{base}
	for i := range 100 {
		prev := ofsChain[len(ofsChain)-1]
		ofsChain = append(ofsChain, obj{kind: ofs, base: distance(len(prev.encode())), data: replace(target(i).data, target(i+1).data)})
	}
	empty := obj{kind: blob}
	lone := treeOf()
	whole := pack(hello, treeOf(entry("100644", "f", hello.raw())))
	for name, c := range map[string]struct {
		pack []byte
		good bool
	}{
		"empty pack":               {pack(), true},
		"empty blob":               {pack(empty), true},
		"empty tree":               {pack(lone), true},
		"commit":                   {pack(commitOf(lone), lone), true},
		"chain":                    {pack(chain...), true},
		"chain backwards":          {pack(backwards...), true},
		"offset chain":             {pack(ofsChain...), true},
		"fan":                      {pack(append(fan, base)...), true},
		"thin":                     {pack(next(hello, 1), next(target(1), 2)), true},
		"thin, delta first":        {pack(next(target(1), 2), next(hello, 1)), true},
		"thin, two bases":          {pack(next(hello, 1), next(stored[1], 2)), true},
		"thin, stored object":      {pack(next(hello, 1), hello), true},
		"object that is stored":    {pack(hello), true},
		"delta that gives stored":  {pack(base, obj{kind: ref, base: base.raw(), data: replace(base.data, hello.data)}, next(hello, 3)), true},
		"late delta gives stored":  {pack(next(hello, 3), base, obj{kind: ref, base: base.raw(), data: replace(base.data, hello.data)}), true},
		"thin chain gives stored":  {pack(next(hello, 3), obj{kind: ref, base: stored[1].raw(), data: replace(deltaBase, hello.data)}), false},
		"link into the repository": {pack(treeOf(entry("100644", "f", hello.raw()))), true},
		"twice":                    {pack(base, base), false},
		"twice by delta":           {pack(base, target(1), next(base, 1)), false},
		"base is nowhere":          {pack(next(target(7), 8)), false},
		"cycle":                    {pack(next(target(1), 2), next(target(2), 1)), false},
		"offset to itself":         {pack(obj{kind: ofs, base: distance(0), data: replace("", "x")}), false},
		"offset before the pack":   {pack(base, obj{kind: ofs, base: distance(4000), data: replace(base.data, "x")}), false},
		"offset into an entry":     {pack(base, obj{kind: ofs, base: distance(3), data: replace(base.data, "x")}), false},
		"offset to the header":     {pack(base, obj{kind: ofs, base: distance(len(base.encode()) + 12), data: replace(base.data, "x")}), false},
		"endless offset":           {pack(base, obj{kind: ofs, base: strings.Repeat("\xff", 20), data: replace(base.data, "x")}), false},
		"kind 0":                   {pack(obj{kind: 0, data: "x"}), false},
		"kind 5":                   {pack(obj{kind: 5, data: "x"}), false},
		"longer than announced":    {pack(obj{kind: blob, data: "longer", size: 3}), false},
		"shorter than announced":   {pack(obj{kind: blob, data: "short", size: 30}), false},
		"delta longer":             {pack(base, obj{kind: ref, base: base.raw(), data: replace(base.data, "x"), size: 2}), false},
		"size of 64 bits":          {pack(obj{kind: blob, data: "x", size: 1<<63 - 1}), false},
		"count too high":           {packOf(3, base), false},
		"count too low":            {packOf(1, base, hello), false},
		"version 3":                {reseal(bytes.Replace(whole, []byte{0, 0, 0, 2}, []byte{0, 0, 0, 3}, 1)), true},
		"version 4":                {reseal(bytes.Replace(whole, []byte{0, 0, 0, 2}, []byte{0, 0, 0, 4}, 1)), false},
		"no signature":             {reseal(bytes.Replace(whole, []byte("PACK"), []byte("KCAP"), 1)), false},
		"nothing":                  {nil, false},
		"trailer":                  {append(whole[:len(whole)-1:len(whole)-1], 0), false},
		"tree missing":             {pack(commitOf(treeOf(entry("100644", "f", hello.raw())))), false},
		"the empty tree, unsent":   {pack(commitOf(lone)), true}, // git knows it
		"blob missing":             {pack(treeOf(entry("100644", "f", base.raw()))), false},
		"parent missing":           {pack(commitOf(lone, base.id()), lone), false},
		"tag of nothing":           {pack(obj{kind: tag, data: "object " + base.id() + "\ntype blob\ntag v\ntagger " + person + "\n\nx\n"}), false},
		"tree is a blob":           {pack(treeOf(entry("40000", "d", hello.raw())), hello), false},
		"stored tree is a blob":    {pack(treeOf(entry("40000", "d", hello.raw()))), false},
		"blob is a tree":           {pack(treeOf(entry("100644", "f", lone.raw())), lone), false},
		"parent is a tree":         {pack(commitOf(lone, lone.id()), lone), false},
		"tag of another type":      {pack(obj{kind: tag, data: "object " + hello.id() + "\ntype tree\ntag v\ntagger " + person + "\n\nx\n"}), false},
		"submodule":                {pack(treeOf(entry("160000", "m", base.raw()))), true},
		"one link as two types":    {pack(treeOf(entry("100644", "a", hello.raw()), entry("40000", "b", hello.raw())), hello), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if wantSame(t, repo, c.pack) != c.good {
				t.Errorf("taken: %v", !c.good)
			}
		})
	}
}

// repoWith makes a bare repository that holds objects.
func repoWith(t testing.TB, objs ...obj) (string, []obj) {
	t.Helper()
	repo := emptyRepo(t)
	git(t, repo, bytes.NewReader(pack(objs...)), "index-pack", "--stdin")
	return repo, objs
}
