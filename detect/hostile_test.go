package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	gort "runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// corpus returns the trees of the corpus, without what is wanted of them.
func corpus(tb testing.TB) map[string]fstest.MapFS {
	tb.Helper()
	cases, err := filepath.Glob("testdata/corpus/*/*.txtar")
	if err != nil || len(cases) == 0 {
		tb.Fatal("no corpus", err)
	}
	trees := map[string]fstest.MapFS{}
	for _, file := range cases {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		src := fstest.MapFS{}
		for _, f := range ar.Files {
			if !strings.HasPrefix(f.Name, "want/") {
				src[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
			}
		}
		trees[file] = src
	}
	return trees
}

// check holds what is true of every tree: the same answer twice, one JSON document, and an error that a person can act on.
func check(t *testing.T, src fs.FS) {
	t.Helper()
	p, err := Detect(src)
	again, err2 := Detect(shuffled{src})
	if err != nil {
		if err2 == nil || err.Error() != err2.Error() {
			t.Errorf("%v, in another order %v", err, err2)
		}
		if !json.Valid(ErrorJSON(err)) || !strings.Contains(string(ErrorJSON(err)), `"version":1`) {
			t.Errorf("%s", ErrorJSON(err))
		}
		_, none := errors.AsType[*UnknownError](err)
		_, parse := errors.AsType[*ParseError](err)
		if stackOf(err) == "" && !none && !parse {
			t.Errorf("%T without a stack: %v", err, err)
		}
		if h, ok := err.(interface{ Hint() string }); !ok || h.Hint() == "" {
			t.Errorf("no hint: %v", err)
		}
		return
	}
	one, jerr := p.JSON()
	two, jerr2 := again.JSON()
	if err2 != nil || jerr != nil || jerr2 != nil || string(one) != string(two) || !json.Valid(one) {
		t.Errorf("%s\n%s\n%v %v %v", one, two, err2, jerr, jerr2)
	}
	if Explain(p) != Explain(again) || !slices.Equal(p.Ignored, again.Ignored) {
		t.Errorf("%s\n%s", Explain(p), Explain(again))
	}
	if p.Stack == "" || len(p.Evidence) == 0 || p.Tool.From == "" {
		t.Errorf("no reason in %s", one)
	}
}

// TestDetect_Truncated cuts every file of every tree of the corpus.
func TestDetect_Truncated(t *testing.T) {
	for name, tree := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			for file, f := range tree {
				whole := f.Data
				for _, part := range []int{0, 1, 2, 3, 5, 7} {
					f.Data = whole[:len(whole)*part/8]
					check(t, tree)
				}
				f.Data = append([]byte("\xff\xfe\x00\x80"), whole...)
				check(t, tree)
				f.Data = whole
				f.Mode = fs.ModeSymlink
				check(t, tree)
				f.Mode = 0o644
				_ = file
			}
		})
	}
}

// floods are contents that are made to cost: deep nesting, long lines, many entries.
func floods(n int) map[string]string {
	var lines, pairs strings.Builder
	for i := range n / 4 {
		fmt.Fprintf(&lines, "name%d = 'x%d'\n", i, i)
		fmt.Fprintf(&pairs, `"k%d":"v",`, i)
	}
	return map[string]string{
		"brackets": strings.Repeat("[", n), "braces": strings.Repeat(`{"a":`, n), "parens": strings.Repeat("(", n), "tags": strings.Repeat("<a>", n),
		"quotes": strings.Repeat(`"'`, n), "indent": strings.Repeat(" ", n) + "x", "dashes": strings.Repeat("- ", n), "line": strings.Repeat("a", 8*n),
		"lines": lines.String(), "pairs": "{" + pairs.String() + `"z":1}`, "comments": strings.Repeat("/*", n), "do": strings.Repeat("do end ", n),
		"anchors":   "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c]\ne: &e [*d,*d]\nf: &f [*e,*e]\ng: [*f,*f]\n" + strings.Repeat("h: [*g]\n", 10),
		"backslash": strings.Repeat("\\", n), "dollar": strings.Repeat("${", n), "requires": strings.Repeat("a>=1,", n), "nul": strings.Repeat("\x00", n),
		"colons": strings.Repeat("a:\n ", n), "empty": "", "newlines": strings.Repeat("\n", 4*n), "equals": strings.Repeat("=", n), "hashes": strings.Repeat("#", n), "goes on": strings.Repeat("a\\\n", n),
		"dots": strings.Repeat("a.", 8*n) + "a = 1", "inline": "a = " + strings.Repeat("{a = ", 8*n), "flow": "{" + strings.Repeat("a: b,", 2*n) + "}", "steps": steps(n / 40),
	}
}

