package detect

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// counted counts what is read of a tree.
type counted struct {
	fs.FS
	opens, bytes int
}

func (c *counted) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return f, err
	}
	c.opens++
	return countedFile{f, c}, nil
}

type countedFile struct {
	fs.File
	of *counted
}

func (f countedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.of.bytes += n
	return n, err
}

// The work of detection is bounded by what it reads, mostReads times each byte, and by what its lexers make of it: they stop at
// maxTokens or less. BenchmarkDetect_Floods, on two shared cores: the worst flood, which fills the lexer of Gradle, takes 47 ms
// for 20,000 tokens and what is made of them, 0.8 µs a token; Ruby, Lua and Perl 0.4 µs, so 12 ms for 30,000; x/mod 0.4 µs a byte,
// so 39 ms for maxMod; YAML and TOML a microsecond a sign, so 20 ms for maxSigns. Lock files of pnpm, yarn, uv, Poetry and Cargo take
// 5 to 10 ns a byte. docs/detection.md has the worst of each file.
const (
	mostReads = 8 // of each byte, by claims, rules and the parser
	mostOpens = 12
)

// reads fails if a tree is read more often than its files bear.
func reads(t *testing.T, name string, tree fstest.MapFS) {
	t.Helper()
	total := 0
	for _, f := range tree {
		total += len(f.Data)
	}
	c := &counted{FS: tree}
	_, _ = Detect(c) // any answer will do
	if c.opens > mostOpens*len(tree) || c.bytes > mostReads*total {
		t.Errorf("%s: %d files opened of %d, %d bytes read of %d", name, c.opens, len(tree), c.bytes, total)
	}
}

// TestDetect_Reads holds for the floods and for the trees that fuzzing begins with.
func TestDetect_Reads(t *testing.T) {
	const size = 100
	for _, file := range hostileFiles() {
		for name, text := range floods(size) {
			reads(t, file+" of "+name, fstest.MapFS{file: &fstest.MapFile{Data: []byte(text), Mode: 0o644}})
		}
	}
	for name, tree := range corpus(t) {
		reads(t, name, tree)
	}
}

// TestLexers_Bounded gives each lexer more than it takes: one that returns no error stops, the others refuse.
func TestLexers_Bounded(t *testing.T) {
	src := []byte(strings.Repeat("a = ", 50_000))
	for name, count := range map[string]func() (int, error){
		"lex":      func() (int, error) { return len(lex(src, syntax{})), nil },
		"lexCode":  func() (int, error) { return len(lexCode(src)), nil },
		"rTokens":  func() (int, error) { return len(rTokens(src)), nil },
		"jsTokens": func() (int, error) { return len(jsTokens(string(src))), nil },
		"pyLines": func() (int, error) {
			return len(pyLines(string(bytes.ReplaceAll(src, []byte("= "), []byte("\n"))))), nil
		},
		"lexRuby":  func() (int, error) { l, err := lexRuby("Gemfile", src); return len(l), err },
		"lexPerl":  func() (int, error) { l, err := lexPerl("cpanfile", src); return len(l), err },
		"lexLua":   func() (int, error) { l, err := lexLua("x.rockspec", string(src)); return len(l), err },
		"exTokens": func() (int, error) { l, err := exTokens("mix.exs", src); return len(l), err },
	} {
		n, err := count()
		if n > max(maxTokens, maxCodeTokens, maxPyTokens, exMost) || n == 0 && err == nil {
			t.Errorf("%s: %d tokens, %v", name, n, err)
		}
	}
}

// TestLimits names what bounds each kind of file: docs/detection.md has the list.
func TestLimits(t *testing.T) {
	for name, want := range map[string]int{"package.json": maxWritten, "pom.xml": maxWritten, "go.mod": maxMod, "go.work": maxMod, "x.csproj": maxWritten, "yarn.lock": maxLock, "requirements.txt": maxPip, "pubspec.lock": maxWritten, "package-lock.json": maxNpmLock, "a/uv.lock": maxLock, "yarn.cjs": maxFile} {
		if got := most(name); got != want {
			t.Errorf("%s may have %d bytes, want %d", name, got, want)
		}
	}
}
