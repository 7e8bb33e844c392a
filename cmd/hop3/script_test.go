package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hop3/internal/screen"
	"hop3/procman/netns"
	"hop3/procman/shim"
)

func TestMain(m *testing.M) {
	if code, ok := shim.Reexec(); ok {
		os.Exit(code)
	}
	if os.Getenv(receiveEnv) != "" {
		os.Exit(serveReceive(os.Args[1]))
	}
	testscript.Main(m, map[string]func(){"hop3": main})
}

// TestScript drives the real program with real git, ssh, nix and HTTP. The
// commands that a script has beside testscript's own are those of world.
func TestScript(t *testing.T) { runScripts(t, "testdata/script") }

func runScripts(t *testing.T, dir string) {
	for _, tool := range []string{"nix", "git", "ssh", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%v; install it: make setup", err)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup:               setup,
		Condition: func(cond string) (bool, error) {
			if cond != "private" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return private(), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server":  serverCmd,
			"store":   storeCmd,
			"metrics": metricsCmd,
			"end":     endCmd,
			"upgrade": upgradeCmd,
			"install": installCmd,
			"user":    userCmd,
			"ssh":     sshCmd,
			"git":     gitCmd,
			"code":    codeCmd,
			"example": exampleCmd,
			"commit":  commitCmd,
			"get":     getCmd,
			"load":    loadCmd,
			"storm":   stormCmd,
			"keep":    keepCmd,
			"alive":   aliveCmd,
			"replace": replaceCmd,
			"same":    sameCmd,
			"fill":    fillCmd,

			"elsewhere":  elsewhereCmd,
			"background": backgroundCmd,
			"await":      awaitCmd,
			"signal":     signalCmd,
			"join":       joinCmd,
			"until":      untilCmd,
			"gone":       goneCmd,
			"running":    runningCmd,
			"index":      indexCmd,
			"answers":    answersCmd,
			"screen":     screenCmd,
			"transfer":   transferCmd,

			"authority":   authorityCmd,
			"certificate": certificateCmd,
			"https":       httpsCmd,
			"secure":      secureCmd,
		},
	})
}

// A world is what one script has: a data folder, a server, users and code.
type world struct {
	root string
	data string
	code int // exit status of the last ssh or git
	ssh  string
	http string
	user string

	ports int // first port of its apps: servers on one machine must not share them

	store string // a folder that its server has as /nix; "" for the machine's

	server *exec.Cmd
	exited chan error
	load   *scriptLoad
	behind map[string]*background
	index  *httptest.Server

	https string
	ca    *scriptCA

	screen *screen.Screen
}

type worldKey struct{}

// private tells whether this machine can give apps networks of their own.
var private = sync.OnceValue(func() bool {
	_, err := netns.Check(netns.Options{Rule: netns.Rule{Closed: true}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "apps share the machine's network in these tests:", err)
	}
	return err == nil
})

const (
	firstPort = 24000
	portsEach = 200
)

// worlds counts those that were made, for their ports.
var worlds atomic.Int64

