package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A pushCase is one row of PRODUCT.md section 3: what a git client pushes, what it is told, and what runs afterwards.
type pushCase struct {
	name    string
	prepare func(*matrix)     // nil: a commit that changes the page
	in      string            // folder of the client's repository; "": hello
	push    []string          // arguments of git push; -c settings stand before "--"
	exit    int               //
	says    []string          // expressions that the output of the client fits
	deploys string            // what is deployed then, as the client names it; "": nothing
	refs    map[string]string // other changes of the server's refs: name to what the client calls it, "" for a deletion
}

// A matrix is one server and one app that all rows push to, one after the other.
type matrix struct {
	*bench
	t        *testing.T
	program  string            // git
	refs     map[string]string // that the server must have
	deployed string            // commit
	release  int
	page     string // what is served
	n        int    // last version of the page
}

// TestPushMatrix pushes every row with a real git client: HOP3_GIT names another one than that in the PATH. After each, the exit
// status, the output, the server's refs, the release and the page that is served are what the row says.
func TestPushMatrix(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for _, c := range pushCases() {
		t.Run(c.name, func(t *testing.T) { m.t = t; m.row(c) })
	}
	t.Run("lost connections", func(t *testing.T) { m.t = t; m.loseConnections() })
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	first := firstPort + portsEach*int(worlds.Add(1)-1)
	settings := filepath.Join(t.TempDir(), "server.toml")
	text := fmt.Sprintf("ports = \"%d-%d\"\nmax_push_size = \"1MiB\"\n", first, first+portsEach-1)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &matrix{bench: newBench(t, "--config", settings), t: t, program: "git", refs: map[string]string{}}
	if p := os.Getenv("HOP3_GIT"); p != "" {
		m.program = p
	}
	if err := os.CopyFS(filepath.Join(m.dir, "hello"), os.DirFS("../../examples/static")); err != nil {
		t.Fatal(err)
	}
	m.git("init", "-q")
	m.git("checkout", "-q", "-b", "main")
	m.git("remote", "add", "hop3", "ssh://hop3@"+m.ssh+"/hello")
	m.git("add", "-A")
	m.git("commit", "-q", "-m", "one")
	return m
}

func (m *matrix) row(c pushCase) {
	if c.prepare == nil {
		c.prepare = (*matrix).newPage
	}
	c.prepare(m)
	settings, args := []string{}, c.push
	if i := strings.Index("\x00"+strings.Join(args, "\x00")+"\x00", "\x00--\x00"); i >= 0 {
		n := strings.Count(strings.Join(args, "\x00")[:i], "\x00")
		settings, args = args[:n], args[n+1:]
	}
	for i := range args {
		args[i] = strings.Replace(args[i], "REMOTE/", "ssh://hop3@"+m.ssh+"/", 1)
	}
	in := filepath.Join(m.dir, "hello")
	if c.in != "" {
		in = filepath.Join(m.dir, c.in)
	}
	out, exit := m.client(in, append(append(settings, "push"), args...)...)
	if exit != c.exit {
		m.t.Errorf("exit status %d, want %d", exit, c.exit)
	}
	for _, want := range c.says {
		if !regexp.MustCompile("(?m)" + want).MatchString(out) {
			m.t.Errorf("no %q in the output", want)
		}
	}
	for ref, what := range c.refs {
		delete(m.refs, ref)
		if what != "" {
			m.refs[ref] = m.rev(in, what)
		}
	}
	if c.deploys != "" {
		m.goesLive(in, c.deploys)
	}
	m.check()
	if m.t.Failed() {
		m.t.Log(out)
	}
	if m.deployed != "" { // the next row begins where the server is
		m.git("fetch", "-q", "hop3", "+refs/heads/*:refs/remotes/hop3/*")
		m.git("checkout", "-q", "-f", "-B", "main", m.deployed)
		m.git("clean", "-qffdx")
	}
}

