package nixtmpl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"hop3/detect"
	"hop3/nixtmpl/nix"
	"hop3/nixtmpl/packages"
)

// A Driver runs nix; *nix.Nix is one.
type Driver interface {
	Build(ctx context.Context, b nix.BuildRequest) (nix.BuildResult, error)
	Valid(ctx context.Context, paths ...string) (map[string]bool, error)
	AddFixed(ctx context.Context, algo string, recursive bool, files ...string) ([]string, error)
	Verify(ctx context.Context, b nix.BuildRequest, want string) (nix.Verification, error)
}

// A PackageSet stands in for nixpkgs; *packages.Set is one.
type PackageSet interface {
	FlakeRef() string
	Versions() map[string][]string
	PythonPackages() map[string]string
	Packages(language string) map[string]string
	Prefetch(ctx context.Context, progress io.Writer, needs ...packages.Need) error
	Retain(ctx context.Context, needs ...packages.Need) error
}

// A Builder turns plans into store paths. It is safe for concurrent use.
type Builder struct {
	Nix     Driver
	Set     PackageSet // nil: real nixpkgs
	Nixpkgs string     // flake reference that is built against where Set is nil; "" = what the flake says
	Default string     // flake reference that flakes name where nothing else is asked for: PinFor(nix).Ref; "" = DefaultNixpkgs
	Hashes  *HashStore // what fixed outputs were found to be

	// Env gives NAME=value for the steps that fetch: GOPROXY, PIP_INDEX_URL, npm_config_registry. It is asked at each build;
	// nil gives none. FetchEnv reads the machine's.
	Env func() []string
}

// A Request is one build.
type Request struct {
	Plan     detect.Plan
	Name     string    // of the app
	Source   string    // absolute; the exported tree. flake.nix is written into it, unless the stack is nix
	Work     string    // absolute; an empty folder for the wrapper of an app's own flake
	RootDir  string    // GC roots are made here; "" keeps nothing
	Lock     []byte    // Verify: flake.lock of the earlier build; nil = LockOf
	Progress io.Writer // plain complete lines
	Log      io.Writer // the whole build log
	Verbose  bool
	NoCache  bool // build again what is there, and accept hashes that changed
}

// A Build is a finished build.
type Build struct {
	nix.BuildResult
	Flake      []byte // flake.nix as it was built
	Lock       []byte // its flake.lock; nil where nixpkgs is none of Pins
	Resolution Resolution
}

// A HashChangedError is a fetch that gave something else than before for the same lock file.
type HashChangedError struct{ Name, Want, Got string }

func (e *HashChangedError) Error() string {
	return fmt.Sprintf("fetch %s: the same lock file gave other files than before (%s, not %s)", e.Name, e.Got, e.Want)
}

// Hint says what to do.
func (e *HashChangedError) Hint() string {
	return "pin every version in the lock file; git push -o no-cache accepts what is there now"
}

// Options returns what p renders with under this builder.
func (b *Builder) Options(name string) RenderOptions {
	o := RenderOptions{Name: name, Nixpkgs: b.Nixpkgs, Default: b.Default}
	if b.Set != nil {
		o.Nixpkgs, o.Available, o.PythonPackages = "", b.Set.Versions(), b.Set.PythonPackages()
		o.Packages = map[string]map[string]string{}
		for _, language := range []string{"haskell", "lua", "perl", "php", "r", "ruby"} {
			o.Packages[language] = b.Set.Packages(language)
		}
	}
	return o
}

// Build renders and builds r.Plan. Hashes that no lock file has are found by a build that fails on purpose: nix keeps what
// was fetched under its right hash, so the build that follows fetches nothing and confirms it.
//
// The error is a *nix.BuildError, a *VersionError, a *HashChangedError, or the cause of ctx.
func (b *Builder) Build(ctx context.Context, r Request) (Build, error) {
	o := b.Options(r.Name)
	res, err := Resolve(r.Plan, o)
	if err != nil {
		return Build{}, err
	}
	if b.Set != nil {
		if err := b.Set.Prefetch(ctx, orDiscard(r.Progress), needs(r.Plan, res)...); err != nil {
			return Build{}, fmt.Errorf("prefetch packages: %w", err)
		}
	}
	if err := b.prefetchNpm(ctx, r); err != nil {
		return Build{}, err
	}
	if o.Hashes, err = b.Hashes.lookup(res.allFixed()); err != nil {
		return Build{}, err
	}
	out, err := b.attempt(ctx, r, o)
	if found, changed := b.mismatches(err, res.allFixed(), o.Hashes, r.NoCache); changed != nil {
		return Build{}, changed
	} else if len(found) > 0 {
		maps.Copy(o.Hashes, found)
		out, err = b.attempt(ctx, r, o)
		if err == nil || len(b.unexpected(err, found)) == 0 {
			if serr := b.Hashes.store(res.allFixed(), found); serr != nil {
				return Build{}, errors.Join(err, serr)
			}
		}
	}
	out.Resolution = res
	if err == nil && b.Set != nil && r.RootDir != "" {
		err = noteNeeds(r.RootDir, needs(r.Plan, res))
	}
	return out, b.explain(ctx, r.Plan, err)
}

func (b *Builder) env() []string {
	if b.Env == nil {
		return nil
	}
	return b.Env()
}

