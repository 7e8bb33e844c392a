//go:build slow

package nixtmpl

import (
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
