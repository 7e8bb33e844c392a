package receive_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"hop3/receive"
)

const (
	zero     = "0000000000000000000000000000000000000000"
	mainRef  = "refs/heads/main"
	wireCaps = "report-status side-band-64k agent=raw"
)

func line(format string, args ...any) string {
	s := fmt.Sprintf(format, args...)
	return fmt.Sprintf("%04x%s", len(s)+4, s)
}

// commands makes the part of a push before its pack, from "OLD NEW REF" each.
func commands(caps string, cmds ...string) string {
	var b strings.Builder
	for i, c := range cmds {
		if i == 0 {
			c += "\x00 " + caps
		}
		b.WriteString(line("%s", c))
	}
	return b.String() + "0000"
}

func create(id string) string { return zero + " " + id + " " + mainRef }

// answer is what came back after the advertisement.
type answer struct {
	advertised []string
	report     []string // the lines of report-status
	progress   string
	keepAlives int
	err        error
}

// raw speaks to a server over a pipe. It half-closes only if asked to, as git does and libgit2 does not.
func raw(t *testing.T, h *host, send string, halfClose bool) answer {
	t.Helper()
	client, server := connPair(t)
	done := make(chan error, 1)
	go func() {
		err := h.server.ReceivePack(t.Context(), receive.Request{
			Repo: h.repo, In: server, Out: server, DeployBranch: h.branch, Deploy: h.deploy,
		})
		server.Close()
		done <- err
	}()
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		io.WriteString(client, send) // the server may hang up first: that is what some cases are about
		if halfClose {
			client.CloseWrite()
		}
	}()
	a := parse(t, client)
	if !halfClose {
		client.Close() // the report is here; only now, as a client without half-close does
	}
	<-wrote
	a.err = <-done
	client.Close()
	return a
}

func connPair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// parse reads the advertisement and the report; io.EOF may come at any point.
func parse(t *testing.T, r io.Reader) (a answer) {
	t.Helper()
	for {
		p, flush, err := readLine(r)
		if err != nil {
			return a
		}
		if flush {
			break
		}
		a.advertised = append(a.advertised, p)
	}
	var report bytes.Buffer
	for {
		p, flush, err := readLine(r)
		if err != nil || flush {
			break
		}
		switch {
		case p[0] == 1 && len(p) == 1:
			a.keepAlives++
		case p[0] == 1:
			report.WriteString(p[1:])
		case p[0] == 2:
			a.progress += p[1:]
		default:
			a.report = append(a.report, strings.TrimSuffix(p, "\n")) // no side-band
		}
	}
	for {
		p, flush, err := readLine(&report)
		if err != nil || flush {
			return a
		}
		a.report = append(a.report, strings.TrimSuffix(p, "\n"))
	}
}

func readLine(r io.Reader) (s string, flush bool, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", false, err
	}
	var n int
	if _, err := fmt.Sscanf(string(head[:]), "%04x", &n); err != nil || n == 0 {
		return "", n == 0, err
	}
	b := make([]byte, n-4)
	_, err = io.ReadFull(r, b)
	return string(b), false, err
}

func TestRaw_GoodPushes(t *testing.T) {
	c, objs := app(file("f"))
	push := commands(wireCaps, create(c.id()))
	for name, send := range map[string]string{
		"plain":          push + string(pack(objs...)),
		"no side-band":   commands("report-status", create(c.id())) + string(pack(objs...)),
		"upper case pkt": strings.Replace(push, push[:4], strings.ToUpper(push[:4]), 1) + string(pack(objs...)),
	} {
		for _, half := range []bool{true, false} {
			t.Run(fmt.Sprint(name, half), func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				a := raw(t, h, send, half)
				if a.err != nil || fmt.Sprint(a.report) != "[unpack ok ok refs/heads/main]" {
					t.Errorf("%+v", a)
				}
				h.wantRef(mainRef, c.id())
				h.fsck()
			})
		}
	}
}

// git index-pack is still there for who asks for it.
func TestRaw_GitIngester(t *testing.T) {
	h := newHost(t)
	h.server.Ingester = receive.GitIngester{}
	c, objs := app(file("f"))
	push := commands(wireCaps, create(c.id()))
	if a := raw(t, h, push+string(pack(objs[0], objs[1])), true); !strings.Contains(strings.Join(a.report, "; "), "ng refs/heads/main") {
		t.Errorf("a push without its file: %+v", a)
	}
	if a := raw(t, h, push+string(pack(objs...)), true); a.err != nil || fmt.Sprint(a.report) != "[unpack ok ok refs/heads/main]" {
		t.Errorf("%+v", a)
	}
	h.wantRef(mainRef, c.id())
	h.fsck()
}

