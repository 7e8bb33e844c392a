package nix

import "context"

// Reachable says, by an error, whether the flake that ref names can be had:
// from the store, or over the network.
func (n *Nix) Reachable(ctx context.Context, ref string) error {
	_, err := n.output(ctx, n.nix, "flake", "metadata", "--json", "--no-write-lock-file", "--", ref)
	return err
}
