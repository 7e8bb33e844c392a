// Package nix runs the machine's Nix: it evaluates and builds flakes in the
// sandbox, follows nix's structured log, and looks after store paths.
//
// The driver never builds as root. As root without a daemon it hands each build
// to a user of the build group and refuses to start when there is none, because
// a build that has root's uid can rewrite its inputs in the store. With a daemon
// the daemon builds, and the driver may be any user.
//
// A build is two processes: `nix eval` finds the derivation and output of each
// wanted attribute, `nix-store --realise` builds them all. `nix build` does both
// in one, and lost: nix 2.8 reports several attributes in an order of its own,
// so that an out-link cannot be told from another; a limit on the evaluator's
// memory would reach the builders; and its texts differ more between versions
// than those of the two plumbing commands. The price is one start of nix, about 20 ms.
//
// Nothing of the caller's environment reaches nix but proxies and the CA file.
// Configuration, home and caches are private to Options.StateDir; the machine's
// nix.conf is read first, for its caches, keys and remote builders, and then
// overruled in all that is about safety.
package nix

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/sirupsen/logrus"
)

// StoreDir is where the store lives. Every path that this package returns is in it.
const StoreDir = "/nix/store"

// Options say which nix is run, and within what limits. Zero values are safe.
type Options struct {
	StateDir        string        // configuration, home and caches of nix; made if missing; must be given
	Bin             string        // directory that holds nix and nix-store; "" looks in PATH
	BuildUsersGroup string        // whose members run the builds when there is no daemon; "" is nixbld
	Offline         bool          // ask no substituter: each missing path would cost a failed look-up
	Shell           string        // static shell shown to builds as /bin/sh; "" shows none
	Socket          string        // of the nix daemon; "" is $NIX_DAEMON_SOCKET_PATH, or where nix has it
	SigningKey      string        // file of the key that signs what is built, made if missing; "" signs nothing
	CAFile          string        // certificates for fetch steps; "" is $NIX_SSL_CERT_FILE, $SSL_CERT_FILE or the system's bundle
	MaxJobs, Cores  int           // builds at once, and cores that each is told to use; 0 is one per processor
	Timeout         time.Duration // of one derivation; 0 is an hour
	MaxSilent       time.Duration // without a line of output; 0 is 20 minutes
	MaxLogBytes     int64         // of one derivation's output; 0 is 64 MiB
	EvalTimeout     time.Duration // of the evaluation of a flake; 0 is 15 minutes
	EvalMemory      int64         // heap of the evaluator in bytes; 0 is 4 GiB
	Grace           time.Duration // between SIGINT and SIGKILL at a cancel; 0 is 5 s
	Log             logrus.FieldLogger
}

// Mode says who runs the builds.
type Mode string

// The modes that Open decides between.
const (
	Direct Mode = "root-direct" // this process is root, build users run the builds
	Daemon Mode = "daemon"      // the nix daemon runs the builds
)

// Nix runs one installation of nix. It is immutable and safe for concurrent use;
// it owns no process or goroutine between calls, so that there is no Close.
type Nix struct {
	opt      Options
	nix      string
	nixStore string
	version  Version
	mode     Mode
	public   string // of SigningKey
	trusted  bool   // a daemon takes every setting from this user, or there is none
	env      []string
}

// Open finds nix, asks for its version, decides who builds and writes the private
// configuration. Errors carry a hint that names the mend: nix is missing or too
// old, there is neither root nor a daemon, or root has no build users.
func Open(ctx context.Context, o Options) (*Nix, error) {
	o = o.withDefaults()
	if !filepath.IsAbs(o.StateDir) {
		return nil, fmt.Errorf("open nix: state directory %q is not an absolute path", o.StateDir)
	}
	n := &Nix{opt: o}
	var err error
	if n.nix, err = lookFor(o.Bin, "nix"); err != nil {
		return nil, err
	}
	if n.nixStore, err = lookFor(o.Bin, "nix-store"); err != nil {
		return nil, err
	}
	if n.mode, err = decideMode(os.Geteuid(), o.Socket, o.BuildUsersGroup); err != nil {
		return nil, err
	}
	n.trusted = os.Geteuid() == 0
	if o.SigningKey != "" {
		if n.public, err = readKey(o.SigningKey); err != nil {
			return nil, err
		}
	}
	if err := n.configure(); err != nil {
		return nil, err
	}
	if n.version, err = n.askVersion(ctx); err != nil {
		return nil, err
	}
	if !n.version.AtLeast(2, 8) {
		return nil, &SetupError{
			Problem: fmt.Sprintf("nix %s is too old", n.version),
			Mend:    "hop3 needs nix 2.8 or newer: apt-get install nix-bin, or the official installer",
		}
	}
	o.Log.Infof("nix %s, %s", n.version, n.mode)
	return n, nil
}

// Version of the nix that is run.
func (n *Nix) Version() Version { return n.version }

// Mode says who runs the builds.
func (n *Nix) Mode() Mode { return n.mode }

// System is nix's name of this machine's platform, such as x86_64-linux.
func (n *Nix) System() string { return system() }

// WithShell returns a copy that shows the static shell at path to builds as
// /bin/sh. Debian's nix shows none, and node-gyp and npm scripts call it. With a
// daemon and a user that it does not trust, the daemon's own setting holds. In
// the store the shell must be in a directory, "/nix/store/…-busybox/bin/busybox":
// nix cannot show a store path that is a file, and is a build's input too.
func (n *Nix) WithShell(path string) *Nix {
	c := *n
	c.opt.Shell = path
	return &c
}

func (o Options) withDefaults() Options {
	if o.BuildUsersGroup == "" {
		o.BuildUsersGroup = "nixbld"
	}
	if o.Socket == "" {
		o.Socket = cmp.Or(os.Getenv("NIX_DAEMON_SOCKET_PATH"), daemonSocket)
	}
	if o.CAFile == "" {
		o.CAFile = systemCAFile()
	}
	if o.MaxJobs <= 0 {
		o.MaxJobs = runtime.NumCPU()
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Hour
	}
	if o.EvalTimeout <= 0 {
		o.EvalTimeout = 15 * time.Minute
	}
	if o.MaxSilent <= 0 {
		o.MaxSilent = 20 * time.Minute
	}
	if o.MaxLogBytes <= 0 {
		o.MaxLogBytes = 64 << 20
	}
	if o.EvalMemory <= 0 {
		o.EvalMemory = 4 << 30
	}
	if o.Grace <= 0 {
		o.Grace = 5 * time.Second
	}
	if o.Log == nil {
		quiet := logrus.New()
		quiet.SetLevel(logrus.PanicLevel)
		o.Log = quiet
	}
	return o
}

// A SetupError says that this machine cannot build yet, and how to mend that.
type SetupError struct{ Problem, Mend string }

func (e *SetupError) Error() string { return "open nix: " + e.Problem }

// Hint says in one line how to mend it.
func (e *SetupError) Hint() string { return e.Mend }

func lookFor(dir, name string) (string, error) {
	if dir != "" {
		name = filepath.Join(dir, name)
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", &SetupError{
			Problem: fmt.Sprintf("find %s: not installed", filepath.Base(name)),
			Mend:    "apt-get install nix-bin (Debian 12 and newer), or the official multi-user installer",
		}
	}
	return path, nil
}

func system() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64-linux"
	case "arm64":
		return "aarch64-linux"
	case "386":
		return "i686-linux"
	}
	return runtime.GOARCH + "-linux"
}
