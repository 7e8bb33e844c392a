package sshd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

func TestLimits_LoginGraceEndsWhateverIsSent(t *testing.T) {
	b := start(t, Options{Limits: Limits{LoginGrace: 200 * time.Millisecond}})
	nc, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		r := bufio.NewReader(nc)
		for {
			if _, err := r.ReadByte(); err != nil {
				return
			}
		}
	}()
	drip := time.NewTicker(20 * time.Millisecond) // a byte now and then moves a deadline
	defer drip.Stop()
	deadline := time.After(patience)
	for {
		select {
		case <-closed:
			return
		case <-drip.C:
			_, _ = nc.Write([]byte("S"))
		case <-deadline:
			t.Fatal("the connection stays")
		}
	}
}

func TestLimits_GraceEndsWithLogin(t *testing.T) {
	b := start(t, Options{})
	if err := open(t, b.client()).Run("exit 0"); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.srv.connections() {
		if c.grace.Stop() {
			t.Error("the timer of the grace still runs")
		}
	}
}

func TestLimits_PreAuthConnections(t *testing.T) {
	b := start(t, Options{Limits: Limits{PreAuth: 3}})
	for i := range 3 {
		if line := greeting(t, b.addr); !strings.HasPrefix(line, "SSH-2.0-hop3") {
			t.Fatalf("connection %d: %q", i, line)
		}
	}
	if line := greeting(t, b.addr); !strings.HasPrefix(line, errTooManyStartups.Error()) {
		t.Errorf("the fourth: %q", line)
	}
}

func TestLimits_PerAddressThenFreeAgain(t *testing.T) {
	b := start(t, Options{Limits: Limits{LimitLoopback: true, PreAuthPerAddr: 2, ConnsPerAddr: 3}})
	clients := []*gossh.Client{b.client(), b.client(), b.client()} // logged in: each leaves its place
	if line := greeting(t, b.addr); !strings.HasPrefix(line, errTooManyConns.Error()) {
		t.Errorf("the fourth: %q", line)
	}
	clients[0].Close()
	awaitSeat(t, b)
}

// awaitSeat returns when the server takes a connection again.
func awaitSeat(t *testing.T, b *rig) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if strings.HasPrefix(greeting(t, b.addr), "SSH-2.0-hop3") {
			return
		}
	}
	t.Error("no place gets free")
}

// greeting is the first line of a new connection, which stays open.
func greeting(t *testing.T, addr string) string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	line, _ := bufio.NewReader(nc).ReadString('\n')
	return line
}

func TestLimits_FailuresBackOff(t *testing.T) {
	b := start(t, Options{Limits: Limits{LimitLoopback: true, FreeFailures: 2, Penalty: time.Hour, PenaltyMax: time.Hour}})
	unknown := signer(t, b.key("unknown", ""))
	known := signer(t, b.key("known", "ann"))
	for range 2 {
		if _, err := b.dial(unknown); err == nil {
			t.Fatal("logged in")
		}
	}
	c, err := b.dial(known) // clears what was
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	for range 3 {
		if _, err := b.dial(unknown); err == nil {
			t.Fatal("logged in")
		}
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if strings.HasPrefix(greeting(t, b.addr), errBackOff.Error()) {
			return
		}
	}
	t.Error("the address is not refused")
}

type addr string

func (a addr) Network() string { return "tcp" }
func (a addr) String() string  { return string(a) }

func TestGate_PenaltyDoublesAndPasses(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := newGate(Limits{FreeFailures: 1}.withDefaults(), func() time.Time { return now })
	remote := addr("192.0.2.1:1234")
	fail := func() {
		t.Helper()
		s, err := g.enter(remote)
		if err != nil {
			t.Fatal(err)
		}
		s.leave(true)
		s.leave(true) // counts once
	}
	fail()
	for _, penalty := range []time.Duration{5, 10, 20, 40, 80, 160, 320, 600, 600} {
		fail()
		now = now.Add(penalty*time.Second - 1)
		if _, err := g.enter(remote); !errors.Is(err, errBackOff) {
			t.Fatalf("penalty %d s: %v", penalty, err)
		}
		if _, err := g.enter(addr("192.0.2.2:1")); err != nil {
			t.Errorf("another address: %v", err)
		}
		now = now.Add(1)
	}
	now = now.Add(time.Hour)
	fail()
	fail()
	now = now.Add(5 * time.Second)
	fail() // it began anew
}

func TestGate_GroupsAddresses(t *testing.T) {
	g := newGate(Limits{}.withDefaults(), time.Now)
	for remote, want := range map[string]string{
		"192.0.2.1:22":              "192.0.2.1/32",
		"[::ffff:192.0.2.1]:22":     "192.0.2.1/32",
		"[2001:db8:1:2:3:4:5:6]:22": "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1]:22": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:22":         "fe80::/64",
		"127.0.0.1:22":              "invalid Prefix",
		"[::1]:22":                  "invalid Prefix",
		"@":                         "invalid Prefix",
	} {
		if got := g.group(addr(remote)).String(); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

func TestGate_ForgetsBeyondItsMemory(t *testing.T) {
	g := newGate(Limits{}.withDefaults(), time.Now)
	for i := range maxOffenders + 100 {
		s, err := g.enter(addr(fmt.Sprintf("10.0.%d.%d:1", i/256, i%256)))
		if err != nil {
			t.Fatal(err)
		}
		s.leave(true)
	}
	if len(g.offenders) > maxOffenders || len(g.addrs) != 0 || g.preAuth != 0 {
		t.Errorf("%d offenders, %d addresses, %d before login", len(g.offenders), len(g.addrs), g.preAuth)
	}
}

func TestKeepAlive_ClosesAPeerThatIsGone(t *testing.T) {
	ended := make(chan error, 1)
	b := start(t, Options{
		Limits: Limits{KeepAlive: 20 * time.Millisecond, KeepAliveMisses: 2},
		Handle: func(ctx context.Context, _ *Call) int {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return 0
		},
	})
	nc, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	conn, chans, _, err := gossh.NewClientConn(nc, b.addr, &gossh.ClientConfig{
		Auth:            []gossh.AuthMethod{gossh.PublicKeys(signer(t, b.key("id", "ann")))},
		HostKeyCallback: gossh.FixedHostKey(b.host.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	mute := make(chan *gossh.Request) // closed, and the questions go nowhere
	close(mute)
	c := gossh.NewClient(conn, chans, mute)
	if err := open(t, c).Start("wait"); err != nil {
		t.Fatal(err)
	}
	if cause := within(t, ended, "the end of the call"); cause != ErrClientGone {
		t.Errorf("cause %v", cause)
	}
}

func TestKeepAlive_LeavesASilentBuildAlone(t *testing.T) {
	const every = 20 * time.Millisecond
	b := start(t, Options{
		Limits: Limits{KeepAlive: every, KeepAliveMisses: 1000},
		Handle: func(ctx context.Context, _ *Call) int {
			select {
			case <-ctx.Done():
				return 1
			case <-time.After(20 * every): // the case is about time that passes
				return 0
			}
		},
	})
	if got := run(t, b.openssh([]string{b.key("id", "ann")}, "127.0.0.1", "build")); got.code != 0 {
		t.Errorf("got %+v", got)
	}
}
