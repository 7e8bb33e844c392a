package packages

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// evalSet evaluates an expression that sees the set as pkgs and lib.
func evalSet(t *testing.T, s *Set, expr string) string {
	t.Helper()
	out, err := run(t.Context(), "nix", "eval", "--json", "--offline", "--expr",
		`let f = builtins.getFlake "`+s.FlakeRef()+`"; inherit (f) lib; pkgs = f.legacyPackages.x86_64-linux; in `+expr, "--impure")
	if err != nil {
		t.Fatalf("evaluate %.60s: %v", expr, err)
	}
	return strings.TrimSpace(out)
}

// Every attribute that templates may use is there and evaluates, without any
// file being fetched.
func TestContract_Attributes(t *testing.T) {
	s := openReal(t)
	var derivations []string
	for stack, prefix := range map[string]string{"go": "go_", "node": "nodejs_"} {
		for _, v := range s.Versions()[stack] {
			derivations = append(derivations, prefix+strings.ReplaceAll(v, ".", "_"))
		}
	}
	derivations = append(derivations, strings.Fields(`bash bashInteractive coreutils findutils gnused gnugrep gnutar gzip busybox cacert gitMinimal git curl jq tzdata zlib
		pkg-config go nodejs python3 python313 gcc xz bzip2 gawk diffutils unzip gnumake gnupatch file openssl makeWrapper gunicorn glibc nodejs.dev stdenv.cc
		python3Packages.flask python3Packages.pip python313Packages.django`)...)
	for _, d := range derivations {
		if got := evalSet(t, s, `builtins.isString pkgs.`+d+`.drvPath && builtins.isString pkgs.`+d+`.name`); got != "true" {
			t.Errorf("%s: %s", d, got)
		}
	}
}

func TestContract_Library(t *testing.T) {
	s := openReal(t)
	for expr, want := range map[string]string{
		`lib.genAttrs [ "a" ] (n: n + "x")`:                                                       `{"a":"ax"}`,
		`[ (lib.optional true 1) (lib.optionals false [ 1 ]) ]`:                                   `[[1],[]]`,
		`lib.optionalString true "a" + lib.optionalString false "b"`:                              `"a"`,
		`lib.optionalAttrs false { a = 1; }`:                                                      `{}`,
		`lib.filterAttrs (n: v: v > 1) { a = 1; b = 2; }`:                                         `{"b":2}`,
		`lib.mapAttrsToList (n: v: n + v) { a = "1"; b = "2"; }`:                                  `["a1","b2"]`,
		`lib.makeBinPath [ "/a" { bin = "/b"; outPath = "/no"; } ]`:                               `"/a/bin:/b/bin"`,
		`lib.makeLibraryPath [ "/a" ]`:                                                            `"/a/lib"`,
		`lib.getDev { dev = "d"; }`:                                                               `"d"`,
		`lib.fakeHash`:                                                                            `"sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`,
		`lib.elem "HTTPS_PROXY" lib.fetchers.proxyImpureEnvVars`:                                  `true`,
		`lib.splitString "." "a.b"`:                                                               `["a","b"]`,
		`lib.escapeShellArg "it's"`:                                                               `"'it'\\''s'"`,
		`[ (lib.hasPrefix "a" "ab") (lib.hasSuffix "b" "ab") (lib.hasInfix "." "ab") ]`:           `[true,true,false]`,
		`[ (lib.removePrefix "a" "ab") (lib.removeSuffix "b" "ab") (lib.removePrefix "x" "ab") ]`: `["b","a","ab"]`,
		`lib.recursiveUpdate { a.b = 1; a.c = 2; } { a.b = 3; }`:                                  `{"a":{"b":3,"c":2}}`,
		`lib.unique [ 1 2 1 ]`:                                                                    `[1,2]`,
		`(lib.callPackageWith { x = 1; } ({ x, y }: { s = x + y; }) { y = 2; }).s`:                `3`,
		`lib.flatten [ 1 [ 2 [ 3 ] ] ]`:                                                           `[1,2,3]`,
	} {
		if got := evalSet(t, s, expr); got != want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
}

// Go computes the same store paths as nix does.
func TestContract_FixedPaths(t *testing.T) {
	s := openReal(t)
	var got, want []string
	if err := json.Unmarshal([]byte(evalSet(t, s, "pkgs.lockedFiles")), &got); err != nil {
		t.Fatal(err)
	}
	for _, f := range s.current().files() {
		want = append(want, f.storePath())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("nix has %d paths, Go %d, or they differ", len(got), len(want))
	}
}

// Other addresses, same store paths.
func TestContract_AddressesChangeNoPath(t *testing.T) {
	needNix(t)
	var paths []string
	for _, host := range []string{"http://a.invalid/", "http://b.invalid/x"} {
		s, err := Open(t.TempDir(), execStore{}, Options{DebMirror: host, SecurityMirror: host, NpmRegistry: host, GoProxy: host})
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, evalSet(t, s, `map (p: p.outPath) [ pkgs.go pkgs.nodejs pkgs.gcc (pkgs.python3.withPackages (ps: [ ps.flask ])) pkgs.git (pkgs.writeText "a" "b") ]`))
	}
	if paths[0] != paths[1] {
		t.Errorf("%s\n%s", paths[0], paths[1])
	}
}

