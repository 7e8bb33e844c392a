package nix_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"hop3/nixtmpl/nix"
)

func TestProbe_ProvesTheSandbox(t *testing.T) {
	w := newWorld(t)
	exe, err := builderBinary()
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.Probe(t.Context(), exe, "look", "around")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", f)
	s := f.Sandbox
	if p := s.Problems(); len(p) > 0 {
		t.Errorf("problems: %q", p)
	}
	if s.UID == 0 || s.HostUID == 0 || s.Paths == 0 || len(s.Root) == 0 {
		t.Errorf("the build saw %+v", s)
	}
	if f.Mode == nix.Direct && len(f.BuildUsers) == 0 {
		t.Error("no build users")
	}
}

func TestProbe_RefusesADynamicExecutable(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Probe(t.Context(), "/bin/ls"); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("error %v", err)
	}
}

func TestSandbox_ProblemsNamesWhatIsOpen(t *testing.T) {
	open := nix.Sandbox{UID: 0, HostUID: 0, Root: []string{"usr", "home", "nix"}, Paths: 4000, Interfaces: []string{"eth0"}}
	if got := len(open.Problems()); got != 5 {
		t.Errorf("%d problems: %q", got, open.Problems())
	}
}

func TestBuild_SeesNothingOfTheMachine(t *testing.T) {
	w := newWorld(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	// /etc/passwd is one that nix makes for the sandbox: it has no shadow beside it.
	hidden := []string{"/etc/shadow", "/etc/hostname", "/usr/bin/env", "/bin/sh", "/root", "/home", "/nix/var", secret}
	var args []string
	for _, f := range hidden {
		args = append(args, `"see"`, `"`+f+`"`)
	}
	_, _, log, err := w.build(t.Context(), nix.BuildRequest{
		Flake: w.flake(`default = run "x" [ ` + strings.Join(args, " ") + ` "write" "x" ];`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range hidden {
		if !strings.Contains(log, "x> "+f+" false\n") {
			t.Errorf("the build sees %s", f)
		}
	}
}

func TestBuild_CannotWriteItsInputs(t *testing.T) {
	w := newWorld(t)
	r := w.mustBuild(nix.BuildRequest{Layers: []string{"input"}, Flake: w.flake(`
      input = run "input" [ "write" "clean" ];
      default = more { inherit input; } "x" [ "tamper" "input" "write" "x" ];`)})
	if got := read(t, r.Layers["input"]); got != "clean" {
		t.Errorf("a build changed its input to %q", got)
	}
}

func TestBuild_ShowsTheShell(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "shell", "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sh"), []byte(w.token), 0o755); err != nil {
		t.Fatal(err)
	}
	paths, err := w.AddFixed(t.Context(), "sha256", true, filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	n := w.WithShell(paths[0] + "/bin/sh")
	var log strings.Builder
	_, err = n.Build(t.Context(), nix.BuildRequest{Log: &log,
		Flake: w.flake(`default = run "x" [ "see" "/bin/sh" "write" "x" ];`)})
	if err != nil || !strings.Contains(log.String(), "/bin/sh true") {
		t.Errorf("%v, log:\n%s", err, log.String())
	}
}

func TestBuild_EnvReachesFetchStepsOnly(t *testing.T) {
	w := newWorld(t)
	t.Setenv("HOP3_TEST_LEAK", "leaked")
	r := w.mustBuild(nix.BuildRequest{Env: []string{"HOP3_TEST_FETCH=token"},
		Flake: w.flake(`default = run "x" [ "env" "HOP3_TEST_FETCH" ];`)})
	if got := read(t, r.Out); got != "" {
		t.Errorf("an ordinary step saw the variable: %q", got)
	}
}

func TestOpen_RefusesRootWithoutBuildUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is about root, and the tests run as another user")
	}
	_, err := nix.Open(t.Context(), nix.Options{StateDir: t.TempDir(), BuildUsersGroup: "hop3-no-such-group"})
	e, ok := errors.AsType[*nix.SetupError](err)
	if !ok || !strings.Contains(e.Hint(), "useradd") || !strings.Contains(e.Hint(), "hop3-no-such-group") {
		t.Errorf("error %v, hint %q", err, hint(err))
	}
}

func TestOpen_SaysWhatIsMissing(t *testing.T) {
	_, err := nix.Open(t.Context(), nix.Options{StateDir: t.TempDir(), Bin: t.TempDir()})
	if e, ok := errors.AsType[*nix.SetupError](err); !ok || e.Hint() == "" {
		t.Errorf("error %v", err)
	}
	if _, err := nix.Open(t.Context(), nix.Options{StateDir: "relative"}); err == nil {
		t.Error("a relative state directory was accepted")
	}
}

func TestOpen_RefusesAnOldNix(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"nix", "nix-store"} {
		script := "#!/bin/sh\necho 'nix (Nix) 2.3.7'\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_, err := nix.Open(t.Context(), nix.Options{StateDir: t.TempDir(), Bin: bin})
	if e, ok := errors.AsType[*nix.SetupError](err); !ok || !strings.Contains(e.Problem, "2.3.7") {
		t.Errorf("error %v", err)
	}
}

func TestNix_Describes(t *testing.T) {
	w := newWorld(t)
	if !w.Version().AtLeast(2, 8) || w.Mode() == "" {
		t.Errorf("version %s, mode %s", w.Version(), w.Mode())
	}
	if runtime.GOARCH == "amd64" && w.System() != "x86_64-linux" {
		t.Errorf("system %s", w.System())
	}
	if !slices.Contains([]nix.Mode{nix.Direct, nix.Daemon}, w.Mode()) {
		t.Errorf("mode %q", w.Mode())
	}
}
