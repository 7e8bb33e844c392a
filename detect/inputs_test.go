package detect

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func TestManifest_NixInputs(t *testing.T) {
	const rev = "0123456789012345678901234567890123456789"
	for _, c := range []struct{ toml, want string }{
		{"[build]\npackages = [\"x#a.b\", \"jq\"]\n[nix.inputs]\nx = \"github:o/r/" + rev + "?dir=sub\"", ""},
		{"[nix.inputs]\nx = \"sourcehut:~o/r/" + rev + "\"\ny = \"git+https://host.example:8443/p/q.git?ref=main&rev=" + rev + "\"", ""},
		{"[nix.inputs]\nx = \"github:o/r\"", "2: nix.inputs.x: \"github:o/r\" is not fixed"},
		{"[nix.inputs]\nx = \"github:o/r/main\"", "is not fixed"},
		{"[nix.inputs]\nx = \"git+https://h/p?ref=main\"", "is not fixed"},
		{"[nix.inputs]\nx = \"git+https://me:secret@h/p?rev=" + rev + "\"", "is not a reference"},
		{"[nix.inputs]\nx = \"git+file:///etc?rev=" + rev + "\"", "an input has a reference of"},
		{"[nix.inputs]\nx = \"path:/etc\"", "an input has a reference of"},
		{"[nix.inputs]\nx = \"nixpkgs\"", "an input has a reference of"},
		{"[nix.inputs]\nx = \"github:o/r/" + rev + "?token=1\"", "\"token\" is not known"},
		{"[nix.inputs]\nnixpkgs = \"github:o/r/" + rev + "\"", "not a name"},
		{"[nix.inputs]\n\"a b\" = \"github:o/r/" + rev + "\"", "not a name"},
		{"[build]\npackages = [\"x#a\"]", "2: build.packages: \"x#a\": [nix] inputs has no \"x\""},
		{"[build]\npackages = [\"#a\"]", "has no \"\""},
		{"[build]\npackages = [\"x#a b\"]", "not the name of a package"},
		{"[build]\nbuilder = \"nix\"", ""},
		{"[build]\nbuilder = \"docker\"", "2: build.builder: \"docker\": hop3 builds with nix"},
	} {
		_, err := Detect(fstest.MapFS{"hop3.toml": {Data: []byte(c.toml)}, "Procfile": {Data: []byte("web: x\n")}})
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.toml, err)
			}
			continue
		}
		pe, ok := errors.AsType[*ParseError](err)
		if !ok || !strings.Contains(pe.Error(), c.want) || pe.Line == 0 {
			t.Errorf("%s: %v, want %q with its line", c.toml, err, c.want)
		}
	}
}