// goesLive notes that a commit of the client in that folder has been deployed.
func (m *matrix) goesLive(in, what string) {
	m.deployed = m.rev(in, what+"^{commit}")
	if _, ok := m.refs["refs/heads/live"]; ok {
		m.refs["refs/heads/live"] = m.deployed
	} else {
		m.refs["refs/heads/main"] = m.deployed
	}
	m.release++
	page, exit := m.client(in, "show", what+":public/index.html")
	if exit != 0 {
		m.t.Fatal(page)
	}
	m.page = page
}

// check compares what the server has and serves with what it must.
func (m *matrix) check() {
	m.t.Helper()
	if now := m.serverRefs(); !maps.Equal(now, m.refs) {
		m.t.Errorf("the server's refs are %v, want %v", now, m.refs)
	}
	if now := m.current(); now != m.release {
		m.t.Errorf("the release is v%d, want v%d", now, m.release)
	}
	if m.release > 0 && m.get() != m.page {
		m.t.Errorf("the page is\n%s\nwant\n%s", m.get(), m.page)
	}
	left, err := filepath.Glob(filepath.Join(m.repo(), "incoming-*"))
	if err != nil || len(left) > 0 {
		m.t.Errorf("left behind: %v, %v", left, err)
	}
}

func (m *matrix) repo() string {
	return filepath.Join(m.bench.dir, "data", "apps", "hello", "repo.git")
}

func (m *matrix) serverRefs() map[string]string {
	refs := map[string]string{}
	if _, err := os.Stat(m.repo()); err != nil {
		return refs
	}
	out, err := exec.Command("git", "--git-dir", m.repo(), "for-each-ref", "--format=%(objectname) %(refname)").Output()
	if err != nil {
		m.t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(name, "refs/hop3/") {
			refs[name] = id
		}
	}
	return refs
}

// current is the number of the live release, 0 for none.
func (m *matrix) current() int {
	b, err := os.ReadFile(filepath.Join(m.bench.dir, "data", "apps", "hello", "app.json"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	var file struct{ App struct{ Current int } }
	if err := errors.Join(err, json.Unmarshal(b, &file)); err != nil {
		m.t.Fatal(err)
	}
	return file.App.Current
}

func (m *matrix) get() string {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+m.http, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	req.Host = "hello.localhost"
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b)
}

// client runs git as a user would, and returns its output and exit status.
func (m *matrix) client(dir string, args ...string) (string, int) {
	m.t.Helper()
	cmd := m.command(dir, args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (m *matrix) command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(m.program, append([]string{"-C", dir, "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME="+m.dir, "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
		"GIT_SSH_COMMAND=ssh "+strings.Join(m.sshOptions(), " "))
	return cmd
}

// git runs git in the app's repository; it must succeed.
func (m *matrix) git(args ...string) string {
	m.t.Helper()
	out, exit := m.client(filepath.Join(m.dir, "hello"), args...)
	if exit != 0 {
		m.t.Fatalf("git %v: %d\n%s", args, exit, out)
	}
	return strings.TrimSpace(out)
}

func (m *matrix) rev(in, what string) string {
	m.t.Helper()
	out, exit := m.client(in, "rev-parse", "--verify", what)
	if exit != 0 {
		m.t.Fatalf("%s: %s", what, out)
	}
	return strings.TrimSpace(out)
}

// write writes a file of the app's repository, or of another one's.
func (m *matrix) write(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.dir, "hello", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		m.t.Fatal(err)
	}
}

// newPage commits a change of the page.
func (m *matrix) newPage() {
	m.n++
	m.write("public/index.html", fmt.Sprintf("version %d\n", m.n))
	m.git("add", "-A")
	m.git("commit", "-q", "-m", fmt.Sprint("version ", m.n))
}

// command of the app over ssh; it must succeed.
func (m *matrix) remote(args ...string) {
	m.t.Helper()
	host, port, _ := strings.Cut(m.ssh, ":")
	m.must(exec.Command("ssh", append(append(m.sshOptions(), "-p", port, "hop3@"+host, "--"), args...)...))
}
