package nix

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// DevEnv builds what the flake's devShells.<system>.default needs and returns a script for bash that sets its environment,
// as `nix print-dev-env` prints it. Attr, Layers, RootDir and NoCache of b are not used; the error is as of Build.
func (n *Nix) DevEnv(ctx context.Context, b BuildRequest) (string, error) {
	b.Attr, b.Layers = "default", nil
	if err := b.check(); err != nil {
		return "", fmt.Errorf("open development shell: %w", err)
	}
	mon := newMonitor(b.Progress, b.Log, b.Verbose, time.Now)
	shell := flakeRef + "#devShells." + system() + ".default"
	drv, err := n.inJail(ctx, b, mon, "eval", "--raw", shell+".drvPath")
	if err != nil {
		return "", err
	}
	if err := checkPaths([]string{drv}); err != nil {
		return "", fmt.Errorf("open development shell: %w", err)
	}
	// Before the script is asked for: what the jail builds has to fit into its memory.
	if err := n.follow(ctx, mon, invocation{bin: n.nixStore, args: n.realiseArgs([]string{drv}), env: b.Env}); err != nil {
		return "", buildError(err, mon, false)
	}
	script, err := n.inJail(ctx, b, mon, "print-dev-env", shell)
	mon.end()
	return script, err
}

// inJail runs a command of nix on the flake in the jail and returns its output.
func (n *Nix) inJail(ctx context.Context, b BuildRequest, mon *monitor, args ...string) (string, error) {
	args = append(args, "--log-format", "internal-json", "-v", "--no-write-lock-file")
	args = append(args, n.sandboxArgs()...)
	for _, input := range slices.Sorted(maps.Keys(b.Overrides)) {
		args = append(args, "--override-input", input, b.Overrides[input])
	}
	var out bytes.Buffer
	ctx, cancel := context.WithTimeoutCause(ctx, n.opt.EvalTimeout, errEvalTimeout)
	defer cancel()
	limit := fmt.Sprintf("GC_MAXIMUM_HEAP_SIZE=%d", n.opt.EvalMemory)
	inv := invocation{bin: n.nix, args: args, dir: b.Flake, env: []string{limit}, stdout: &out}
	if err := n.follow(ctx, mon, n.jail(inv, localInputs(b.Overrides)...)); err != nil {
		return "", buildError(err, mon, true)
	}
	return out.String(), nil
}
