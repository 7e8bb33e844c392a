package nix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A BuildRequest says what to build and who hears of it.
type BuildRequest struct {
	Flake     string            // directory of flake.nix, absolute; nothing is written into it
	Attr      string            // of packages.<system>; "" is "default"
	Overrides map[string]string // flake input → flake reference that is used in its place
	Layers    []string          // further attributes, built and rooted with it; those that the flake lacks are left out
	RootDir   string            // absolute; gets "result" and "layer-NAME", which keep the outputs; "" keeps nothing
	Verbose   bool              // all output of the builds goes to Progress
	Progress  io.Writer         // plain complete lines without prefix; may be nil; must not block for ever
	Log       io.Writer         // the whole log, for a file; may be nil
	NoCache   bool              // build what is there already once more, to prove that it builds
	Env       []string          // NAME=value for fetch steps that ask for them (impureEnvVars); a daemon takes its own environment instead
}

// BuildResult is a finished build.
type BuildResult struct {
	Out     string   // the store path
	Closure []string // what Out needs at run time, itself included, sorted
	Size    int64    // of the closure, in bytes
	DrvPath string
	Layers  map[string]string // attribute → store path
	Took    time.Duration
}

// Build evaluates the flake and builds its attributes. It returns a *BuildError
// where the flake or a build is at fault, and the cause of ctx when cancelled; no
// process is left then. Builds may run at the same time, also of one flake; nix
// does shared steps once.
func (n *Nix) Build(ctx context.Context, b BuildRequest) (BuildResult, error) {
	began := time.Now()
	if b.Attr == "" {
		b.Attr = "default"
	}
	if err := b.check(); err != nil {
		return BuildResult{}, fmt.Errorf("build flake: %w", err)
	}
	mon := newMonitor(b.Progress, b.Log, b.Verbose, time.Now)
	targets, err := n.evaluate(ctx, b, mon)
	if err != nil {
		return BuildResult{}, err
	}
	if err := n.realise(ctx, b, targets, mon); err != nil {
		return BuildResult{}, err
	}
	mon.end()
	main := targets[0]
	infos, err := n.ClosureInfo(ctx, main.Out)
	if err != nil {
		return BuildResult{}, fmt.Errorf("build flake: %w", err)
	}
	r := BuildResult{Out: main.Out, DrvPath: main.Drv, Size: totalSize(infos), Layers: map[string]string{}}
	for _, t := range targets[1:] {
		r.Layers[t.attr] = t.Out
	}
	for _, i := range infos {
		r.Closure = append(r.Closure, i.Path)
	}
	r.Took = time.Since(began)
	return r, nil
}

// A target is one attribute after evaluation.
type target struct {
	attr string
	Drv  string `json:"drv"`
	Out  string `json:"out"`
}

// evaluation is what evalExpr gives.
type evaluation struct {
	Have    []string           `json:"have"`
	Targets map[string]*target `json:"targets"`
}

// evaluate finds the derivations of the wanted attributes, the main one first.
func (n *Nix) evaluate(ctx context.Context, b BuildRequest, mon *monitor) ([]target, error) {
	mon.enter("evaluating the flake")
	wanted := append([]string{b.Attr}, b.Layers...)
	args := []string{"eval", "--json", "--log-format", "internal-json", "-v", "--no-write-lock-file",
		flakeRef + "#packages." + system(), "--apply", evalExpr(wanted)}
	args = append(args, n.sandboxArgs()...) // an evaluation may need builds
	for _, input := range slices.Sorted(maps.Keys(b.Overrides)) {
		args = append(args, "--override-input", input, b.Overrides[input])
	}
	limit := fmt.Sprintf("GC_MAXIMUM_HEAP_SIZE=%d", n.opt.EvalMemory)
	var out bytes.Buffer
	ctx, cancel := context.WithTimeoutCause(ctx, n.opt.EvalTimeout, errEvalTimeout)
	defer cancel()
	inv := invocation{bin: n.nix, args: args, dir: b.Flake, env: []string{limit}, stdout: &out}
	if err := n.follow(ctx, mon, n.jail(inv, localInputs(b.Overrides)...)); err != nil {
		return nil, buildError(err, mon, true)
	}
	var ev evaluation
	if err := json.Unmarshal(out.Bytes(), &ev); err != nil {
		return nil, fmt.Errorf("evaluate flake: parse result: %w", err)
	}
	if ev.Targets[b.Attr] == nil {
		return nil, missingAttr(b.Attr, ev.Have)
	}
	var targets []target
	for _, attr := range slices.Compact(wanted) {
		t := ev.Targets[attr]
		if t == nil || slices.ContainsFunc(targets, func(o target) bool { return o.attr == attr }) {
			continue
		}
		if t.Drv == "" {
			return nil, notDerivation(attr)
		}
		if err := checkPaths([]string{t.Drv, t.Out}); err != nil {
			return nil, fmt.Errorf("evaluate flake: attribute %s: %w", attr, err)
		}
		t.attr = attr
		targets = append(targets, *t)
	}
	return targets, nil
}