func setup(env *testscript.Env) error {
	w := &world{root: env.WorkDir, data: filepath.Join(env.WorkDir, ".data"), user: "admin", ports: firstPort + portsEach*int(worlds.Add(1)-1), behind: map[string]*background{}}
	env.Values[worldKey{}] = w
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		return err
	}
	env.Vars = append(env.Vars,
		"EXAMPLES="+examples, "DATA="+w.data,
		fmt.Sprintf("MARK=9%d%04d", os.Getpid(), w.ports%10000), // a number that no other script has
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com",
	)
	// What the machine's own clients of the package registries are told by
	// their environment reaches the server too.
	for _, k := range []string{"HOME_REAL", "GOPROXY", "GOFLAGS", "GONOSUMDB", "NPM_CONFIG_REGISTRY", "NIX_SSL_CERT_FILE", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy"} {
		if v, ok := os.LookupEnv(k); ok {
			env.Vars = append(env.Vars, k+"="+v)
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		env.Vars = append(env.Vars, "HOME="+home) // npm and go keep their settings there
	}
	env.Defer(w.clean)
	return os.Mkdir(filepath.Join(env.WorkDir, ".keys"), 0o700)
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// key returns the private key of a user, made at first use.
func (w *world) key(ts *testscript.TestScript, user string) string {
	path := filepath.Join(w.root, ".keys", user)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", user, "-f", path).CombinedOutput()
	if err != nil {
		ts.Fatalf("make a key: %v %s", err, out)
	}
	return path
}

// server [-c SETTING]… [FLAG…] starts hop3 serve and waits until it is ready. A SETTING is a line of server.toml.
func serverCmd(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	if neg || w.server != nil {
		ts.Fatalf("one server at a time")
	}
	admin := w.key(ts, "admin")
	ssh, http := w.ssh, w.http // a second start listens where the first did
	if ssh == "" {
		ssh, http = "127.0.0.1:0", "127.0.0.1:0"
	}
	exe := w.program()
	if _, err := os.Stat(exe); err != nil {
		w.install(ts, "hop3")
	}
	file := filepath.Join(w.root, ".server.toml")
	settings := fmt.Sprintf("ports = \"%d-%d\"\n", w.ports, w.ports+portsEach-1)
	if private() && !strings.Contains(strings.Join(args, " "), "outgoing = ") {
		settings += "outgoing = \"closed\"\n" // the tests leave the machine's routing alone
	}
	for ; len(args) > 1 && args[0] == "-c"; args = args[2:] {
		settings += args[1] + "\n"
	}
	ts.Check(os.WriteFile(file, []byte(settings), 0o600))
	cmd := inStore(w.store, exe, append([]string{"serve", "--config", file, "--data", w.data, "--ssh", ssh, "--http", http, "--admin-key", admin + ".pub", "--packages", "debian", "--log-format", "text"}, args...)...)
	cmd.Env = os.Environ()
	log, err := os.OpenFile(filepath.Join(w.root, ".server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		err := cmd.Wait()
		b, _ := os.ReadFile(log.Name())
		ts.Fatalf("the server did not start: %v\n%s", err, b)
	}
	w.server, w.exited = cmd, make(chan error, 1)
	go func() { w.exited <- cmd.Wait() }()
	for _, f := range strings.Fields(lines.Text()) {
		if v, ok := strings.CutPrefix(f, "ssh="); ok {
			w.ssh = v
		}
		if v, ok := strings.CutPrefix(f, "http="); ok {
			w.http = v
		}
	}
	_, err = fmt.Fprintln(ts.Stdout(), lines.Text())
	ts.Check(err)
	_, port, err := net.SplitHostPort(w.http)
	ts.Check(err)
	ts.Setenv("HTTP_PORT", port)
	ts.Setenv("SSH_ADDR", w.ssh)
	w.as(ts, w.user)
}

// end SIGNAL ends the server by that signal and waits until it has ended.
func endCmd(ts *testscript.TestScript, _ bool, args []string) {
	sig := map[string]os.Signal{"-9": syscall.SIGKILL, "-15": syscall.SIGTERM}[args[0]]
	w := worldOf(ts)
	if sig == nil || w.server == nil {
		ts.Fatalf("usage: end -9|-15, with a server running")
	}
	ts.Check(w.server.Process.Signal(sig))
	<-w.exited
	w.server = nil
}

// user NAME chooses whose key ssh and git use from here on.
func userCmd(ts *testscript.TestScript, _ bool, args []string) { worldOf(ts).as(ts, args[0]) }

func (w *world) as(ts *testscript.TestScript, user string) {
	w.user = user
	ts.Setenv("KEY", w.key(ts, user)+".pub")
	ts.Setenv("GIT_SSH_COMMAND", "ssh "+strings.Join(w.sshOptions(ts), " "))
}

func (w *world) sshOptions(ts *testscript.TestScript) []string {
	return []string{"-F", "none", "-i", w.key(ts, w.user), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=" + filepath.Join(w.root, ".known_hosts")}
}

// ssh [-t] [-o OPTION] [-W HOST:PORT] [-in FILE] ARG… calls the server. ! ssh wants a failure; code tells which.
func sshCmd(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	args, stdin := w.sshArgs(ts, args)
	w.command(ts, neg, stdin, "ssh", args)
}

// sshArgs are the arguments of ssh, and its input, for those of a script's ssh.
func (w *world) sshArgs(ts *testscript.TestScript, args []string) ([]string, io.Reader) {
	host, port, err := net.SplitHostPort(w.ssh)
	ts.Check(err)
	options := append(w.sshOptions(ts), "-p", port)
	var stdin io.Reader
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-t":
			options = append(options, "-tt")
			args = args[1:]
		case "-o", "-W":
			options = append(options, args[0], args[1])
			args = args[2:]
		case "-in":
			stdin = strings.NewReader(ts.ReadFile(args[1]))
			args = args[2:]
		default:
			ts.Fatalf("unknown flag %s", args[0])
		}
	}
	return append(append(options, "hop3@"+host, "--"), args...), stdin
}

// git ARG… is git with the user's key.
func gitCmd(ts *testscript.TestScript, neg bool, args []string) {
	worldOf(ts).command(ts, neg, nil, "git", args)
}

// maxCommand ends a script's command that hangs.
const maxCommand = 10 * time.Minute

func (w *world) command(ts *testscript.TestScript, neg bool, stdin io.Reader, name string, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), maxCommand)
	defer cancel()
	cmd := w.prepare(ts, ctx, name, args)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, ts.Stdout(), ts.Stderr()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%s: %v", name, err)
	}
	w.code = cmd.ProcessState.ExitCode()
	if (err != nil) != neg {
		ts.Fatalf("%s %q: %v, the server's log:\n%s", name, args, err, w.log())
	}
}