func TestRaw_BadPushesLeaveNothing(t *testing.T) {
	for _, c := range badPushes() {
		for _, half := range []bool{true, false} {
			if !half && (c.report == "" || strings.HasSuffix(c.name, "truncated") || c.name == "no pack" || c.name == "half a header" || c.name == "count too high") {
				continue // the server rightly waits for more
			}
			t.Run(fmt.Sprintf("%.40q/%v", c.name, half), func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				h.server.Limits = c.limits
				h.deploy = func(context.Context, *receive.Push) error { t.Error("deployed"); return nil }
				before := snapshot(t, h.repo.Dir())
				a := raw(t, h, c.send, half)
				if got := strings.Join(a.report, "; "); !strings.Contains(got, c.report) || c.report == "" && got != "" {
					t.Errorf("report is %q, want %q", got, c.report)
				}
				if (a.err != nil) != c.fails {
					t.Errorf("error is %v", a.err)
				}
				wantSame(t, h, before)
			})
		}
	}
}

// A client may vanish after any byte.
func TestRaw_EndAtEachPoint(t *testing.T) {
	c, objs := app(file("f"))
	whole := commands(wireCaps+" push-options", create(c.id())) + line("verbose") + "0000" + string(pack(objs...))
	h := newHost(t)
	before := snapshot(t, h.repo.Dir())
	step := 7
	if testing.Short() {
		step = 31
	}
	for n := 1; n < len(whole); n += step {
		if a := raw(t, h, whole[:n], true); a.err == nil && !strings.Contains(strings.Join(a.report, " "), "ng ") {
			t.Errorf("after %d of %d bytes: %+v", n, len(whole), a)
		}
	}
	wantSame(t, h, before)
}

// Nothing is promised that is not implemented.
func TestRaw_Advertisement(t *testing.T) {
	h := newHost(t)
	h.server.Agent = "hop3/1.2 3"
	a := raw(t, h, "0000", true)
	want := zero + " capabilities^{}\x00report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta push-options object-format=sha1 agent=hop3/1.2-3\n"
	if len(a.advertised) != 1 || a.advertised[0] != want {
		t.Errorf("advertised %q", a.advertised)
	}
}

func TestRaw_NoReportAsked(t *testing.T) {
	h := newHost(t)
	c, objs := app(file("f"))
	h.deploy = func(_ context.Context, p *receive.Push) error {
		_, err := io.WriteString(p.Progress, "x\n")
		return err
	}
	for _, caps := range []string{"", "side-band-64k"} {
		a := raw(t, h, commands(caps, create(c.id()))+string(pack(objs...)), true)
		if a.err != nil || a.report != nil {
			t.Errorf("%+v", a)
		}
		if err := h.repo.UpdateRef(mainRef, c.id(), ""); err != nil {
			t.Error(err)
		}
	}
}

func TestRaw_KeepAlive(t *testing.T) {
	h := newHost(t)
	h.server.KeepAlive = 2 * time.Millisecond
	c, objs := app(file("f"))
	release := make(chan struct{})
	h.deploy = func(context.Context, *receive.Push) error { <-release; return nil }
	client, server := connPair(t)
	done := make(chan error, 1)
	go func() {
		done <- h.server.ReceivePack(t.Context(), receive.Request{Repo: h.repo, In: server, Out: server, Deploy: h.deploy})
		server.Close()
	}()
	io.WriteString(client, commands(wireCaps, create(c.id()))+string(pack(objs...)))
	for frames := 0; frames < 3; {
		p, _, err := readLine(client)
		if err != nil {
			t.Fatal(err)
		}
		if p == "\x01" {
			frames++
		}
	}
	close(release)
	io.Copy(io.Discard, client)
	if err := <-done; err != nil {
		t.Error(err)
	}
	h.wantRef(mainRef, c.id())
}

// The largest frame is 65,520 bytes on the wire, and nothing is lost at its border.
func TestRaw_LongProgress(t *testing.T) {
	h := newHost(t)
	c, objs := app(file("f"))
	text := strings.Repeat(strings.Repeat("x", 99)+"\n", 2000)
	h.deploy = func(_ context.Context, p *receive.Push) error { _, err := io.WriteString(p.Progress, text); return err }
	a := raw(t, h, commands(wireCaps, create(c.id()))+string(pack(objs...)), true)
	if sha1.Sum([]byte(a.progress)) != sha1.Sum([]byte(text)) {
		t.Errorf("%d bytes of progress, want %d", len(a.progress), len(text))
	}
}
