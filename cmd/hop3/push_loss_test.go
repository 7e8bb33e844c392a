package main

import (
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// lostConnections is how many pushes lose theirs; HOP3_SEEDS says another number.
const lostConnections = 5

// loseConnections pushes over connections that break after a number of bytes that the seed decides. Whenever that is, status 0
// means that the page is served, the branch is where the page is, and the next push works and leaves nothing behind.
func (m *matrix) loseConnections() {
	n := lostConnections
	if s, err := strconv.Atoi(os.Getenv("HOP3_SEEDS")); err == nil {
		n = s
	}
	m.newPage()
	whole := m.pushThrough(1<<40, 1<<40) // as much as a whole push takes
	if whole.exit != 0 {
		m.t.Fatal(whole.out)
	}
	m.goesLive(filepath.Join(m.dir, "hello"), "HEAD")
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 0))
		up, down := int64(1<<40), int64(1<<40)
		if seed%2 == 0 {
			up = r.Int64N(whole.up)
		} else {
			down = r.Int64N(whole.down)
		}
		m.newPage()
		lost := m.pushThrough(up, down)
		if lost.exit == 0 && (m.get() != m.file("HEAD") || m.current() <= m.release) {
			m.t.Errorf("seed %d: status 0, and the page is %q, v%d\n%s", seed, m.get(), m.current(), lost.out)
		}
		if !eventually(func() bool { return m.get() == m.file(m.serverRefs()["refs/heads/live"]) }) {
			m.t.Errorf("seed %d: the branch is at %v and the page is %q", seed, m.serverRefs(), m.get())
		}
		if out, exit := m.client(filepath.Join(m.dir, "hello"), "push", "hop3", "main:live"); exit != 0 {
			m.t.Errorf("seed %d: the next push: %d\n%s", seed, exit, out)
		}
		m.deployed = m.rev(filepath.Join(m.dir, "hello"), "HEAD")
		m.refs["refs/heads/live"], m.page, m.release = m.deployed, m.file("HEAD"), m.current()
		if !eventually(func() bool {
			left, err := filepath.Glob(filepath.Join(m.repo(), "incoming-*"))
			return err == nil && len(left) == 0
		}) {
			m.t.Errorf("seed %d: a quarantine is left", seed)
		}
		m.check()
		if m.t.Failed() {
			m.t.Fatalf("seed %d, after %d bytes up or %d down:\n%s", seed, up, down, lost.out)
		}
	}
	if out, exit := m.client(m.repo(), "fsck", "--strict"); exit != 0 {
		m.t.Error(out)
	}
}

func (m *matrix) file(commit string) string { return m.git("show", commit+":public/index.html") + "\n" }

// through is what became of a push, and how many bytes passed.
type through struct {
	out      string
	exit     int
	up, down int64
}

// pushThrough pushes over a connection that ends after so many bytes to the server, or so many from it.
func (m *matrix) pushThrough(up, down int64) through {
	m.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	var passed [2]atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		client, err := l.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", m.ssh)
		if err != nil {
			return
		}
		defer server.Close()
		done := make(chan struct{}, 2)
		pass := func(to, from net.Conn, most int64, n *atomic.Int64) {
			copied, _ := io.Copy(to, io.LimitReader(from, most)) // ends with either side, or at its limit
			n.Store(copied)
			done <- struct{}{}
		}
		go pass(server, client, up, &passed[0])
		go pass(client, server, down, &passed[1])
		<-done
		client.Close()
		server.Close()
		<-done
	})
	var t through
	t.out, t.exit = m.client(filepath.Join(m.dir, "hello"), "push", strings.Replace("ssh://hop3@ADDR/hello", "ADDR", l.Addr().String(), 1), "main:live")
	l.Close()
	wg.Wait()
	t.up, t.down = passed[0].Load(), passed[1].Load()
	return t
}