// evalExpr is a function of the flake's packages. The attributes are checked to
// be plain names, so that they need no escaping.
func evalExpr(attrs []string) string {
	return `ps: { have = builtins.attrNames ps; targets = builtins.listToAttrs (map (n: { name = n; value =` +
		` if !(ps ? ${n}) then null else if ps.${n} ? drvPath then { drv = ps.${n}.drvPath; out = ps.${n}.outPath; }` +
		` else { drv = ""; out = ""; }; }) [ "` + strings.Join(attrs, `" "`) + `" ]); }`
}

// realise builds the targets and roots them.
func (n *Nix) realise(ctx context.Context, b BuildRequest, targets []target, mon *monitor) error {
	var drvs []string
	for _, t := range targets {
		if !slices.Contains(drvs, t.Drv) {
			drvs = append(drvs, t.Drv)
		}
	}
	if b.NoCache {
		if err := n.rebuild(ctx, b, targets, mon); err != nil {
			return err
		}
	}
	mon.enter("waiting for nix")
	args := n.realiseArgs(drvs)
	if b.RootDir != "" {
		if err := clearRoots(b.RootDir); err != nil {
			return fmt.Errorf("build flake: %w", err)
		}
		args = append(args, "--add-root", filepath.Join(b.RootDir, rootName))
	}
	if err := n.follow(ctx, mon, invocation{bin: n.nixStore, args: args, env: b.Env}); err != nil {
		return buildError(err, mon, false)
	}
	if b.RootDir != "" {
		if err := nameRoots(b.RootDir, targets, drvs); err != nil {
			return fmt.Errorf("build flake: %w", err)
		}
	}
	return nil
}

func (n *Nix) realiseArgs(drvs []string) []string {
	// keep-going, so that all hash mismatches are found in one run.
	args := append([]string{"--realise", "--log-format", "internal-json", "-v", "--keep-going"}, n.sandboxArgs()...)
	return append(args, drvs...)
}

// rebuild builds once more what is valid already, and says where the output differs.
func (n *Nix) rebuild(ctx context.Context, b BuildRequest, targets []target, mon *monitor) error {
	for _, t := range targets {
		valid, err := n.Valid(ctx, t.Out)
		if err != nil {
			return fmt.Errorf("build flake: %w", err)
		}
		if !valid[t.Out] {
			continue
		}
		same, err := n.again(ctx, b, t, mon)
		if err != nil {
			return err
		}
		if !same {
			mon.say(fmt.Sprintf("%s gives another output when it is built again; the first is used", stepName(t.Drv)))
		}
	}
	return nil
}

// again builds a target whose output is valid once more, and reports whether it came out the same.
func (n *Nix) again(ctx context.Context, b BuildRequest, t target, mon *monitor, flags ...string) (bool, error) {
	mon.enter("waiting for nix")
	args := append(n.realiseArgs([]string{t.Drv}), "--check")
	err := n.follow(ctx, mon, invocation{bin: n.nixStore, args: append(args, flags...), env: b.Env})
	var exit *exitError
	if errors.As(err, &exit) && exit.code == exitNotDeterministic {
		mon.messages = nil
		return false, nil
	}
	if err != nil {
		return false, buildError(err, mon, false)
	}
	return true, nil
}

// follow runs nix and feeds its log to mon, which hears of each second too.
func (n *Nix) follow(ctx context.Context, mon *monitor, inv invocation) error {
	events := make(chan event, 64)
	inv.line = func(line []byte) { events <- parseEvent(line) }
	done := make(chan error, 1)
	go func() {
		done <- n.run(ctx, inv)
		close(events)
	}()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case ev, more := <-events:
			if !more {
				return <-done
			}
			mon.handle(ev)
		case <-second.C:
			mon.tick()
		}
	}
}
