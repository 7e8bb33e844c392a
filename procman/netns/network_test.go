package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The tests change the routing, the rules and the links of the machine: they
// run in a network namespace of their own, which is the machine to them.
func TestMain(m *testing.M) {
	if os.Geteuid() != 0 || os.Getenv("HOP3_OWN_NETWORK") != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), "HOP3_OWN_NETWORK=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the death signal is that of the thread
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); !ok && err != nil {
		fmt.Fprintln(os.Stderr, "no network namespace can be made here, the tests of package netns are not run:", err)
		os.Exit(0)
	}
	os.Exit(cmd.ProcessState.ExitCode())
}

func needNetworks(t testing.TB) {
	t.Helper()
	if err := mayMakeNetworks(); err != nil {
		t.Skip("this machine cannot give networks to apps: ", err)
	}
}

// A space is a network namespace that a thread holds.
type space struct {
	fd   int
	work chan func()
}

func newSpace(t testing.TB) *space {
	t.Helper()
	s := &space{work: make(chan func())}
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			s.fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		made <- err
		for f := range s.work {
			f()
		}
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(s.work); unix.Close(s.fd) })
	s.do(func() { raise(t, "lo") })
	return s
}

func (s *space) do(f func()) {
	done := make(chan struct{})
	s.work <- func() { defer close(done); f() }
	<-done
}

// dial says how a connection from the space goes: "" for well, and who the
// other side takes it for.
func (s *space) dial(addr string) (how, as string) {
	s.do(func() { how, as = dial(addr) })
	return how, as
}

func dial(addr string) (how, as string) {
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return err.Error(), ""
	}
	defer c.Close()
	b := make([]byte, 100)
	n, _ := c.Read(b) // what it has not read shows
	return "", string(b[:n])
}

// listen answers every connection with the caller's address.
func listen(t testing.TB, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
			fmt.Fprint(c, host)
			c.Close()
		}
	}()
}

func raise(t testing.TB, name string, addrs ...string) {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetUp(l)
	}
	for _, a := range addrs {
		addr, perr := netlink.ParseAddr(a)
		if perr != nil {
			t.Fatal(perr)
		}
		addr.Flags = unix.IFA_F_NODAD
		if addr.IP.To4() != nil {
			addr.Flags = 0
		}
		if err == nil {
			err = netlink.AddrAdd(l, addr)
		}
	}
	if err != nil {
		t.Fatalf("raise %s: %v", name, err)
	}
}

const (
	machineAddr = "203.0.113.1"
	outsideAddr = "203.0.113.2"
	metadata    = "169.254.169.254"
)

// outside makes the world that the machine is connected to.
func outside(t testing.TB) *space {
	t.Helper()
	needNetworks(t)
	s := newSpace(t)
	a := netlink.NewLinkAttrs()
	a.Name, a.MTU = "up0", 1400
	v := netlink.NewVeth(a)
	v.PeerName, v.PeerNamespace, v.PeerMTU = "out0", netlink.NsFd(s.fd), 1400
	if err := netlink.LinkAdd(v); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { netlink.LinkDel(v) })
	raise(t, "lo")
	raise(t, "up0", machineAddr+"/24", "fd00:1::1/64")
	s.do(func() {
		raise(t, "out0", outsideAddr+"/24", "fd00:1::2/64")
		raise(t, "lo", metadata+"/32", "198.51.100.7/32")
		for _, a := range []string{outsideAddr + ":80", outsideAddr + ":5432", outsideAddr + ":53", metadata + ":80", "198.51.100.7:443", "[fd00:1::2]:80"} {
			listen(t, a)
		}
	})
	for _, gw := range []string{outsideAddr, "fd00:1::2"} {
		if err := netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(gw)}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func open(t testing.TB, rule string, o Options) *Network {
	t.Helper()
	r, err := ParseRule(strings.Fields(rule))
	if err != nil {
		t.Fatal(err)
	}
	o.Rule = r
	if o.Data == "" {
		o.Data = t.TempDir()
	}
	if len(o.DNS) == 0 {
		o.DNS = []netip.Addr{netip.MustParseAddr(outsideAddr)}
	}
	n, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dropTable(n.id) })
	return n
}

