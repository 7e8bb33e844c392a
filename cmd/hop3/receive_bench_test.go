package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"hop3/receive"
	"hop3/sshd"
)

// receiveEnv makes the test binary a server that takes pushes and deploys nothing.
const receiveEnv = "HOP3_BENCH_RECEIVE"

// serveReceive serves with a host key until stdin ends, and prints its address.
func serveReceive(hostKey string) int {
	key, err := sshd.LoadHostKey(hostKey)
	l, lerr := net.Listen("tcp", "127.0.0.1:0")
	if err := errors.Join(err, lerr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	git := receive.Server{Limits: receive.Limits{PackBytes: 4 << 30}}
	srv := sshd.New(sshd.Options{
		HostKey: key, Lookup: func(gossh.PublicKey, net.Addr) (string, error) { return "ann", nil },
		Handle: func(ctx context.Context, c *sshd.Call) int {
			repo, err := receive.Open(c.Args[len(c.Args)-1])
			if err == nil {
				err = git.ReceivePack(ctx, receive.Request{Repo: repo, In: c.In, Out: c.Out})
			}
			if err != nil {
				fmt.Fprintln(c.Err, err)
				return 1
			}
			return 0
		},
	})
	go srv.Serve(l) // ends with the process
	fmt.Println(l.Addr())
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// BenchmarkReceiveSSH pushes repositories of 50 and 500 MB with real git and ssh: to hop3's ssh server and receive, each a
// new process, and in turn to OpenSSH's server and git's own receive-pack with and without its checks. "ratio" is our time
// over that with checks, "ratio-nofsck" over git's defaults. "MiB" is the largest resident size of our server, ssh
// included.
func BenchmarkReceiveSSH(b *testing.B) {
	for _, megabytes := range []int{50, 500} {
		b.Run(fmt.Sprint(megabytes, "MB"), func(b *testing.B) { benchReceive(b, megabytes) })
	}
}

func benchReceive(b *testing.B, megabytes int) {
	w := &receiveBench{b: b, dir: b.TempDir()}
	w.run(exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(w.dir, "key")))
	w.run(exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(w.dir, "host")))
	w.source(megabytes)
	peer, err := w.openssh()
	if err != nil {
		b.Skip(err)
	}
	var ours, checked, plain time.Duration
	memory := 0
	for b.Loop() {
		addr, end := w.hop3()
		ours += w.push(addr, "false")
		memory = max(memory, end())
		checked += w.push(peer, "true")
		plain += w.push(peer, "false")
	}
	b.ReportMetric(float64(ours)/float64(checked), "ratio")
	b.ReportMetric(float64(ours)/float64(plain), "ratio-nofsck")
	b.ReportMetric(ours.Seconds()*1000/float64(b.N), "ms/push")
	b.ReportMetric(float64(memory)/1024, "MiB")
	b.ReportMetric(0, "ns/op")
}

type receiveBench struct {
	b     *testing.B
	dir   string
	count int
}

func (w *receiveBench) run(cmd *exec.Cmd) string {
	w.b.Helper()
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@b",
		"GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@b")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.b.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// source makes a packed repository: most of its objects are text that has a history, and so deltas; most of its bytes are
