package nix_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hop3/nixtmpl/nix"
)

// A pushed flake asks for files of the host: by an input, by an input of an
// input, and by a git repository. None of them is there for it.
func TestBuild_EvaluationSeesNoFileOfTheHost(t *testing.T) {
	w := newWorld(t)
	secret := t.TempDir()
	if err := os.WriteFile(filepath.Join(secret, "s"), []byte("canary-91c4"), 0o600); err != nil {
		t.Fatal(err)
	}
	rev := gitRepository(t, secret)
	between := w.raw(fmt.Sprintf("{ inputs.host = { url = %q; flake = false; }; outputs = { self, host }: { inherit host; }; }", "path:"+secret))
	app := func(inputs, args, word string) string {
		return w.raw(fmt.Sprintf(`{ %s outputs = { self, %s }: { packages.%s.default = derivation {
    name = "app"; system = %q; builder = %s; args = [ "write" (%s) ]; token = %q; }; }; }`, inputs, args, w.System(), w.System(), w.builder, word, w.token))
	}
	for name, dir := range map[string]string{
		"input":             app(fmt.Sprintf("inputs.host = { url = %q; flake = false; };", "path:"+secret), "host", `builtins.readFile "${host}/s"`),
		"input of an input": app(fmt.Sprintf("inputs.between.url = %q;", "path:"+between), "between", `builtins.readFile "${between.host}/s"`),
		"repository":        app("", "...", fmt.Sprintf(`builtins.readFile "${builtins.fetchGit { url = %q; rev = %q; }}/s"`, "file://"+secret, rev)),
		"another process":   app(`inputs.host = { url = "path:/proc/1/root/etc/ssh"; flake = false; };`, "host", `builtins.toString (builtins.attrNames (builtins.readDir host))`),
	} {
		t.Run(name, func(t *testing.T) {
			r, _, log, err := w.build(t.Context(), nix.BuildRequest{Flake: dir})
			if err == nil {
				t.Fatalf("it was built: %q", read(t, r.Out))
			}
			if strings.Contains(err.Error()+log, "canary") {
				t.Errorf("the secret is told: %v", err)
			}
		})
	}
}

func gitRepository(t *testing.T, dir string) (rev string) {
	t.Helper()
	git := func(args ...string) string {
		cmd := exec.CommandContext(context.Background(), "git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@b"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "-b", "main")
	git("add", "-A")
	git("commit", "-q", "-m", "x")
	return git("rev-parse", "HEAD")
}