// instance is a space that is attached.
func instance(t testing.TB, n *Network) (s *space, addr string) {
	t.Helper()
	s = newSpace(t)
	if err := n.attach(s.fd); err != nil {
		t.Fatal(err)
	}
	s.do(func() {
		l, err := netlink.LinkByName(insideName)
		if err != nil {
			t.Fatal(err)
		}
		addrs, err := netlink.AddrList(l, netlink.FAMILY_V4)
		if err != nil || len(addrs) != 1 || l.Attrs().MTU != 1400 {
			t.Fatalf("link of instance: %v %v mtu %d", addrs, err, l.Attrs().MTU)
		}
		addr = addrs[0].IP.String()
		listen(t, "0.0.0.0:8080")
	})
	return s, addr
}

// check dials from a place and compares: "" is refused, else who is seen.
func check(t *testing.T, from string, dial func(string) (string, string), to, want string) {
	t.Helper()
	how, as := dial(to)
	if (how == "") != (want != "") || as != want {
		t.Errorf("from %s to %s: %q as %q, want %q", from, to, how, as, want)
	}
}

func TestNetwork_Open(t *testing.T) {
	world := outside(t)
	n := open(t, "open", Options{})
	a, addrA := instance(t, n)
	_, addrB := instance(t, n)
	listen(t, "0.0.0.0:2222")
	listen(t, "0.0.0.0:80")
	if err := n.Public(80); err != nil {
		t.Fatal(err)
	}
	check(t, "instance", a.dial, outsideAddr+":80", machineAddr) // translated
	check(t, "instance", a.dial, "198.51.100.7:443", machineAddr)
	check(t, "instance", a.dial, metadata+":80", "")
	check(t, "instance", a.dial, machineAddr+":2222", "")
	check(t, "instance", a.dial, machineAddr+":80", addrA) // the router
	check(t, "instance", a.dial, addrB+":8080", "")
	check(t, "instance", a.dial, "127.0.0.1:8080", "127.0.0.1")
	check(t, "instance", a.dial, "127.0.0.1:2222", "")
	check(t, "machine", dial, addrA+":8080", "")
	check(t, "machine", dial, outsideAddr+":80", machineAddr)
	world.do(func() {
		if err := netlink.RouteAdd(&netlink.Route{Dst: ipNet(pool4), Gw: net.ParseIP(machineAddr)}); err != nil {
			t.Fatal(err)
		}
	})
	check(t, "outside", world.dial, addrA+":8080", "")
	if !enabled(forward4) {
		t.Error("nothing is forwarded")
	}
	if got := n.Resolv(); got != "nameserver "+outsideAddr+"\n" {
		t.Errorf("resolv.conf: %q", got)
	}
	if p := n.Problems(); len(p) != 0 {
		t.Errorf("problems: %v", p)
	}
}

func TestNetwork_List(t *testing.T) {
	outside(t)
	n := open(t, outsideAddr+":5432 198.51.100.0/24", Options{})
	a, _ := instance(t, n)
	listen(t, "0.0.0.0:80")
	if err := n.Public(80); err != nil {
		t.Fatal(err)
	}
	check(t, "instance", a.dial, outsideAddr+":5432", machineAddr)
	check(t, "instance", a.dial, "198.51.100.7:443", machineAddr)
	check(t, "instance", a.dial, outsideAddr+":80", "")
	check(t, "instance", a.dial, outsideAddr+":53", machineAddr) // the name server
	check(t, "instance", a.dial, machineAddr+":80", "")
}

// An instance that an earlier, open server attached is cut off by a closed one.
func TestNetwork_Closed(t *testing.T) {
	outside(t)
	data := t.TempDir()
	before := open(t, "open", Options{Data: data})
	old, _ := instance(t, before)
	check(t, "instance", old.dial, outsideAddr+":80", machineAddr)
	n := open(t, "closed", Options{Data: data})
	check(t, "old instance", old.dial, outsideAddr+":80", "")
	s := newSpace(t)
	if err := n.attach(s.fd); err == nil { // what Attach never does
		check(t, "instance", s.dial, outsideAddr+":80", "")
	}
	if err := n.Attach(os.Getpid()); err != nil {
		t.Error(err)
	}
}

