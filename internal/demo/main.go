// The demo command shows hop3 at work: it starts a server, pushes an example
// over real ssh, changes it under load, rolls it back, and leaves the server
// running with the next commands to type. It needs nothing but what .ci/setup
// installs, and removes its folder when it is stopped.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	app     = "hello"
	example = "examples/python-flask"

	// rate is the load under which the change is pushed, in requests per second.
	rate = 200
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo PATH-OF-HOP3, in hop3's source folder")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1]); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// A demo is one run: a folder, a server and a repository.
type demo struct {
	dir      string // of everything
	hop3     string
	ssh      string // address of the server
	http     string
	repo     string
	key      string
	exited   chan error
	signal   func(os.Signal) error
	hostName string
}

func run(ctx context.Context, hop3 string) (err error) {
	hop3, err = filepath.Abs(hop3)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hop3-demo-")
	if err != nil {
		return err
	}
	d := &demo{dir: dir, hop3: hop3, repo: filepath.Join(dir, app), key: filepath.Join(dir, "key"), hostName: app + ".localhost"}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	say("A key, and the offline package set for Python")
	if err := d.command(ctx, dir, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", d.key); err != nil {
		return err
	}
	if err := d.command(ctx, dir, hop3, "packages", "prefetch", "--data", d.data(), "python"); err != nil {
		return err
	}
	if err := d.serve(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.show(ctx); err != nil {
		return err
	}
	d.next()
	select {
	case <-ctx.Done():
		say("Stopping")
		return nil
	case err := <-d.exited:
		d.exited <- err
		return fmt.Errorf("the server ended: %w", err)
	}
}

func (d *demo) data() string { return filepath.Join(d.dir, "data") }

// serve starts the server on free loopback ports and waits for its ready line.
func (d *demo) serve() error {
	say("hop3 serve")
	cmd := exec.Command(d.hop3, "serve", "--data", d.data(), "--ssh", "127.0.0.1:0", "--http", "127.0.0.1:0", "--admin-key", d.key+".pub", "--packages", "debian", "--stop-apps")
	log, err := os.Create(filepath.Join(d.dir, "server.log"))
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has its own
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the demo, which then stops it
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.exited, d.signal = make(chan error, 1), cmd.Process.Signal
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		err := cmd.Wait()
		text, _ := os.ReadFile(log.Name()) // the error says enough without it
		return fmt.Errorf("the server did not start: %w\n%s", err, text)
	}
	go func() { d.exited <- cmd.Wait() }()
	fmt.Println("       " + lines.Text())
	for _, f := range strings.Fields(lines.Text()) {
		k, v, _ := strings.Cut(f, "=")
		switch k {
		case "ssh":
			d.ssh = v
		case "http":
			d.http = v
		}
	}
	if err := d.trust(); err != nil {
		return errors.Join(err, d.stop())
	}
	return nil
}

// trust writes down the server's host key, so that ssh can check it.
func (d *demo) trust() error {
	host, port, err := net.SplitHostPort(d.ssh)
	if err != nil {
		return fmt.Errorf("read the ready line: %w", err)
	}
	key, err := exec.Command("ssh-keygen", "-y", "-f", filepath.Join(d.data(), "host_ed25519")).Output()
	if err != nil {
		return fmt.Errorf("read the host key: %w", err)
	}
	return os.WriteFile(filepath.Join(d.dir, "known_hosts"), fmt.Appendf(nil, "[%s]:%s %s", host, port, key), 0o600)
}

func (d *demo) stop() error {
	if err := d.signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return <-d.exited
}

