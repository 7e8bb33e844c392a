package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"hop3/detect"
	"hop3/internal/config"
	"hop3/internal/deploy"
	"hop3/internal/state"
	"hop3/nixtmpl"
	"hop3/nixtmpl/nix"
)

// directory parses args and opens the one folder that they may name, "." else.
func directory(set *pflag.FlagSet, args []string) (string, error) {
	set.Usage = func() {}
	if err := set.Parse(args); err != nil {
		return "", asUsage(set, err)
	}
	dir := "."
	switch set.NArg() {
	case 0:
	case 1:
		dir = set.Arg(0)
	default:
		return "", &usageError{fmt.Sprintf("%s takes one folder", set.Name()), "see: hop3 " + set.Name() + " --help"}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("open the folder: %w", err)
	}
	if !info.IsDir() {
		return "", &usageError{dir + " is not a folder", "name the folder of the app's code"}
	}
	return filepath.Abs(dir)
}

// detectDir prints what stack a folder is. It runs nothing.
func detectDir(_ context.Context, args []string, io stdio) error {
	set := pflag.NewFlagSet("detect", pflag.ContinueOnError)
	asJSON := set.Bool("json", false, "answer as one JSON document")
	explain := set.Bool("explain", false, "show winners and losers with their evidence")
	dir, err := directory(set, args)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // nothing outside of the folder is read
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read
	plan, err := detect.Detect(root.FS())
	if err != nil {
		if *asJSON {
			_, werr := io.out.Write(detect.ErrorJSON(err))
			return errors.Join(werr, &told{exitFailed})
		}
		return err
	}
	var text []byte
	switch {
	case *asJSON:
		if text, err = plan.JSON(); err != nil {
			return err
		}
	case *explain:
		text = []byte(detect.Explain(plan))
	default:
		text = []byte(strings.Join(deploy.Summary(plan), "\n") + "\n")
	}
	_, err = io.out.Write(text)
	return err
}

// flakeDir prints the flake.nix that a push of the folder would build.
func flakeDir(ctx context.Context, args []string, io stdio) error {
	set := pflag.NewFlagSet("flake", pflag.ContinueOnError)
	c := localConfig(set)
	dir, err := directory(set, args)
	if err != nil {
		return err
	}
	plan, err := detectPlan(dir)
	if err != nil {
		return err
	}
	t, err := openToolchains(ctx, *c, "", quietLog(io.err))
	if err != nil {
		return err
	}
	o := t.builder.Options(appNameOf(ctx, dir))
	if o.Hashes, err = t.builder.KnownHashes(plan, o); err != nil {
		return err
	}
	flake, err := nixtmpl.Render(plan, o)
	if err != nil {
		return err
	}
	_, err = io.out.Write(flake)
	return err
}

// buildDir builds a folder as a push would and prints the store path on stdout.
func buildDir(ctx context.Context, args []string, stdio stdio) error {
	set := pflag.NewFlagSet("build", pflag.ContinueOnError)
	c := localConfig(set)
	verbose := set.Bool("verbose", false, "show nix's whole log")
	dir, err := directory(set, args)
	if err != nil {
		return err
	}
	plan, err := detectPlan(dir)
	if err != nil {
		return err
	}
	t, err := openToolchains(ctx, *c, "", quietLog(stdio.err))
	if err != nil {
		return err
	}
	built, err := buildFolder(ctx, t, dir, plan, *verbose, stdio.err)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdio.out, built.Out)
	return err
}

// copyForBuild copies what a push of dir would carry to where a flake can be written. done removes it.
func copyForBuild(ctx context.Context, dir string, plan detect.Plan) (r nixtmpl.Request, done func(), err error) {
	work, err := os.MkdirTemp("", "hop3-build-")
	if err != nil {
		return r, nil, fmt.Errorf("make a folder to build in: %w", err)
	}
	done = func() { os.RemoveAll(work) } //nolint:errcheck // a temporary folder
	r = nixtmpl.Request{Plan: plan, Name: appNameOf(ctx, dir), Source: filepath.Join(work, "source"), Work: filepath.Join(work, "flake")}
	if err = copyTree(ctx, dir, r.Source); err == nil {
		err = os.Mkdir(r.Work, 0o700)
	}
	if err != nil {
		done()
		return r, nil, fmt.Errorf("copy the folder: %w", err)
	}
	return r, done, nil
}

