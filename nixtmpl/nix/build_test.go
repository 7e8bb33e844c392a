package nix_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"hop3/nixtmpl/nix"
)

func TestBuild_Success(t *testing.T) {
	w := newWorld(t)
	dir := w.flake(`
    deps = run "blog-deps-1.2.3" [ "phase" "npm ci" "say" "` + "\x1b[1mcolourful\x1b[0m" + `" "write" "dependencies" ];
    default = more { inherit deps; } "blog" [ "phase" "buildPhase" "say" "compiling" "append" "deps" ];`)
	root := filepath.Join(t.TempDir(), "root")
	r, progress, log, err := w.build(t.Context(), nix.BuildRequest{
		Flake: dir, Layers: []string{"deps", "lacking"}, RootDir: root,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	deps := r.Layers["deps"]
	if got, want := read(t, r.Out), "dependencies"+deps; got != want {
		t.Errorf("output is %q, want %q", got, want)
	}
	if want := []string{deps, r.Out}; !equalSets(r.Closure, want) {
		t.Errorf("closure %v, want %v", r.Closure, want)
	}
	if r.Size <= 0 || !strings.HasSuffix(r.DrvPath, "-blog.drv") || r.Took <= 0 || r.Layers["lacking"] != "" {
		t.Errorf("result %+v", r)
	}
	for link, want := range map[string]string{"result": r.Out, "layer-deps": deps} {
		if got, err := filepath.EvalSymlinks(filepath.Join(root, link)); err != nil || got != want {
			t.Errorf("%s leads to %s, %v; want %s", link, got, err, want)
		}
	}
	for _, want := range []string{"[1/2] blog-deps\n", "[1/2] blog-deps: npm ci\n", "[2/2] blog: build\n"} {
		if !strings.Contains(progress, want) {
			t.Errorf("progress lacks %q:\n%s", want, progress)
		}
	}
	if strings.Contains(progress, "colourful") || !strings.Contains(log, "blog-deps> colourful\n") || !strings.Contains(log, "blog> compiling\n") {
		t.Errorf("progress:\n%s\nlog:\n%s", progress, log)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the flake's directory was written into: %v, %v", entries, err)
	}
	again := w.mustBuild(nix.BuildRequest{Flake: dir, RootDir: root})
	if again.Out != r.Out {
		t.Errorf("second build gave %s, first %s", again.Out, r.Out)
	}
	if _, err := os.Lstat(filepath.Join(root, "layer-deps")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the root of a layer that is no longer wanted stays: %v", err)
	}
}

func TestBuild_Verbose(t *testing.T) {
	w := newWorld(t)
	_, progress, _, err := w.build(t.Context(), nix.BuildRequest{Verbose: true,
		Flake: w.flake(`default = run "blog" [ "say" "one" "say" "two" "write" "x" ];`)})
	if err != nil || !strings.Contains(progress, "blog> one\nblog> two\n") {
		t.Errorf("%v, progress:\n%s", err, progress)
	}
}

func TestBuild_FailureKeepsTheLastFiftyLines(t *testing.T) {
	w := newWorld(t)
	root := t.TempDir()
	_, progress, log, err := w.build(t.Context(), nix.BuildRequest{RootDir: root,
		Flake: w.flake(`
      deps = run "blog-deps-4f5e6d7c" [ "phase" "npm ci" "lines" "60" "exit" "3" ];
      default = more { inherit deps; } "blog" [ "append" "deps" ];`)})
	e, ok := errors.AsType[*nix.BuildError](err)
	if !ok {
		t.Fatalf("error is %v", err)
	}
	if len(e.Tail) != 50 || e.Tail[0] != "line 11" || e.Tail[49] != "line 60" {
		t.Errorf("tail of %d lines: %q", len(e.Tail), e.Tail)
	}
	if e.ExitCode != 3 || e.Reason != nix.ReasonBuild || e.Step != "blog-deps: npm ci" || !strings.HasSuffix(e.Drv, "-blog-deps-4f5e6d7c.drv") {
		t.Errorf("error %+v", e)
	}
	if !strings.Contains(e.Message, "failed with exit code 3") || strings.Contains(e.Message, "line 60") {
		t.Errorf("message %q", e.Message)
	}
	if !strings.Contains(log, "line 1\n") {
		t.Errorf("the log lacks the first line; progress:\n%s", progress)
	}
	if _, err := os.Lstat(filepath.Join(root, "result")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed build left a root: %v", err)
	}
}

func TestBuild_HashMismatches(t *testing.T) {
	w := newWorld(t)
	text := func(hash string) string {
		return fmt.Sprintf(`
      modules = fetch %q "blog-modules" [ "env" "HOP3_TEST_FETCH" ];
      wheels = fetch %q "blog-wheels" [ "write" "wheels of %s" ];
      default = more { inherit modules wheels; } "blog" [ "append" "modules" ];`, hash, hash, w.token)
	}
	fake := "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	env := []string{"HOP3_TEST_FETCH=modules of " + w.token}
	_, _, _, err := w.build(t.Context(), nix.BuildRequest{Flake: w.flake(text(fake)), Env: env})
	e, ok := errors.AsType[*nix.BuildError](err)
	if !ok || e.Reason != nix.ReasonMismatch || e.Hint() == "" || len(e.HashMismatches) != 2 {
		t.Fatalf("error %+v", err)
	}
	got := map[string]string{}
	for _, m := range e.HashMismatches {
		if m.Specified != fake {
			t.Errorf("specified %q", m.Specified)
		}
		got[m.Name] = m.Got
	}
	fixed := strings.Replace(strings.Replace(text(fake), fake, got["blog-modules"], 1), fake, got["blog-wheels"], 1)
	r := w.mustBuild(nix.BuildRequest{Flake: w.flake(fixed)}) // without Env: the right output is there already
	if !strings.HasPrefix(read(t, r.Out), "modules of "+w.token) {
		t.Errorf("output %q", read(t, r.Out))
	}
}

func TestBuild_EvaluationErrors(t *testing.T) {
	w := newWorld(t)
	cases := map[string]struct {
		dir, attr, reason, inMessage, file string
		line                               int
	}{
		"attribute missing": {w.flake(`docs = run "docs" [ ]; other = docs;`), "default", nix.ReasonAttr, "packages." + w.System() + ".default", "", 0},
		"no packages":       {w.raw(`{ outputs = { self }: { }; }`), "default", nix.ReasonAttr, "packages." + w.System(), "", 0},
		"syntax error":      {w.raw("{\n  outputs = { self }: {\n    a = = 1;\n  };\n}\n"), "default", nix.ReasonEval, "syntax error", "flake.nix", 3},
		"throw":             {w.flake("\n\n default = throw \"needs Go 1.99\";"), "default", nix.ReasonEval, "needs Go 1.99", "flake.nix", 0},
		"undefined":         {w.flake("\n\n default = nonsense 1;"), "default", nix.ReasonEval, "undefined variable", "flake.nix", 0},
		"not a derivation":  {w.flake(`default = { a = 1; };`), "default", nix.ReasonAttr, "not a derivation", "", 0},
		"no flake.nix":      {t.TempDir(), "default", nix.ReasonEval, "flake.nix", "", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := w.build(t.Context(), nix.BuildRequest{Flake: c.dir, Attr: c.attr})
			e, ok := errors.AsType[*nix.BuildError](err)
			if !ok {
				t.Fatalf("error is %v", err)
			}
			t.Logf("%v\nhint: %s", e, e.Hint())
			if e.Reason != c.reason || !strings.Contains(e.Message, c.inMessage) || e.Step != "evaluation" {
				t.Errorf("error %+v", e)
			}
			if c.line != 0 && (e.File != c.file || e.Line != c.line) {
				t.Errorf("at %s:%d, want %s:%d", e.File, e.Line, c.file, c.line)
			}
			if strings.Contains(err.Error(), "/nix/store") {
				t.Errorf("the error names a store path instead of the flake's file: %v", err)
			}
		})
	}
}

func TestBuild_OverridesWithoutNetworkOrLock(t *testing.T) {
	w := newWorld(t)
	input := w.raw(`{ outputs = { self }: { word = "overridden"; }; }`)
	dir := w.raw(fmt.Sprintf(`{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.05";
  outputs = { self, nixpkgs }: { packages.%s.default = derivation {
    name = "app"; system = %q; builder = %s; args = [ "write" nixpkgs.word ]; token = %q; }; };
}`, w.System(), w.System(), w.builder, w.token))
	r := w.mustBuild(nix.BuildRequest{Flake: dir, Overrides: map[string]string{"nixpkgs": "path:" + input}})
	if got := read(t, r.Out); got != "overridden" {
		t.Errorf("output %q", got)
	}
}

func TestBuild_TwoAtOnce(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			// Two pairs of equal flakes: the pairs share their derivations.
			dir := w.flake(fmt.Sprintf(`
        deps = run "shared-deps" [ "write" "deps" ];
        default = more { inherit deps; } "app%d" [ "append" "deps" ];`, i/2))
			r, _, log, err := w.build(t.Context(), nix.BuildRequest{Flake: dir, RootDir: t.TempDir()})
			if err != nil {
				t.Errorf("build %d: %v\n%s", i, err, log)
			} else if !strings.HasPrefix(read(t, r.Out), "deps") {
				t.Errorf("build %d: output of %s is wrong", i, r.Out)
			}
		})
	}
	wg.Wait()
}