func TestNetwork_IPv6(t *testing.T) {
	outside(t)
	if err := os.WriteFile(forward6, []byte("1"), 0); err != nil {
		t.Skip("this kernel has no IPv6: ", err)
	}
	defer os.WriteFile(forward6, []byte("0"), 0)
	a, _ := instance(t, open(t, "open", Options{}))
	check(t, "instance", a.dial, "[fd00:1::2]:80", "fd00:1::1")
	check(t, "instance", a.dial, "[fd00:1::1]:2222", "")
}

// A machine that routed for nobody before hop3 does so for nobody else after it.
func TestNetwork_Guard(t *testing.T) {
	outside(t)
	if err := os.WriteFile(forward4, []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	for range 2 { // a restart must not forget it
		open(t, "open", Options{Data: data})
	}
	stranger := newSpace(t)
	a := netlink.NewLinkAttrs()
	a.Name = "lan0"
	v := netlink.NewVeth(a)
	v.PeerName, v.PeerNamespace = "eth0", netlink.NsFd(stranger.fd)
	if err := netlink.LinkAdd(v); err != nil {
		t.Fatal(err)
	}
	defer netlink.LinkDel(v)
	raise(t, "lan0", "192.168.7.1/24")
	stranger.do(func() {
		raise(t, "eth0", "192.168.7.2/24")
		if err := netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP("192.168.7.1")}); err != nil {
			t.Fatal(err)
		}
		c, err := net.DialTimeout("tcp", outsideAddr+":80", 200*time.Millisecond) // there is no answer to await
		if err == nil {
			c.Close()
			t.Error("a stranger's packets were forwarded")
		}
	})
}

// Two servers on one machine have tables, names and addresses of their own.
func TestNetwork_TwoServers(t *testing.T) {
	outside(t)
	one, two := open(t, "open", Options{}), open(t, "open", Options{})
	two.next.Store(one.next.Load())
	a, addrA := instance(t, one)
	b, addrB := instance(t, two)
	if addrA == addrB {
		t.Fatalf("both are %s", addrA)
	}
	check(t, "instance", a.dial, outsideAddr+":80", machineAddr)
	check(t, "instance", b.dial, outsideAddr+":80", machineAddr)
	check(t, "instance", a.dial, addrB+":8080", "")
	if err := one.Close(); err != nil || !tableThere(t, one.id) {
		t.Errorf("closed with an instance: %v", err)
	}
}

func tableThere(t *testing.T, id string) bool {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		t.Fatal(err)
	}
	for _, tb := range tables {
		if tb.Name == id {
			return true
		}
	}
	return false
}

// What a server leaves is removed by itself, or by the next one once its folder is gone.
func TestNetwork_LeavesNothing(t *testing.T) {
	outside(t)
	n := open(t, "open", Options{})
	n.guard = true // as where it has turned forwarding on
	if err := n.Close(); err != nil || tableThere(t, n.id) || enabled(forward4) {
		t.Errorf("closed: %v, forwarding %v", err, enabled(forward4))
	}
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	dead := open(t, "open", Options{Data: data})
	living := open(t, "open", Options{})
	if err := os.Remove(data); err != nil {
		t.Fatal(err)
	}
	open(t, "open", Options{})
	if tableThere(t, dead.id) || !tableThere(t, living.id) {
		t.Error("the sweep took the wrong table, or none")
	}
	if left, err := links(living.id); err != nil || left > 1 { // that of Open's attempt goes when the kernel gets to it
		t.Errorf("%d links, %v", left, err)
	}
}

func TestNetwork_OtherFirewall(t *testing.T) {
	outside(t)
	n := open(t, "open", Options{})
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	policy := nftables.ChainPolicyDrop
	tb := c.AddTable(&nftables.Table{Name: "other", Family: nftables.TableFamilyIPv4})
	c.AddChain(&nftables.Chain{Name: "FORWARD", Table: tb, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter, Policy: &policy})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	defer func() { c.DelTable(tb); c.Flush() }()
	if p := n.Problems(); len(p) != 1 || !strings.Contains(p[0].Error(), "table other, chain FORWARD") || p[0].Hint() == "" {
		t.Errorf("problems: %v", p)
	}
}

func BenchmarkAttach(b *testing.B) {
	outside(b)
	n := open(b, "open", Options{})
	for b.Loop() {
		b.StopTimer()
		s := newSpace(b)
		b.StartTimer()
		if err := n.attach(s.fd); err != nil {
			b.Fatal(err)
		}
	}
}