func (w *world) prepare(ts *testscript.TestScript, ctx context.Context, name string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "GIT_SSH_COMMAND="+ts.Getenv("GIT_SSH_COMMAND"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com")
	return cmd
}

// code N wants the last ssh or git to have ended with N.
func codeCmd(ts *testscript.TestScript, _ bool, args []string) {
	if got := strconv.Itoa(worldOf(ts).code); got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

// example NAME DIR makes a repository of an example, with the remote hop3 of the app DIR.
func exampleCmd(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[1])
	ts.Check(os.CopyFS(dir, os.DirFS(filepath.Join(ts.Getenv("EXAMPLES"), args[0]))))
	commitCmd(ts, false, args[1:])
}

// commit DIR [MESSAGE] commits all of a folder, which becomes a repository if it is none.
func commitCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	dir := ts.MkAbs(args[0])
	in := func(args ...string) { w.command(ts, false, nil, "git", append([]string{"-C", dir}, args...)) }
	if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil {
		in("init", "-q", "-b", "main")
		in("remote", "add", "hop3", "ssh://hop3@"+w.ssh+"/"+filepath.Base(dir))
	}
	in("add", "-A")
	in("commit", "-q", "-m", strings.Join(append(args[1:], "A change"), " "))
}

func (w *world) client() *http.Client {
	dialer := &net.Dialer{}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, w.http)
	}}}
}

// get [STATUS] HOST[/PATH] prints the body of a page, whose status is 200 if nothing else is said.
func getCmd(ts *testscript.TestScript, neg bool, args []string) {
	want := http.StatusOK
	if len(args) == 2 {
		n, err := strconv.Atoi(args[0])
		ts.Check(err)
		want, args = n, args[1:]
	}
	res, err := worldOf(ts).client().Get("http://" + args[0])
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
	if (res.StatusCode != want) != neg {
		ts.Fatalf("GET %s: %s, want %d\n%s\nthe server's log:\n%s", args[0], res.Status, want, body, worldOf(ts).log())
	}
}