// attempt renders, writes and builds once.
func (b *Builder) attempt(ctx context.Context, r Request, o RenderOptions) (Build, error) {
	flake, err := Render(r.Plan, o)
	if err != nil {
		return Build{}, err
	}
	res, err := Resolve(r.Plan, o)
	if err != nil {
		return Build{}, err
	}
	request, err := b.request(r, flake, res.Layers)
	if err != nil {
		return Build{}, err
	}
	result, err := b.Nix.Build(ctx, request)
	return Build{BuildResult: result, Flake: flake, Lock: LockOf(flake), Resolution: res}, err
}

// request writes the flake where nix shall find it, and says how it is built.
func (b *Builder) request(r Request, flake []byte, layers []string) (nix.BuildRequest, error) {
	dir, overrides := r.Source, map[string]string{}
	if r.Plan.Stack == "nix" {
		dir = r.Work
		overrides["app"] = "path:" + filepath.Join(r.Source, filepath.FromSlash(r.Plan.Root))
	}
	if b.Set != nil {
		overrides["nixpkgs"] = b.Set.FlakeRef()
	} else if b.Nixpkgs != "" {
		overrides["nixpkgs"] = b.Nixpkgs
	}
	lock := r.Lock
	if lock == nil {
		lock = LockOf(flake)
	}
	if err := writeFlake(dir, flake, lock); err != nil {
		return nix.BuildRequest{}, err
	}
	return nix.BuildRequest{
		Flake: dir, Overrides: overrides, Layers: layers, RootDir: r.RootDir, Verbose: r.Verbose,
		Progress: r.Progress, Log: r.Log, NoCache: r.NoCache, Env: b.env(),
	}, nil
}

// Verify builds a flake that an earlier build wrote once more, from the same source, and compares with its output want. The
// error is as of Build; that something differs is no error.
func (b *Builder) Verify(ctx context.Context, r Request, flake []byte, want string) (nix.Verification, error) {
	res, err := Resolve(r.Plan, b.Options(r.Name))
	if err != nil {
		return nix.Verification{}, err
	}
	if b.Set != nil {
		if err := b.Set.Prefetch(ctx, orDiscard(r.Progress), needs(r.Plan, res)...); err != nil {
			return nix.Verification{}, fmt.Errorf("prefetch packages: %w", err)
		}
	}
	request, err := b.request(r, flake, res.Layers)
	if err != nil {
		return nix.Verification{}, err
	}
	return b.Nix.Verify(ctx, request, want)
}

// mismatches returns the hashes that a failed build found, by name of fixed output. changed is set when one was known.
func (b *Builder) mismatches(err error, fixed []FixedOutput, known map[string]string, accept bool) (found map[string]string, changed error) {
	be, ok := errors.AsType[*nix.BuildError](err)
	if !ok {
		return nil, nil
	}
	found = map[string]string{}
	for _, m := range be.HashMismatches {
		for _, f := range fixed {
			if f.Name != m.Name {
				continue
			}
			if known[f.Name] != "" && !accept {
				return nil, &HashChangedError{Name: f.Name, Want: known[f.Name], Got: m.Got}
			}
			found[f.Name] = m.Got
		}
	}
	return found, nil
}

// unexpected returns the mismatches of err against hashes that were just found: such a fetch gives something else each time.
func (b *Builder) unexpected(err error, found map[string]string) []nix.Mismatch {
	be, ok := errors.AsType[*nix.BuildError](err)
	if !ok {
		return nil
	}
	var list []nix.Mismatch
	for _, m := range be.HashMismatches {
		if found[m.Name] != "" {
			list = append(list, m)
		}
	}
	return list
}

// need is what a plan takes of the offline package set.
func need(p detect.Plan, r Resolution) packages.Need {
	n := packages.Need{Stack: p.Stack, Python: r.PythonAttrs}
	for _, attr := range p.Manifest.Build.Packages { // postgresql_17 is of the root postgresql; nix fetches what is none by itself
		if strings.Contains(attr, "#") { // of an input
			continue
		}
		root, _, _ := strings.Cut(strings.ReplaceAll(attr, "_", "."), ".")
		n.Roots = append(n.Roots, root)
	}
	if f := rules()[p.Stack].need; f != nil {
		f(p, r, &n)
	}
	return n
}

// needs is what a plan and its front ends take of the offline package set.
func needs(p detect.Plan, r Resolution) []packages.Need {
	list := []packages.Need{need(p, r)}
	for i, a := range p.Assets {
		list = append(list, need(*a.Plan, r.Assets[i]))
	}
	return list
}

// writeFlake puts flake.nix and flake.lock into a tree that the pusher made: a link of those names is replaced, never
// followed. A lock of the app's that names other inputs would be mended by nix, by asking the network, so it goes.
func writeFlake(dir string, flake, lock []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write flake: %w", err)
	}
	defer root.Close()
	for name, text := range map[string][]byte{"flake.nix": flake, "flake.lock": lock} {
		if err := replaceFile(root, name, text); err != nil {
			return fmt.Errorf("write flake: %w", err)
		}
	}
	return nil
}

// replaceFile makes name a regular file with this text, or removes it where text is nil. One that is so already stays.
func replaceFile(root *os.Root, name string, text []byte) error {
	if old, err := root.Lstat(name); err == nil {
		if old.Mode().IsRegular() && text != nil {
			if b, err := root.ReadFile(name); err == nil && bytes.Equal(b, text) {
				return nil
			}
		}
		if err := root.RemoveAll(name); err != nil {
			return err
		}
	}
	if text == nil {
		return nil
	}
	return root.WriteFile(name, text, 0o644)
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