// mkDerivation and the trivial builders behave as nixpkgs' do.
func TestContract_Builders(t *testing.T) {
	s := openReal(t)
	prefetch(t, s, Need{Stack: "static"})
	build(t, s, `let
	  src = builtins.path { name = "source"; path = ./.; };
	  hook = pkgs.makeSetupHook { name = "hook"; } (pkgs.writeText "hook.sh" "hooked() { echo hooked; }");
	  multi = pkgs.stdenvNoCC.mkDerivation (final: {
	    pname = "multi"; version = "1.2"; inherit src; outputs = [ "out" "doc" ]; nativeBuildInputs = [ hook ]; env.SPECIAL = "a b"; list = [ 1 2 ]; flag = true; none = null;
	    big = "x\ny"; passAsFile = [ "big" ]; passthru.extra = final.version;
	    postUnpack = "ls source/flake.nix"; preBuild = "before=1"; patches = [ (pkgs.writeText "p" "--- a/flake.nix\n+++ b/flake.nix\n@@ -0,0 +1 @@\n+# patched\n") ]; dontPatch = true;
	    buildPhase = "runHook preBuild; [ \"$before$SPECIAL$flag$list$(hooked)\" = '1a b11 2hooked' ]; [ -z \"\${none+x}\" ]; [ \"$(cat $bigPath)\" = \"$(printf 'x\\ny')\" ]; runHook postBuild";
	    installPhase = "mkdir -p $out/bin $doc; printf '#!/usr/bin/env bash\\necho run\\n' > $out/bin/multi; chmod +x $out/bin/multi";
	    postFixup = "head -n1 $out/bin/multi | grep -q ^#!/nix/store/"; propagatedBuildInputs = [ pkgs.jq ];
	  });
	  wrapped = pkgs.runCommand "wrapped" { nativeBuildInputs = [ pkgs.makeWrapper multi ]; } ''
	    jq --version; multi | grep -q run
	    mkdir -p $out/bin; printf '#!%s\necho "$A:$B:$1:$2"\n' $SHELL > x; chmod +x x; cp x $out/bin/x
	    wrapProgram $out/bin/x --set A "it's" --prefix B : /p --add-flags one
	    [ "$(B=q $out/bin/x two)" = "it's:/p:q:one:two" ]
	  '';
	  joined = pkgs.symlinkJoin { name = "joined"; paths = [ wrapped multi pkgs.coreutils ]; postBuild = "test -e $out/bin/ls"; };
	  make = pkgs.stdenvNoCC.mkDerivation { name = "make"; src = pkgs.writeTextDir "Makefile" "all:\n\techo made > made\ninstall:\n\tmkdir -p $(PREFIX); cp made $(PREFIX)/\n"; makeFlags = [ "PREFIX=$(out)" ]; };
	in
	assert multi.extra == "1.2" && (multi.overrideAttrs (old: { version = "9"; })).name == "multi-9" && (multi.overrideAttrs (old: { version = "9"; })).extra == "9";
	assert (pkgs.fetchurl { url = "http://x.invalid/a@b.tgz"; hash = "sha512-" + lib.concatStrings (lib.genList (_: "A") 86) + "=="; }).name == "a_b.tgz";
	assert lib.getExe (pkgs.writeShellScriptBin "tool" "echo tool") != "";
	pkgs.runCommand "contract" { } ''
	  [ -e ${joined}/bin/multi ] && [ -e ${joined}/bin/x ] && [ -d ${multi.doc} ]
	  [ "$(cat ${make}/made)" = made ]
	  [ "$(${pkgs.writeShellScript "s" "echo $((1+1))"})" = 2 ]; ${pkgs.writeShellScriptBin "tool" "echo tool"}/bin/tool
	  [ "$(cat ${pkgs.writeText "t" "text"})" = text ]
	  ${pkgs.busybox}/bin/busybox true; echo '{"a":1}' | ${pkgs.jq}/bin/jq -e .a
	  : ${pkgs.mkShell { packages = [ pkgs.jq ]; }} ${pkgs.buildEnv { name = "e"; paths = [ pkgs.jq ]; pathsToLink = [ "/bin" ]; }}/bin/jq
	  touch $out
	''`)
}
