package nixtmpl

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"hop3/detect"
)

// recorder is a package set that builds nothing: its builders take down what they are asked for, as inputs of derivations.
const recorder = `{
  outputs = _: let
    lib = import ./lib.nix;
    record = name: derivation { inherit name; system = "x86_64-linux"; builder = "/bin/sh"; };
    mkDerivation = a: derivation (removeAttrs a [ "meta" "passthru" ] // {
      name = a.name or "${a.pname}-${a.version}"; system = "x86_64-linux"; builder = "/bin/sh";
    });
    pkgs = lib.genAttrs [ %s ] record // {
      stdenvNoCC = { inherit mkDerivation; }; stdenv = { inherit mkDerivation; };
      fetchurl = a: derivation { name = a.name; inherit (a) url; system = "x86_64-linux"; builder = "/bin/sh"; outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = a.sha256; };
      beamPackages = lib.genAttrs [ "erlang" "elixir" "rebar3" ] record;
    };
  in { inherit lib; legacyPackages.x86_64-linux = pkgs; };
}
`

// TestRecorded evaluates flakes of stacks that no offline set has, with real nix, and reads what they ask for.
func TestRecorded(t *testing.T) {
	needNix(t)
	for _, c := range []struct {
		file string
		want []string
		not  string
	}{
		{"dart/plain", []string{"dart"}, "deps"},
		{"dart/shelf", []string{"dart", "shelf-1.4.2.tar.gz", "mine-1.0.2.tar.gz", "recorded-deps"}, "gleam"},
		{"gleam/plain", []string{"gleam", "erlang"}, "rebar3"},
		{"gleam/wisp", []string{"gleam", "erlang", "rebar3", "wisp-1.2.0.tar", "telemetry-1.3.0.tar", "gleam_stdlib-0.47.0.tar"}, "elixir"},
		{"dotnet/web", []string{"dotnet-sdk_8", "dotnet-aspnetcore_8"}, "nuget"},
		{"dotnet/solution", []string{"dotnet-sdk_9", "dotnet-aspnetcore_9", "nuget-packages-dotnet-sdk_9", "recorded-deps"}, "dotnet-sdk_8"},
		{"dotnet/slnx", []string{"dotnet-sdk_9", "dotnet-runtime_9"}, "aspnetcore"},
	} {
		t.Run(c.file, func(t *testing.T) {
			asked := inputs(t, c.file)
			for _, w := range c.want {
				if !slices.ContainsFunc(asked, func(a string) bool { return strings.HasPrefix(a, w) }) {
					t.Errorf("does not ask for %s, but for %q", w, asked)
				}
			}
			if slices.ContainsFunc(asked, func(a string) bool { return strings.Contains(a, c.not) }) {
				t.Errorf("asks for %s: %q", c.not, asked)
			}
		})
	}
}

// inputs returns the names of all derivations that the flake of a case needs, its own left out.
func inputs(t *testing.T, file string) []string {
	t.Helper()
	set, src := t.TempDir(), caseTree(t, file+".txtar")
	lib, err := os.ReadFile("packages/flake/lib.nix")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range []string{"dart", "gleam", "curl", "cacert", "busybox", "dotnet-sdk_8", "dotnet-sdk_9", "dotnet-runtime_8", "dotnet-runtime_9", "dotnet-aspnetcore_8", "dotnet-aspnetcore_9"} {
		names = append(names, fmt.Sprintf("%q", n))
	}
	plan, err := detect.Detect(os.DirFS(src))
	if err != nil {
		t.Fatal(err)
	}
	o := setForCases()
	o.Name = "recorded"
	flake, err := Render(plan, o)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		filepath.Join(set, "flake.nix"): []byte(fmt.Sprintf(recorder, strings.Join(names, " "))), filepath.Join(set, "lib.nix"): lib, filepath.Join(src, "flake.nix"): flake,
	} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("nix", "--extra-experimental-features", "nix-command flakes", "eval", "--raw", "--no-write-lock-file", "--override-input", "nixpkgs", "path:"+set, "path:"+src+"#packages.x86_64-linux.default.drvPath")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	drv, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	out, err := exec.Command("nix-store", "-qR", string(drv)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, p := range strings.Fields(string(out)) {
		if _, name, _ := strings.Cut(filepath.Base(p), "-"); strings.HasSuffix(name, ".drv") && name != "recorded-0.drv" {
			asked = append(asked, strings.TrimSuffix(name, ".drv"))
		}
	}
	return asked
}

// caseTree writes the tree of a case into a folder.
func caseTree(t *testing.T, file string) string {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{}
	for _, f := range ar.Files {
		if !strings.HasPrefix(f.Name, "want/") {
			tree[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, tree); err != nil {
		t.Fatal(err)
	}
	return dir
}