// show is the story: push, fetch, change under load, roll back.
func (d *demo) show(ctx context.Context) error {
	say("A repository with " + example)
	if err := os.CopyFS(d.repo, os.DirFS(example)); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"remote", "add", "hop3", "ssh://hop3@" + d.ssh + "/" + app},
		{"add", "-A"},
		{"-c", "user.name=Demo", "-c", "user.email=demo@example.com", "commit", "-q", "-m", "Say hello"},
	} {
		if err := d.command(ctx, d.repo, "git", args...); err != nil {
			return err
		}
	}
	say("git push hop3 main")
	if err := d.command(ctx, d.repo, "git", "push", "hop3", "main"); err != nil {
		return err
	}
	before, err := d.page(ctx)
	if err != nil {
		return err
	}
	if err := d.change(ctx); err != nil {
		return err
	}
	say("ssh hop3 rollback " + app)
	if err := d.command(ctx, d.dir, "ssh", append(d.sshArgs(), "rollback", app)...); err != nil {
		return err
	}
	after, err := d.page(ctx)
	if err != nil {
		return err
	}
	if after != before {
		return fmt.Errorf("after the rollback the page is %q, was %q", after, before)
	}
	return nil
}

// change pushes a one-line change while requests come in.
func (d *demo) change(ctx context.Context) error {
	say(fmt.Sprintf("A one-line change, pushed under %d requests per second", rate))
	file := filepath.Join(d.repo, "app.py")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	changed := strings.Replace(string(text), "version 1", "version 2", 1)
	if changed == string(text) {
		return fmt.Errorf("%s has no line to change", example)
	}
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		return err
	}
	if err := d.command(ctx, d.repo, "git", "-c", "user.name=Demo", "-c", "user.email=demo@example.com", "commit", "-q", "-a", "-m", "Say version 2"); err != nil {
		return err
	}
	load := startLoad(d.client(), d.request)
	err = d.command(ctx, d.repo, "git", "push", "hop3", "main")
	done, failed := load.stop()
	if err != nil {
		return err
	}
	fmt.Printf("       %d requests while it was pushed, %d failed\n", done, failed)
	if failed > 0 || done == 0 {
		return errors.New("requests failed during the change")
	}
	_, err = d.page(ctx)
	return err
}

// client reaches the router whatever name is asked for.
func (d *demo) client() *http.Client {
	dialer := &net.Dialer{}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, d.http)
		},
	}}
}

func (d *demo) url() string {
	_, port, err := net.SplitHostPort(d.http)
	if err != nil {
		return "http://" + d.hostName
	}
	return "http://" + net.JoinHostPort(d.hostName, port) + "/"
}

func (d *demo) request(ctx context.Context) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodGet, d.url(), nil)
}

// page fetches the app's page and shows it.
func (d *demo) page(ctx context.Context) (string, error) {
	req, err := d.request(ctx)
	if err != nil {
		return "", err
	}
	res, err := d.client().Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s", d.url(), res.Status)
	}
	say("curl " + d.url())
	fmt.Printf("       %s\n", strings.TrimSpace(string(body)))
	return string(body), nil
}

func (d *demo) sshArgs() []string {
	host, port, _ := net.SplitHostPort(d.ssh) // trust has read it already
	return []string{"-F", "none", "-i", d.key, "-o", "IdentitiesOnly=yes", "-o", "UserKnownHostsFile=" + filepath.Join(d.dir, "known_hosts"), "-o", "LogLevel=ERROR", "-p", port, "hop3@" + host}
}

// command runs a program with its output indented.
func (d *demo) command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out := &indent{w: os.Stdout}
	cmd.Stdout, cmd.Stderr = out, out
	if d.ssh != "" {
		ssh := d.sshArgs()
		cmd.Env = append(os.Environ(), "GIT_SSH_COMMAND=ssh "+strings.Join(ssh[:len(ssh)-3], " "))
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return nil
}

// next prints what to type now.
func (d *demo) next() {
	ssh := "ssh " + strings.Join(d.sshArgs(), " ")
	say("It runs until Ctrl-C. In another terminal:")
	fmt.Printf(`       curl %s
       %s help
       %s ps %s
       %s logs %s
       tail -f %s/server.log
       cd %s   # change app.py, commit, and:
       GIT_SSH_COMMAND='%s' git push hop3 main
`, d.url(), ssh, ssh, app, ssh, app, d.dir, d.repo, strings.TrimSuffix(ssh, " "+d.sshArgs()[len(d.sshArgs())-1]))
}

func say(what string) { fmt.Printf("\n==> %s\n", what) }