// steps are keys, each below the one before.
func steps(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// hostileFiles are the files that stacks read, each by one name.
func hostileFiles() []string {
	return append(manifests(),
		"package-lock.json", "yarn.lock", "pnpm-lock.yaml", "pnpm-workspace.yaml", "bun.lock", "deno.lock", "package.json5", "angular.json", "nx.json", "turbo.json",
		"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "go.sum", "Cargo.lock", "Gemfile.lock", "composer.lock", "mix.lock", "manifest.toml", "pubspec.lock",
		"shard.lock", "Package.resolved", "build.zig.zon", "x.csproj", "x.sln", "global.json", "x.cabal", "x.rockspec", "cpanfile.snapshot", "gradle/wrapper/gradle-wrapper.properties",
		"main.py", "app.py", "wsgi.py", "app.rb", "index.js", "main.ts", "app.pl", "app.psgi", "main.lua", "app.R", "index.cbl", "main.scm", "src/main.rs", "run.sh",
		"app.json", "ENV", ".slugignore", ".gitignore", ".tool-versions", "mise.toml", ".nvmrc", "runtime.txt", "Dockerfile", "project/build.properties")
}

// wholeFlood is the size of floods that the benchmark measures.
const wholeFlood = 16_000

// TestDetect_Floods gives each file of each stack contents that are made to cost. What is allocated bounds both: memory, and
// the work of parsers, which build what they read. Floods are a 64th of those of the benchmark, with a 16th of the bound,
// but for the worst of the parsers that cost most.
func TestDetect_Floods(t *testing.T) {
	whole, part := floods(wholeFlood), floods(wholeFlood/64)
	var before, after gort.MemStats
	for _, file := range hostileFiles() {
		heavy := slices.Contains([]string{"build.gradle.kts", "Gemfile", "pubspec.yaml"}, file)
		for name, text := range part {
			most := uint64(4 << 20)
			if heavy && slices.Contains([]string{"tags", "requires", "colons"}, name) {
				text, most = whole[name], 64<<20
			}
			gort.ReadMemStats(&before)
			_, err := Detect(fstest.MapFS{file: &fstest.MapFile{Data: []byte(text), Mode: 0o644}})
			gort.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > most {
				t.Errorf("%s of %s allocates %d MiB", file, name, n>>20)
			}
			if err != nil && !json.Valid(ErrorJSON(err)) {
				t.Errorf("%s: %s", file, ErrorJSON(err))
			}
		}
	}
}

// BenchmarkDetect_Floods measures the worst of them: no tree should take 50 ms or 64 MiB.
func BenchmarkDetect_Floods(b *testing.B) {
	for _, file := range hostileFiles() {
		for name, text := range floods(wholeFlood) {
			src := fstest.MapFS{file: &fstest.MapFile{Data: []byte(text), Mode: 0o644}}
			b.Run(file+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_, _ = Detect(src) // any answer will do
				}
			})
		}
	}
}

// FuzzDetect makes trees of the files that stacks read: each byte of the plan picks a file, the text is shared out to them.
func FuzzDetect(f *testing.F) {
	f.Add([]byte{0}, "web: x\n")
	f.Add([]byte{21, 28, 60}, `{"scripts":{"start":"x"}}`)
	for _, tree := range corpus(f) {
		var picks []byte
		var text strings.Builder
		for name, file := range tree {
			if i := slices.Index(hostileFiles(), name); i >= 0 {
				picks = append(picks, byte(i))
				text.Write(file.Data)
				text.WriteString("\x1e")
			}
		}
		f.Add(picks, text.String())
	}
	names := hostileFiles()
	f.Fuzz(func(t *testing.T, picks []byte, text string) {
		if len(picks) > 8 || len(text) > 1<<16 {
			return
		}
		parts := strings.Split(text, "\x1e")
		src := fstest.MapFS{}
		for i, p := range picks {
			src[names[int(p)%len(names)]] = &fstest.MapFile{Data: []byte(parts[i%len(parts)]), Mode: 0o644}
		}
		check(t, src)
	})
}
