package nixtmpl

import (
	"errors"
	"strings"
	"testing"
)

// TestReal_Inputs builds an app whose tools are those of another flake: one commit of a repository, fetched over the network.
func TestReal_Inputs(t *testing.T) {
	dir, commit := gitRepository(t, map[string]string{"flake.nix": `{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  outputs = { self, nixpkgs }: {
    packages = nixpkgs.lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system: {
      tools.greet = nixpkgs.legacyPackages.${system}.writeShellScriptBin "greet" "echo greetings";
    });
  };
}`})
	r := newRig(t)
	const script = "#!/bin/sh\ngreet > \"$TMPDIR/index.html\"\nexec busybox httpd -f -p \"$HOST:$PORT\" -h \"$TMPDIR\"\n"
	settings := "[build]\npackages = [\"kit#tools.NAME\"]\nafter-build = \"greet\"\n[nix.inputs]\nkit = \"git+" + serveFiles(t, dir) + "?ref=main&rev=" + commit + "\"\n"
	a := r.tree(t, "greeter", map[string]string{"hop3.toml": strings.Replace(settings, "NAME", "greet", 1), "start.sh": script})
	b, plan := a.build(t)
	if got := serve(t, b, contract(t, b, plan).Processes["web"]); strings.TrimSpace(got) != "greetings" {
		t.Errorf("answers %q", got)
	}

	a.write(t, "hop3.toml", strings.Replace(settings, "NAME", "great", 1))
	_, _, err := a.tryBuild(t, nil)
	p, ok := errors.AsType[*PackageError](err)
	if !ok || !strings.Contains(p.Error(), `package "kit#tools.great" (hop3.toml [build] packages) is not in the input kit`) {
		t.Errorf("%v", err)
	}

	a = r.tree(t, "own", map[string]string{"hop3.toml": settings, "flake.nix": "{ outputs = _: { packages.x86_64-linux.default = null; }; }"})
	_, _, err = a.tryBuild(t, nil)
	if _, ok := errors.AsType[*InputError](err); !ok {
		t.Errorf("beside an own flake: %v", err)
	}
}
