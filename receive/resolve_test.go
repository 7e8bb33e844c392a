package receive_test

import (
	"os/exec"
	"strings"
	"testing"

	"hop3/receive"
)

func TestRepo_Resolve(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=Ann", "-c", "user.email=ann@example.com"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "--bare", "-b", "main")
	tree := git("hash-object", "-t", "tree", "-w", "/dev/null")
	one := git("commit-tree", "-m", "one", tree)
	two := git("commit-tree", "-m", "two", "-p", one, tree)
	git("update-ref", "refs/heads/main", two)
	git("tag", "-a", "-m", "a tag", "v1", one)
	r, err := receive.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for rev, want := range map[string]string{
		"main": two, "main~1": one, "v1": one, "refs/heads/main": two, one: one, one[:10]: one,
		"": "", "nothing": "", "--all": "", "-h": "", tree: "", "main\nv1": "", "main~9": "", strings.Repeat("a", 2000): "",
	} {
		if got, err := r.Resolve(t.Context(), rev); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", rev, got, err, want)
		}
	}
}