// those of files that do not compress.
func (w *receiveBench) source(megabytes int) {
	dir := filepath.Join(w.dir, "src")
	w.run(exec.Command("git", "init", "-q", "--bare", "-b", "main", dir))
	in := exec.Command("git", "-C", dir, "fast-import", "--quiet")
	pipe, err := in.StdinPipe()
	if err != nil {
		w.b.Fatal(err)
	}
	done := make(chan string)
	go func() { done <- w.run(in) }()
	out := bufio.NewWriter(pipe)
	r := rand.New(rand.NewPCG(1, 2))
	files := make([][]string, 4000) // by line
	for n := range megabytes * 8 {
		fmt.Fprintf(out, "commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 1\nx\n", 1700000000+n)
		for range 12 {
			i := r.IntN(len(files))
			if files[i] == nil {
				files[i] = make([]string, 300)
			}
			for range 20 {
				files[i][r.IntN(300)] = fmt.Sprintf("	if value%d := compute(%d); value%d != nil {", r.IntN(1000), r.IntN(1e6), r.IntN(1000))
			}
			s := strings.Join(files[i], "\n")
			fmt.Fprintf(out, "M 100644 inline d%d/f%d\ndata %d\n%s\n", i%40, i/40, len(s), s)
		}
		noise := make([]byte, 115<<10)
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		fmt.Fprintf(out, "M 100644 inline n%d/f%d\ndata %d\n%s\n\n", n%40, n, len(noise), noise)
	}
	if err := errors.Join(out.Flush(), pipe.Close()); err != nil {
		w.b.Fatal(err)
	}
	<-done
	w.run(exec.Command("git", "-C", dir, "repack", "-adfq", "--depth=50", "--window=10"))
	w.b.Log(w.run(exec.Command("git", "-C", dir, "count-objects", "-vH")))
}

// hop3 starts our server; end stops it and says how much memory it needed at most, in KiB.
func (w *receiveBench) hop3() (addr string, end func() int) {
	exe, err := os.Executable()
	if err != nil {
		w.b.Fatal(err)
	}
	cmd := exec.Command(exe, filepath.Join(w.dir, "host"))
	cmd.Env = append(os.Environ(), receiveEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		w.b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	return lines.Text(), func() int {
		most := highWater(w.b, cmd.Process.Pid)
		in.Close()
		if err := cmd.Wait(); err != nil {
			w.b.Fatal(err)
		}
		return most
	}
}

// highWater is the largest resident size that a process has had, in KiB.
func highWater(b *testing.B, pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	n, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// openssh starts OpenSSH's server, if there is one and it lets us in.
func (w *receiveBench) openssh() (addr string, err error) {
	path, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where it locks itself in; its service makes that
		return "", err
	}
	for _, pam := range []string{"no", "yes"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		addr = l.Addr().String()
		l.Close()
		_, port, _ := net.SplitHostPort(addr)
		config := filepath.Join(w.dir, "sshd-"+pam)
		text := fmt.Sprintf("ListenAddress 127.0.0.1:%s\nHostKey %s/host\nAuthorizedKeysFile %s/key.pub\nStrictModes no\nPidFile none\nPermitRootLogin yes\nUsePAM %s\n",
			port, w.dir, w.dir, pam)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return "", err
		}
		cmd := exec.Command(path, "-D", "-e", "-f", config)
		log, err := cmd.StderrPipe()
		if err := errors.Join(err, cmd.Start()); err != nil {
			return "", err
		}
		w.b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		lines := bufio.NewScanner(log)
		for lines.Scan() && !strings.Contains(lines.Text(), "Server listening") {
		}
		go io.Copy(io.Discard, log) // ends with the server
		if out, err := exec.Command("ssh", append(w.sshArgs(port), "127.0.0.1", "true")...).CombinedOutput(); err == nil {
			return addr, nil
		} else if pam == "yes" {
			return "", fmt.Errorf("sshd lets nobody in: %s", out)
		}
	}
	return addr, nil
}

func (w *receiveBench) sshArgs(port string) []string {
	return []string{"-F", "none", "-p", port, "-i", filepath.Join(w.dir, "key"), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"}
}

// push pushes to a new repository and returns how long that took.
func (w *receiveBench) push(addr, fsck string) time.Duration {
	w.b.Helper()
	w.count++
	repo := filepath.Join(w.dir, fmt.Sprint("repo", w.count))
	w.run(exec.Command("git", "init", "-q", "--bare", "-b", "main", repo))
	w.run(exec.Command("git", "-C", repo, "config", "receive.fsckObjects", fsck))
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("git", "-c", "core.sshCommand=ssh "+strings.Join(w.sshArgs(port), " "), "-C", filepath.Join(w.dir, "src"),
		"push", "-q", "ssh://127.0.0.1"+repo, "main")
	start := time.Now()
	w.run(cmd)
	took := time.Since(start)
	if err := os.RemoveAll(repo); err != nil {
		w.b.Fatal(err)
	}
	return took
}