// tellTail shows the end of the step that failed.
func tellTail(w io.Writer, err error) {
	var failed *nix.BuildError
	if errors.As(err, &failed) {
		for _, line := range failed.Tail {
			_, _ = fmt.Fprintf(w, " !       %s\n", line) // a user that cannot be told has gone
		}
	}
}

// localConfig adds the flags of commands that build on this machine.
func localConfig(set *pflag.FlagSet) *config.Config {
	c := config.Default()
	set.StringVar(&c.Packages, "packages", "", "where toolchains come from: nixpkgs or debian")
	set.StringVar(&c.Nixpkgs, "nixpkgs", "", "flake reference for inputs.nixpkgs")
	set.StringVar(&c.Data, "data", userData(), "folder of the package set and of nix's settings")
	return &c
}

// appNameOf is the app that dir is pushed to, as its name is part of the store path. A folder without such a remote gives its
// own name.
func appNameOf(ctx context.Context, dir string) string {
	// Below the top of a repository a folder is not what is pushed.
	if at := gitSays(ctx, "-C", dir, "remote", "get-url", "--", remoteName()); at != "" && gitSays(ctx, "-C", dir, "rev-parse", "--show-prefix") == "" {
		if _, app, err := sshTarget(at); err == nil && state.CheckAppName(app) == nil {
			return app
		}
	}
	name := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, filepath.Base(dir)), "-")
	if state.CheckAppName(name) != nil {
		return "app"
	}
	return name
}

// copyTree copies what a push would carry: in a git repository the files that
// git tracks or would add, for what is ignored may be secret and the store can
// be read by all; elsewhere everything. Links stay links.
func copyTree(ctx context.Context, from, to string) error {
	cmd := exec.CommandContext(ctx, "git", "-C", from, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list, err := cmd.Output()
	if err != nil { // no repository, or no git
		return copyAll(from, to)
	}
	root, err := os.OpenRoot(from)
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		target := filepath.Join(to, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := copyEntry(root, name, target); err != nil && !errors.Is(err, fs.ErrNotExist) { // removed, not yet committed
			return err
		}
	}
	return nil
}

func copyEntry(root *os.Root, name, target string) error {
	info, err := root.Lstat(name)
	switch {
	case err != nil:
		return err
	case info.Mode().Type() == fs.ModeSymlink:
		link, err := root.Readlink(name)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	case !info.Mode().IsRegular():
		return nil // a submodule's folder; sockets and devices are no code
	}
	return copyFile(root, name, target)
}

func copyAll(from, to string) error {
	root, err := os.OpenRoot(from)
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read
	return fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		target := filepath.Join(to, filepath.FromSlash(p))
		switch {
		case err != nil:
			return err
		case d.Name() == ".git" && p != ".":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.Mkdir(target, 0o755)
		}
		return copyEntry(root, p, target)
	})
}

func copyFile(root *os.Root, name, target string) (err error) {
	in, err := root.Open(name)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644|info.Mode().Perm()&0o111)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

func detectPlan(dir string) (detect.Plan, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return detect.Plan{}, fmt.Errorf("open the folder: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read
	return detect.Detect(root.FS())
}

// userData is where a person's own builds keep what they need again.
func userData() string {
	if os.Geteuid() == 0 {
		return config.Default().Data
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "hop3")
	}
	return filepath.Join(dir, "hop3")
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// printVersion prints the versions of hop3, its commit, Go and nix.
func printVersion(ctx context.Context, args []string, io stdio) error {
	set := newFlags("version")
	asJSON := set.Bool("json", false, "answer as one JSON document")
	if err := set.Parse(args); err != nil {
		return asUsage(set, err)
	}
	nixVersion := "none"
	if out, err := exec.CommandContext(ctx, "nix", "--version").Output(); err == nil {
		if v, err := nix.ParseVersion(string(out)); err == nil {
			nixVersion = v.String()
		}
	}
	if *asJSON {
		return json.NewEncoder(io.out).Encode(struct {
			Version int    `json:"version"`
			Hop3    string `json:"hop3"`
			Commit  string `json:"commit"`
			Go      string `json:"go"`
			Nix     string `json:"nix"`
		}{1, version, commit, runtime.Version(), nixVersion})
	}
	_, err := fmt.Fprintf(io.out, "hop3 %s commit %s %s nix %s\n", version, commit, runtime.Version(), nixVersion)
	return err
}