func TestBuild_NoCacheBuildsAgain(t *testing.T) {
	w := newWorld(t)
	dir := w.flake(`
    deps = run "blog-deps" [ "say" "installing" "write" "deps" ];
    default = more { inherit deps; } "blog" [ "append" "deps" ];`)
	request := nix.BuildRequest{Flake: dir, Layers: []string{"deps"}}
	first := w.mustBuild(request)
	_, _, log, err := w.build(t.Context(), request)
	if err != nil || strings.Contains(log, "installing") {
		t.Errorf("%v, the second build was not from the store:\n%s", err, log)
	}
	request.NoCache = true
	r, _, log, err := w.build(t.Context(), request)
	if err != nil || !strings.Contains(log, "blog-deps> installing") || r.Out != first.Out {
		t.Errorf("%v, out %s, log:\n%s", err, r.Out, log)
	}
}

func TestBuild_NoCacheToleratesAnotherOutput(t *testing.T) {
	w := newWorld(t)
	request := nix.BuildRequest{Flake: w.flake(`default = run "clock" [ "now" "" ];`)}
	first := w.mustBuild(request)
	request.NoCache = true
	r, progress, _, err := w.build(t.Context(), request)
	if err != nil || r.Out != first.Out || !strings.Contains(progress, "clock gives another output when it is built again") {
		t.Errorf("%v, progress:\n%s", err, progress)
	}
}

