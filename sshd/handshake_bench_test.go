package sshd

import (
	"os/exec"
	"os/user"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// BenchmarkHandshake is connecting and logging in, without a command and without the cost of a client's program; beside it, from
// the same run, the same with OpenSSH's server if that is installed.
func BenchmarkHandshake(b *testing.B) {
	r := start(b, Options{})
	key := r.key("id", "ann")
	addrs := map[string]string{"ours": r.addr}
	if path, err := exec.LookPath("/usr/sbin/sshd"); err == nil {
		addrs["openssh"] = sshd(b, path, r, key, "no").addr
	} else {
		b.Log("no sshd to compare with")
	}
	me, err := user.Current()
	if err != nil {
		b.Fatal(err)
	}
	config := &gossh.ClientConfig{
		User: me.Username, Auth: []gossh.AuthMethod{gossh.PublicKeys(signer(b, key))}, HostKeyCallback: gossh.FixedHostKey(r.host.PublicKey()),
	}
	took, best := map[string]time.Duration{}, map[string]time.Duration{"ours": time.Hour, "openssh": time.Hour}
	for b.Loop() {
		for name, addr := range addrs {
			at := time.Now()
			c, err := gossh.Dial("tcp", addr, config)
			if err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			t := time.Since(at)
			took[name] += t
			best[name] = min(best[name], t)
			if err := c.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(best["ours"].Microseconds())/1000, "ours-best-ms")
	if t, ok := took["openssh"]; ok {
		b.ReportMetric(float64(t)/float64(took["ours"]), "openssh/ours")
		b.ReportMetric(float64(best["openssh"])/float64(best["ours"]), "openssh/ours-best")
	}
}
