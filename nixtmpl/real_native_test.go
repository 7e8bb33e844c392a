//go:build slow

package nixtmpl

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestReal_Crystal(t *testing.T) {
	a := newRig(t).example(t, "crystal")
	lifecycle(t, a, "src/hello.cr", "README.md")
	b, _ := a.build(t)
	for _, p := range b.Closure {
		if strings.Contains(p, "-crystal-1") {
			t.Errorf("the closure holds the compiler: %s", p)
		}
	}
}

func TestReal_Haskell(t *testing.T) {
	a := newRig(t).example(t, "haskell")
	lifecycle(t, a, "app/Main.hs", "README.md")
	b, _ := a.build(t)
	for _, p := range b.Closure {
		if strings.Contains(p, "-ghc") {
			t.Errorf("the closure holds the compiler: %s", p)
		}
	}
}

// TestReal_Shards builds an app with a shard from git on loopback, which is fetched once.
func TestReal_Shards(t *testing.T) {
	shard, commit := gitRepository(t, map[string]string{
		"shard.yml":       "name: greeting\nversion: 1.0.0\n",
		"src/greeting.cr": "VERSION = \"version 1\"\n# " + t.TempDir() + "\n",
	})
	url := serveFiles(t, shard)
	a := newRig(t).example(t, "crystal")
	a.replace(t, "src/hello.cr", "VERSION = \"version 1\"\n", "require \"greeting\"\n")
	a.write(t, "shard.yml", a.read(t, "shard.yml")+"\ndependencies:\n  greeting:\n    git: "+url+"\n")
	a.write(t, "shard.lock", "version: 2.0\nshards:\n  greeting:\n    git: "+url+"\n    version: 1.0.0+git.commit."+commit+"\n\n")
	b, plan := a.build(t)
	if got := serve(t, b, contract(t, b, plan).Processes["web"]); !strings.Contains(got, "version 1") {
		t.Errorf("answers %q", got)
	}
	if len(b.Resolution.Fixed) != 1 || strings.Contains(string(b.Flake), FakeHash) {
		t.Errorf("%+v was not found", b.Resolution.Fixed)
	}
}

// gitRepository makes a bare repository of one commit that can be served as files.
func gitRepository(t *testing.T, files map[string]string) (dir, commit string) {
	t.Helper()
	work, bare := t.TempDir(), filepath.Join(t.TempDir(), "shard.git")
	for f, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(work, f)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(work, f), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", work, "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "one")
	git("clone", "-q", "--bare", work, bare)
	git("--git-dir", bare, "update-server-info")
	return bare, git("rev-parse", "HEAD")
}

func serveFiles(t *testing.T, dir string) string {
	t.Helper()
	srv := httptest.NewServer(http.StripPrefix("/shard.git", http.FileServer(http.Dir(dir))))
	t.Cleanup(srv.Close)
	return srv.URL + "/shard.git"
}