func TestBuild_SeveralOutputs(t *testing.T) {
	w := newWorld(t)
	dir := w.flake(`
    deps = more { outputs = [ "bin" "out" ]; } "deps" [ "write" "out" "writebin" "bin" ];
    default = more { inherit deps; outputs = [ "bin" "out" ]; } "app" [ "append" "deps" "writebin" "bin" ];`)
	root := t.TempDir()
	for range 2 { // the second finds the links of the first
		r := w.mustBuild(nix.BuildRequest{Flake: dir, RootDir: root, Layers: []string{"deps"}})
		for link, want := range map[string]string{"result": r.Out, "layer-deps": r.Layers["deps"]} {
			got, err := filepath.EvalSymlinks(filepath.Join(root, link))
			if err != nil || got != want || !strings.HasSuffix(got, "-bin") {
				t.Errorf("%s leads to %s, %v; want %s", link, got, err, want)
			}
		}
	}
	if err := w.RemoveRoot(filepath.Join(root, "layer-deps")); err != nil {
		t.Error(err)
	}
}

func TestBuild_RefusesHostileRequests(t *testing.T) {
	w := newWorld(t)
	dir := w.flake(`default = run "x" [ "write" "x" ];`)
	for name, b := range map[string]nix.BuildRequest{
		"relative flake":    {Flake: "app"},
		"attribute of code": {Flake: dir, Attr: `x" ]; }; evil = [ "`},
		"layer of code":     {Flake: dir, Layers: []string{"${builtins.abort 1}"}},
		"option as input":   {Flake: dir, Overrides: map[string]string{"--impure": "path:/"}},
		"option as ref":     {Flake: dir, Overrides: map[string]string{"a": "--impure"}},
		"NIX_CONFIG":        {Flake: dir, Env: []string{"NIX_CONFIG=sandbox = false"}},
		"LD_PRELOAD":        {Flake: dir, Env: []string{"LD_PRELOAD=/tmp/x.so"}},
		"HOME":              {Flake: dir, Env: []string{"HOME=/root"}},
		"no name":           {Flake: dir, Env: []string{"=x"}},
		"relative root":     {Flake: dir, RootDir: "roots"},
	} {
		if _, err := w.Build(t.Context(), b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestBuild_OddDirectoryNames(t *testing.T) {
	w := newWorld(t)
	from := w.flake(`default = run "x" [ "write" "x" ];`)
	for _, name := range []string{"with space", "a#b", "a?b=c", "50%", "ü", "a+b", "a&b"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := w.build(t.Context(), nix.BuildRequest{Flake: dir}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBuild_CancelledBefore(t *testing.T) {
	w := newWorld(t)
	gone := errors.New("client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := w.Build(ctx, nix.BuildRequest{Flake: w.flake(`default = run "x" [ ];`)}); !errors.Is(err, gone) {
		t.Errorf("error %v, want the cause", err)
	}
}

func equalSets(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
