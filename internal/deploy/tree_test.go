package deploy_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"hop3/detect"
	"hop3/receive"
)

// commit puts files, by name and content, into a new bare repository. It returns their commit.
func commit(tb testing.TB, files map[string]string) (*receive.Repo, string) {
	tb.Helper()
	repo, _, id := commitIn(tb, files)
	return repo, id
}

// commitIn is commit; it also returns the repository's folder.
func commitIn(tb testing.TB, files map[string]string) (repo *receive.Repo, dir, id string) {
	tb.Helper()
	dir = tb.TempDir()
	var stream bytes.Buffer
	fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter a <a@b> 0 +0000\ndata 1\nx\n")
	for name, text := range files {
		mode := "100644"
		if target, link := strings.CutPrefix(text, "-> "); link {
			mode, text = "120000", target
		}
		fmt.Fprintf(&stream, "M %s inline %s\ndata %d\n%s\n", mode, name, len(text), text)
	}
	run := func(stdin string, args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.Output()
		if err != nil {
			tb.Fatalf("git %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	run("", "init", "-q", "--bare")
	run(stream.String(), "fast-import", "--quiet")
	repo, err := receive.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return repo, dir, run("", "rev-parse", "refs/heads/main")
}

// large is a tree of n source files in some hundred folders beside an app.
func large(n int, app map[string]string) map[string]string {
	for i := range n {
		app[fmt.Sprintf("packages/p%d/src/d%d/f%d.js", i%40, i%400, i)] = "export const x = 1; // see README.txt\n"
	}
	return app
}

// BenchmarkDetect_LargePush reads and plans a pushed tree of 100,000 files: "read" is all of it and should take less than
// 200 ms, "plan" is what detection takes once the names are known, "git ls-tree" is what git takes to print the names.
func BenchmarkDetect_LargePush(b *testing.B) {
	for name, app := range map[string]map[string]string{
		"node": {"package.json": `{"scripts":{"start":"node index.js"}}`, "index.js": "", "README.md": ""},
		"go":   {"go.mod": "module x\n", "main.go": "package main\nfunc main() {}\n", "README.md": ""},
		"none": {"README.md": ""},
	} {
		repo, dir, id := commitIn(b, large(100_000, app))
		tree := func() fs.FS {
			tree, err := repo.Tree(b.Context(), id)
			if err != nil {
				b.Fatal(err)
			}
			return tree
		}
		plan := func(tree fs.FS) {
			if _, err := detect.Detect(tree); (err != nil) != (name == "none") {
				b.Fatal(err)
			}
		}
		b.Run(name+"/git ls-tree", func(b *testing.B) {
			for b.Loop() {
				if out, err := exec.Command("git", "-C", dir, "ls-tree", "-r", "-z", id).Output(); err != nil || len(out) < 100_000 {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/read", func(b *testing.B) {
			for b.Loop() {
				plan(tree())
			}
		})
		listed := tree()
		b.Run(name+"/plan", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plan(listed)
			}
		})
	}
}

// TestDetect_FolderAndCommitAgree checks that a folder and its commit have the same plan, and that neither reads through links.
func TestDetect_FolderAndCommitAgree(t *testing.T) {
	for _, dir := range examples(t) {
		folder := os.DirFS(dir)
		files := map[string]string{"link.txt": "-> README.md", "requirements-link.txt": "-> /etc/passwd"}
		err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := fs.ReadFile(folder, name)
			files[name] = string(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		repo, id := commit(t, files)
		tree, err := repo.Tree(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := answer(folder), answer(tree); a != b {
			t.Errorf("%s: the folder says\n%s\nthe commit\n%s", dir, a, b)
		}
	}
}

// TestDetect_CorpusAsCommit reads each tree of detect's corpus as a folder and as a commit.
func TestDetect_CorpusAsCommit(t *testing.T) {
	cases, err := filepath.Glob("../../detect/testdata/corpus/*/*.txtar")
	if err != nil || len(cases) < 200 {
		t.Fatal(len(cases), err)
	}
	all := map[string]string{}
	folders := t.TempDir()
	for _, file := range cases {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dir := strings.NewReplacer("../../detect/testdata/corpus/", "", "/", "-", ".txtar", "").Replace(file)
		for _, f := range ar.Files {
			if strings.HasPrefix(f.Name, "want/") {
				continue
			}
			all[dir+"/"+f.Name] = string(f.Data)
			path := filepath.Join(folders, dir, f.Name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	repo, id := commit(t, all)
	tree, err := repo.Tree(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := fs.ReadDir(tree, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		sub, err := fs.Sub(tree, d.Name())
		if err != nil {
			t.Fatal(err)
		}
		if a, b := answer(os.DirFS(filepath.Join(folders, d.Name()))), answer(sub); a != b {
			t.Errorf("%s: the folder says\n%s\nthe commit\n%s", d.Name(), a, b)
		}
	}
}

func examples(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("../../examples/*/README.md")
	if err != nil || len(list) == 0 {
		t.Fatal("no examples", err)
	}
	for i := range list {
		list[i] = filepath.Dir(list[i])
	}
	return list
}

func answer(fsys fs.FS) string {
	p, err := detect.Detect(fsys)
	if err != nil {
		return string(detect.ErrorJSON(err))
	}
	b, err := p.JSON()
	if err != nil {
		return err.Error()
	}
	return string(b) + detect.Explain(p) + strings.Join(p.Ignored, "\n")
}
