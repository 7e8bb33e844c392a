package nix

import (
	"context"
	"encoding/json"
	"fmt"
)

// AttrNames returns the names of the packages that the flake of a package set has, as pkgs.NAME names them.
func (n *Nix) AttrNames(ctx context.Context, ref string) ([]string, error) {
	out, err := n.output(ctx, n.nix, "eval", "--json", "--no-write-lock-file", "--apply", "builtins.attrNames", "--", ref+"#legacyPackages."+system())
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var names []string
	if err := json.Unmarshal(out, &names); err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	return names, nil
}
