package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"hop3/internal/config"
	"hop3/internal/state"
	"hop3/nixtmpl"
	"hop3/nixtmpl/nix"
	"hop3/nixtmpl/packages"
)

// The package sets that builds can use.
const (
	setNixpkgs = "nixpkgs"
	setDebian  = "debian"
)

// Toolchains are what builds are made of.
type toolchains struct {
	name    string // "nixpkgs" or "debian"
	nix     *nix.Nix
	builder *nixtmpl.Builder
	debian  *packages.Set // nil with nixpkgs
}

// rememberedToolchains opens the set that the flag names, else the one that
// the server decided for at its first start, and remembers it.
func rememberedToolchains(ctx context.Context, c config.Config, store *state.Store, log logrus.FieldLogger) (*toolchains, error) {
	t, err := openToolchains(ctx, c, store.Server().Packages, log, func(o *nix.Options) { o.SigningKey = filepath.Join(c.Data, "signing.key") })
	if err != nil || t.name == store.Server().Packages {
		return t, err
	}
	return t, store.RememberPackages(t.name)
}

func openToolchains(ctx context.Context, c config.Config, remembered string, log logrus.FieldLogger, more ...func(*nix.Options)) (*toolchains, error) {
	if c.Packages == "" {
		c.Packages = remembered
	}
	n, err := nix.Open(ctx, nixOptions(c, log, more...))
	if err == nil && c.Packages == "" {
		c.Packages = decideSet(ctx, n, c)
		log.WithField("packages", c.Packages).Info("decided where toolchains come from")
		n, err = nix.Open(ctx, nixOptions(c, log, more...))
	}
	if err != nil {
		return nil, fmt.Errorf("open nix: %w", err)
	}
	t := &toolchains{name: c.Packages, nix: n}
	t.builder = &nixtmpl.Builder{Nix: n, Nixpkgs: c.Nixpkgs, Default: nixtmpl.PinFor(n.Version()).Ref, Hashes: nixtmpl.NewHashStore(filepath.Join(c.Data, "hashes.json")), Env: fetchEnv(c)}
	if t.name == setNixpkgs {
		if w := nixtmpl.PinFor(n.Version()).Warning(n.Version()); w != "" && c.Nixpkgs == "" {
			log.Warn(w)
		}
		return t, nil
	}
	if t.debian, err = openDebian(c, n); err != nil {
		return nil, err
	}
	t.builder.Set, t.builder.Nix = t.debian, shellDriver{n, t.debian}
	return t, nil
}

// A shellDriver shows the set's static shell to builds as /bin/sh, which npm's
// scripts and node-gyp call. The set may get another when it is locked again.
type shellDriver struct {
	*nix.Nix
	set *packages.Set
}

func (d shellDriver) Build(ctx context.Context, b nix.BuildRequest) (nix.BuildResult, error) {
	return d.WithShell(d.set.Shell()).Build(ctx, b)
}

func (d shellDriver) Verify(ctx context.Context, b nix.BuildRequest, want string) (nix.Verification, error) {
	return d.WithShell(d.set.Shell()).Verify(ctx, b, want)
}

func openDebian(c config.Config, n *nix.Nix) (*packages.Set, error) {
	return packages.Open(filepath.Join(c.Data, "packages"), n, packages.Options{
		DebMirror: c.DebMirror, NpmRegistry: c.NpmRegistry, GoProxy: c.GoProxy, Keyring: c.Keyring,
	})
}

// decideSet chooses nixpkgs where it can be had and nix is new enough: with an
// older one nixpkgs would be frozen, so that debian is the better set.
func decideSet(ctx context.Context, n *nix.Nix, c config.Config) string {
	if nixtmpl.PinFor(n.Version()) != nixtmpl.Pins()[0] {
		return setDebian
	}
	ref := c.Nixpkgs
	if ref == "" {
		ref = nixtmpl.DefaultNixpkgs
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second) // the first start may wait, once
	defer cancel()
	if err := n.Reachable(ctx, ref); err != nil {
		return setDebian
	}
	return setNixpkgs
}

func nixOptions(c config.Config, log logrus.FieldLogger, more ...func(*nix.Options)) nix.Options {
	o := nix.Options{
		StateDir: filepath.Join(c.Data, "nix"), Timeout: time.Duration(c.BuildTimeout), Log: log,
		// The offline set has all that it needs in the store: a substituter
		// would be asked in vain for each path.
		Offline: c.Packages == setDebian,
	}
	for _, f := range more {
		f(&o)
	}
	return o
}

// fetchEnv says where fetch steps of builds fetch from. The clients are asked
// once, from now on and beside what else is to be done: the first build waits.
func fetchEnv(c config.Config) func() []string {
	environ := os.Environ()
	for name, v := range map[string]string{"GOPROXY": c.GoProxy, "npm_config_registry": c.NpmRegistry, "PIP_INDEX_URL": c.PipIndex} {
		if v != "" {
			environ = append([]string{name + "=" + v}, environ...) // the first one counts
		}
	}
	env := sync.OnceValue(func() []string { return nixtmpl.FetchEnv(context.Background(), environ) })
	go env() // bounded by the clients' own timeout
	return env
}

func quietLog(w io.Writer) logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(w)
	log.SetLevel(logrus.WarnLevel)
	return log
}

// newFlags returns a flag set that prints nothing by itself.
func newFlags(name string) *pflag.FlagSet {
	set := pflag.NewFlagSet(name, pflag.ContinueOnError)
	set.Usage = func() {}
	return set
}
