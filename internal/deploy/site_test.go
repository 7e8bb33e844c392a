package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"hop3/internal/state"
	"hop3/procman"
	"hop3/procman/proxy"
	"hop3/procman/sandbox"
	"hop3/receive"
)

// testApp is the program that the releases of these tests run, testInit its shim; TestMain builds them.
var testApp, testInit string

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		victim()
	}
	os.Exit(runTests(m))
}

// programsEnv names the folder of the programs where these tests run again, as another user.
const programsEnv = "HOP3_TEST_PROGRAMS"

func runTests(m *testing.M) int {
	dir := os.Getenv(programsEnv)
	if dir == "" {
		made, err := os.MkdirTemp("", "hop3-deploy-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(made)
		dir = made
		build := exec.Command("go", "build", "-o", dir, "../../procman/testdata/app", "hop3/internal/slim/program")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // it runs in a closure without a C library
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build test app: %v\n%s", err, out)
			return 1
		}
	}
	testApp, testInit = filepath.Join(dir, "app"), filepath.Join(dir, "program")
	return m.Run()
}

// A plot is where a site stands: its folder, with the store path of its releases and a repository with their commits.
type plot struct {
	dir     string
	app     string
	init    string // testInit
	ports   procman.PortRange
	commits []string // of v1, v2, v3
	worker  string   // arguments of the program that is the worker
}

// newPlot lays out a plot; the app's name is on no other one.
func newPlot(t testing.TB, n int) plot {
	t.Helper()
	dir, err := os.MkdirTemp("", "hd") // short: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	pl := plot{dir: dir, app: fmt.Sprintf("site%d", n), init: testInit, worker: "worker", ports: procman.PortRange{From: 24000 + 20*n, To: 24019 + 20*n}}
	program, err := os.ReadFile(testApp)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"", "store", "store/app", "store/bin"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, d), 0o755), os.Chmod(filepath.Join(dir, d), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "store/bin/app"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"one", "two", "three"} {
		pl.commits = append(pl.commits, pl.commit(t, v))
	}
	return pl
}

// commit makes a commit in a repository beside the server's.
func (pl plot) commit(t testing.TB, subject string) string {
	repo := filepath.Join(pl.dir, "work.git")
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", repo, "-c", "user.name=ann", "-c", "user.email=ann@example.com"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if err := os.MkdirAll(repo, 0o755); err != nil {
		t.Fatal(err)
	}
	git("init", "-q", "--bare")
	empty := "4b825dc642cb6eb9a060e54bf8d69288fbee4904" // git's empty tree
	if got := git("hash-object", "-t", "tree", "-w", "/dev/null"); got != empty {
		t.Fatalf("the empty tree is %s", got)
	}
	return git("commit-tree", empty, "-m", subject)
}

// A site is a server without its edges: state, pipeline, processes and router, but neither ssh nor nix.
type site struct {
	plot
	p      *Pipeline
	url    string
	served chan error
}

// open starts a site on the plot. Before it takes requests, all is as a start of the server leaves it: Boot's end is awaited
// by booted.
func (pl plot) open(ctx context.Context, fault func(procman.Step) error) (s *site, booted func(), err error) {
	store, err := state.Open(filepath.Join(pl.dir, "data"))
	if err != nil {
		return nil, nil, err
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	if os.Getenv(victimEnv) != "" {
		log.SetOutput(os.Stderr)
	}
	isolation := procman.IsolationRequire
	if sandbox.Support().Isolation == "none" {
		isolation = procman.IsolationNone
	}
	router := proxy.New(proxy.Options{})
	sup := procman.New(procman.Options{Exe: pl.init, Router: router, Ports: pl.ports, Isolation: isolation, Log: log, Fault: fault})
	s = &site{plot: pl, served: make(chan error, 1)}
	s.p = New(Options{Store: store, Supervisor: sup, Router: router, Log: log, Domain: "test", KeepReleases: 20, Builds: 1, Fault: fault})
	s.p.Prepare()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	s.url = "http://" + l.Addr().String()
	booted = s.p.Boot(ctx)
	go func() { s.served <- router.Serve(l) }()
	return s, booted, nil
}

// close ends the site and stops its app.
func (s *site) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s.p.Close()
	return errors.Join(s.p.Supervisor.Close(ctx, true), s.p.Router.Shutdown(ctx), <-s.served, s.p.Store.Close())
}

// create makes the app, whose repository borrows the commits.
func (s *site) create() error {
	if _, err := s.p.Create(s.app, "ann"); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.p.repoDir(s.app), "objects/info/alternates"), []byte(filepath.Join(s.dir, "work.git/objects")+"\n"), 0o600)
}

// push makes v<n> live and moves the branch, as a push does whose build has ended. The workers are the same in all
// releases.
func (s *site) push(ctx context.Context, n int) error {
	store := filepath.Join(s.dir, "store")
	rel := state.Release{
		Ref: "refs/heads/main", Commit: s.commits[n-1], By: "ann", Change: "deploy", StorePath: store, Closure: []string{store},
		Processes: []state.Process{
			{Type: "web", Command: fmt.Sprintf("app web %d", n), StopTimeout: time.Minute},
			{Type: "clock", Command: fmt.Sprintf("app alone %d", n), StopTimeout: time.Minute, Exclusive: true},
			{Type: "worker", Command: "app " + s.worker, StopTimeout: time.Minute},
		},
		Formation: map[string]int{"web": 1, "clock": 1, "worker": 1}, ReleaseCommand: "app note",
		Health: state.Health{Interval: 20 * time.Millisecond}, Watch: -1, StartTimeout: time.Minute,
	}
	r := Request{App: s.app, By: "ann", Talk: NewTalk(io.Discard)}
	app, leave, err := s.p.turn(ctx, r, "a push")
	if err != nil {
		return err
	}
	defer leave()
	if _, err := s.p.activate(ctx, r.Talk, activation{app: s.app, release: rel, config: app.Config, command: true, pushed: true}); err != nil {
		return err
	}
	if err := s.p.at(stepMove); err != nil {
		return err
	}
	repo, err := receive.Open(s.p.repoDir(s.app))
	if err != nil {
		return err
	}
	refs, err := repo.Refs()
	if err != nil {
		return err
	}
	return repo.UpdateRef(rel.Ref, refs[rel.Ref], rel.Commit)
}

// stepMove comes between an activation and the branch's move.
const stepMove procman.Step = "move"
