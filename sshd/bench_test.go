package sshd

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// BenchmarkExec is a whole `ssh host version` with the real client: connect,
// log in, run, end. Reported beside it, from the same run: how many times as
// long it takes without immediate acknowledgements, and with OpenSSH's server
// if that is installed.
func BenchmarkExec(b *testing.B) {
	r := start(b, Options{Handle: func(_ context.Context, c *Call) int {
		fmt.Fprintln(c.Out, "hop3 1")
		return 0
	}})
	key := r.key("id", "ann")
	peers := map[string]func() *exec.Cmd{
		"ours":    func() *exec.Cmd { return r.openssh([]string{key}, "127.0.0.1", "version") },
		"delayed": delayed(b, r, key),
	}
	if other := opensshServer(b, r, key, "true"); other != nil {
		peers["openssh"] = other
	}
	took := map[string]time.Duration{}
	best := time.Hour // on a busy machine the mean is mostly its neighbours'
	for b.Loop() {
		for name, cmd := range peers {
			c := cmd()
			at := time.Now()
			if out, err := c.CombinedOutput(); err != nil {
				b.Fatalf("%s: %v\n%s", name, err, out)
			}
			t := time.Since(at)
			took[name] += t
			if name == "ours" {
				best = min(best, t)
			}
		}
	}
	b.ReportMetric(float64(took["ours"].Microseconds())/1000/float64(b.N), "ours-ms")
	b.ReportMetric(float64(best.Microseconds())/1000, "ours-best-ms")
	for name, t := range took {
		if name != "ours" {
			b.ReportMetric(float64(t)/float64(took["ours"]), name+"/ours")
		}
	}
}

// delayed makes clients of the same server behind connections whose socket it
// cannot reach.
func delayed(b *testing.B, r *rig, key string) func() *exec.Cmd {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = r.srv.Serve(opaque{l}) }() // ends with the server
	at := &rig{t: b, addr: l.Addr().String(), dir: b.TempDir(), host: r.host}
	return func() *exec.Cmd { return at.openssh([]string{key}, "127.0.0.1", "version") }
}

// opaque is a listener whose connections are no system calls' business.
type opaque struct{ net.Listener }

func (o opaque) Accept() (net.Conn, error) {
	c, err := o.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ net.Conn }{c}, nil
}

// opensshServer starts OpenSSH's server, or says why not and returns nil.
// Without PAM it is faster, but may not let a user without password in.
func opensshServer(b *testing.B, r *rig, key, command string) func() *exec.Cmd {
	path, err := exec.LookPath("sshd")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/sshd")
	}
	if err != nil {
		b.Log("no sshd to compare with")
		return nil
	}
	var why string
	for _, pam := range []string{"no", "yes"} {
		at := sshd(b, path, r, key, pam)
		cmd := func() *exec.Cmd { return at.openssh([]string{key}, "127.0.0.1", command) }
		out, err := cmd().CombinedOutput()
		if err == nil {
			b.Logf("compared with %s, UsePAM %s", path, pam)
			return cmd
		}
		why = string(out)
	}
	b.Logf("%s lets nobody in: %s", path, why)
	return nil
}

// sshd starts one and returns where it is.
func sshd(b *testing.B, path string, r *rig, key, pam string) *rig {
	dir := b.TempDir()
	if os.Getuid() == 0 { // it gives up its rights there, and does not start where a package's scripts did not make it
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			b.Fatal(err)
		}
	}
	_, port, err := net.SplitHostPort(freeAddr(b))
	if err != nil {
		b.Fatal(err)
	}
	writeFile(b, filepath.Join(dir, "keys"), gossh.MarshalAuthorizedKey(readPub(b, key+".pub")))
	config := filepath.Join(dir, "config")
	writeFile(b, config, []byte("ListenAddress 127.0.0.1:"+port+"\nHostKey "+filepath.Join(r.dir, "host")+
		"\nAuthorizedKeysFile "+dir+"/keys\nStrictModes no\nPidFile none\nPrintMotd no\nPermitRootLogin yes\nUsePAM "+pam+"\n"))
	cmd := exec.Command(path, "-D", "-e", "-f", config)
	log, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.Contains(lines.Text(), "Server listening") {
		b.Log(lines.Text())
	}
	go func() {
		for lines.Scan() { // it must not wait for us
		}
	}()
	return &rig{t: b, addr: "127.0.0.1:" + port, dir: dir, host: r.host}
}

func freeAddr(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// BenchmarkUpload is a 64 MiB push's worth of standard input with the real
// client, beside OpenSSH's server if that is installed.
func BenchmarkUpload(b *testing.B) {
	const size = 64 << 20
	r := start(b, Options{Handle: func(_ context.Context, c *Call) int {
		if n, err := io.Copy(io.Discard, c.In); n != size || err != nil {
			return 1
		}
		return 0
	}})
	key := r.key("id", "ann")
	peers := map[string]func() *exec.Cmd{
		"ours": func() *exec.Cmd { return r.openssh([]string{key}, "127.0.0.1", "cat >/dev/null") },
	}
	if other := opensshServer(b, r, key, "cat >/dev/null"); other != nil {
		peers["openssh"] = other
	}
	data := make([]byte, size)
	took := map[string]time.Duration{}
	for b.Loop() {
		for name, cmd := range peers {
			c := cmd()
			c.Stdin = bytes.NewReader(data)
			at := time.Now()
			if out, err := c.CombinedOutput(); err != nil {
				b.Fatalf("%s: %v\n%s", name, err, out)
			}
			took[name] += time.Since(at)
		}
	}
	b.ReportMetric(float64(size>>20)*float64(b.N)/took["ours"].Seconds(), "ours-MiB/s")
	if t := took["openssh"]; t > 0 {
		b.ReportMetric(float64(t)/float64(took["ours"]), "openssh/ours")
	}
}
