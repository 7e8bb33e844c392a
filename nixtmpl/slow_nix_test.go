//go:build slow

package nixtmpl

import (
	"strings"
	"testing"
)

// TestSlow_NixDefault builds an app from its own default.nix.
func TestSlow_NixDefault(t *testing.T) {
	lifecycle(t, newRig(t).example(t, "nix-default"), "src/hello.py", "")
}

// TestSlow_NixShells runs the commands of a Procfile with the tools of shell.nix, and of a flake that has only a devShell.
func TestSlow_NixShells(t *testing.T) {
	const script = "import http.server, os\nclass H(http.server.BaseHTTPRequestHandler):\n  def do_GET(s):\n    s.send_response(200); s.end_headers(); s.wfile.write(b'version 1')\nhttp.server.HTTPServer((os.environ['HOST'], int(os.environ['PORT'])), H).serve_forever()\n"
	for name, files := range map[string]map[string]string{
		"shell.nix": {"shell.nix": "{ pkgs ? import <nixpkgs> { } }:\npkgs.mkShell { packages = [ pkgs.python3 ]; }\n"},
		"devshell":  {"flake.nix": "{\n  inputs.nixpkgs.url = \"nixpkgs\";\n  outputs = { nixpkgs, ... }: { devShells.x86_64-linux.default = nixpkgs.legacyPackages.x86_64-linux.mkShell { buildInputs = [ nixpkgs.legacyPackages.x86_64-linux.python3 ]; }; };\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			files["hop3.toml"] = "[build]\nstack = \"nix\"\n" // the Procfile's python3 would be another stack's program
			files["Procfile"], files["serve.py"] = "web: python3 serve.py\n", script
			a := newRig(t).tree(t, "nix-tools", files)
			b, plan := a.build(t)
			if got := serve(t, b, contract(t, b, plan).Processes["web"]); !strings.Contains(got, "version 1") {
				t.Errorf("answers %q", got)
			}
			a.write(t, "README.md", "words\n")
			if again, _ := a.build(t); again.Out != b.Out {
				t.Error("a change of the documentation rebuilt the app")
			}
		})
	}
}
