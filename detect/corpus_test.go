package detect

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what detection says into the corpus")

// TestCorpus detects each tree of testdata/corpus/STACK/NAME.txtar and compares the plan, or the error; the folder is the
// wanted stack, and "none" is for trees of no stack. Each says the same whatever order its folders are read in.
func TestCorpus(t *testing.T) {
	cases, err := filepath.Glob("testdata/corpus/*/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatal("no corpus", err)
	}
	count := map[string]int{}
	for _, file := range cases {
		dir := filepath.Base(filepath.Dir(file))
		count[dir]++
		t.Run(dir+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { checkCase(t, file, dir) })
	}
	const least = 3
	for _, s := range Stacks() {
		if count[s] < least {
			t.Errorf("%s has %d cases, want %d or more", s, count[s], least)
		}
	}
}

func checkCase(t *testing.T, file, dir string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(ar.Comment) == 0 {
		t.Error("a case begins with what it shows")
	}
	src, want := fstest.MapFS{}, txtar.File{}
	for _, f := range ar.Files {
		if strings.HasPrefix(f.Name, "want/") {
			want = f
			continue
		}
		src[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
	}
	got := verdict(t, src, dir)
	if again := verdict(t, shuffled{src}, dir); string(again.Data) != string(got.Data) {
		t.Errorf("another order of its folders gives\n%s\nnot\n%s", again.Data, got.Data)
	}
	if *update {
		ar.Files = append(slices.DeleteFunc(ar.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "want/") }), got)
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got.Name != want.Name || string(got.Data) != string(want.Data) {
		t.Errorf("want %s\n%sgot %s\n%srun go test ./detect -run Corpus -update and read the diff", want.Name, want.Data, got.Name, got.Data)
	}
}

// verdict is the plan, or the error, as the program prints it.
func verdict(t *testing.T, src fs.FS, dir string) txtar.File {
	t.Helper()
	p, err := Detect(src)
	stack, name, text := p.Stack, "want/plan.json", []byte(nil)
	if err != nil {
		stack, name, text = stackOf(err), "want/error.json", withoutList(ErrorJSON(err))
	} else if text, err = p.JSON(); err != nil {
		t.Fatal(err)
	}
	if dir == "none" {
		dir = ""
	}
	if stack != dir {
		t.Errorf("the stack is %q", stack)
	}
	return txtar.File{Name: name, Data: text}
}

// withoutList leaves the list of all stacks out, which each new stack would change in every case.
func withoutList(doc []byte) []byte {
	all := "supported: " + join(Stacks())
	return []byte(strings.ReplaceAll(string(doc), all, "supported: …"))
}
