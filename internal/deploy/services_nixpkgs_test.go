package deploy

import (
	"strings"
	"testing"

	"hop3/detect"
	"hop3/internal/service"
	"hop3/nixtmpl"
)

// TestServices_OfNixpkgs renders each kind for nixpkgs: its trees name packages as nixpkgs does. Both are in the release that
// is the default (nixos-25.05: postgresql_17 and valkey 8).
func TestServices_OfNixpkgs(t *testing.T) {
	packages := map[string]string{"postgres": "pkgs.postgresql_17", "redis": "pkgs.valkey"}
	for _, k := range service.Kinds() {
		plan, err := detect.Detect(k.Files())
		if err != nil {
			t.Fatal(err)
		}
		flake, err := nixtmpl.Render(plan, nixtmpl.RenderOptions{Name: "db"})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{nixtmpl.DefaultNixpkgs, "${" + packages[k.Name] + "}"} {
			if !strings.Contains(string(flake), want) {
				t.Errorf("%s: the flake has no %s", k.Name, want)
			}
		}
	}
}
