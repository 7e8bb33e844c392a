package receive_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"math/rand/v2"
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

// badPush is rejected, and leaves the repository byte for byte as it was.
type badPush struct {
	name   string
	send   string
	report string // wanted in the report, "" = there is none
	fails  bool   // ReceivePack returns an error
	limits receive.Limits
}

func badPushes() []badPush {
	c, objs := app(file("f"))
	good := string(pack(objs...))
	push := commands(wireCaps, create(c.id()))
	orphan := commitObj(treeObj(file("f")), strings.Repeat("1", 40))
	noise := obj{kind: 3, data: randomText(300_000)}
	large, largeObjs := app(treeEntry{"100644", "f", noise})
	largePush := commands(wireCaps, create(large.id()))
	tag := obj{kind: 4, data: "object " + c.id() + "\ntype commit\ntag v\ntagger A <a@b> 1700000000 +0000\n\nx\n"}
	cases := []badPush{
		{name: "truncated", send: push + good[:len(good)-35], report: "unpacker error"},
		{name: "bad trailer", send: push + good[:len(good)-20] + strings.Repeat("\x00", 20), report: "unpacker error"},
		{name: "no pack", send: push, report: "unpacker error"},
		{name: "half a header", send: push + "PACK\x00\x00", report: "unpacker error"},
		{name: "not a pack", send: push + strings.Repeat("x", 100), report: "no signature"},
		{name: "version 9", send: push + strings.Replace(good, "\x00\x00\x00\x02", "\x00\x00\x00\x09", 1), report: "version 9"},
		{name: "missing blob", send: push + string(pack(objs[0], objs[1])), report: "ng refs/heads/main"},
		{name: "missing tree", send: push + string(pack(objs[0])), report: "ng refs/heads/main"},
		{name: "missing parent", send: commands(wireCaps, create(orphan.id())) + string(pack(orphan, objs[1], hello1)), report: "ng refs/heads/main"},
		{name: "missing tip", send: commands(wireCaps, create(strings.Repeat("2", 40))) + good, report: "is missing"},
		{name: "empty pack", send: push + string(pack()), report: "is missing"},
		{name: "empty pack, bad sum", send: push + string(pack()[:12]) + strings.Repeat("\x00", 20), report: "corrupt"},
		{name: "tip is a blob", send: commands(wireCaps, create(hello1.id())) + good, report: "is a blob, not a commit"},
		{name: "tip is a tree", send: commands(wireCaps, create(objs[1].id())) + good, report: "is a tree, not a commit"},
		{name: "tip is a tag", send: commands(wireCaps, create(tag.id())) + string(pack(append(objs, tag)...)), report: "is a tag, not a commit"},
		{name: "count huge", send: push + string(packOf(0xffffffff, objs...)), report: "more than 1000000 objects"},
		{name: "count too high", send: push + string(packOf(9, objs...)), report: "unpacker error"},
		{name: "count too low", send: push + string(packOf(1, objs...)), report: "unpacker error"},
		{name: "too many objects", send: push + good, report: "more than 2 objects", limits: receive.Limits{Objects: 2}},
		{name: "oversize", send: largePush + string(pack(largeObjs...)), report: "larger than", limits: receive.Limits{PackBytes: 100_000}},
		{name: "tree too large", send: largePush + string(pack(largeObjs...)), report: "too large", limits: receive.Limits{TreeBytes: 100_000}},
		{name: "offset into nowhere", send: push + string(pack(append(objs, obj{6, "\x06\x06\x90\x06", "\x7f"})...)), report: "unpacker error"},
		{name: "base nowhere", send: push + string(pack(append(objs, obj{7, "\x06\x06\x90\x06", strings.Repeat("3", 20)})...)), report: "unpacker error"},
		{name: "twice the object", send: push + string(pack(append(objs, hello1)...)), report: "unpacker error"},
		{name: "duplicate ref", send: commands(wireCaps, create(c.id()), create(c.id())) + good, report: "named more than once"},
		{name: "old made up", send: commands(wireCaps, hello1.id()+" "+c.id()+" "+mainRef) + good, report: "run git fetch"},
		{name: "sha256", send: commands(wireCaps+" object-format=sha256", create(c.id())) + good, fails: true},
		{name: "bad option", send: commands(wireCaps+" push-options", create(c.id())) + line("rm -rf\n\x1b[1G") + "0000" + good, report: "unknown push option rm -rf"},
		{name: "flush only", send: "0000"},
		{name: "nothing", send: ""},
		{name: "shallow only", send: line("shallow %s", c.id()) + "0000"},
		{name: "bad length", send: "zzzz", fails: true},
		{name: "length 1", send: "0001", fails: true},
		{name: "length 3", send: "0003", fails: true},
		{name: "length over 65520", send: "fff1" + strings.Repeat("x", 65520), fails: true},
		{name: "empty line", send: "0004", fails: true},
		{name: "no command", send: line("hello") + "0000", fails: true},
		{name: "bad shallow", send: line("shallow x") + "0000", fails: true},
		{name: "many refs", send: commands(wireCaps, strings.Fields(strings.Repeat("x ", 3))...), fails: true},
		{name: "too many refs", send: commands(wireCaps, create(c.id()), zero+" "+c.id()+" refs/heads/b"), fails: true, limits: receive.Limits{Commands: 1}},
	}
	return append(append(cases, badTrees()...), badRefs(c.id(), good)...)
}

func badTrees() []badPush {
	var cases []badPush
	add := func(name, report string, entries ...treeEntry) {
		c, objs := app(entries...)
		cases = append(cases, badPush{name: name, send: commands(wireCaps, create(c.id())) + string(pack(objs...)), report: report})
	}
	sub := treeObj(file("f"))
	for _, name := range []string{".git", ".GIT", "..", ".", "a/b", ".g\u200cit", "git~1", ".git ", ""} {
		add("tree entry "+name, "unpacker error", file(name))
	}
	add("unsorted", "unpacker error", file("b"), file("a"))
	add("duplicate entry", "unpacker error", file("a"), file("a"))
	add("link and folder", "unpacker error", link("a", "/etc"), treeEntry{"40000", "a", sub})
	add(".gitmodules link", "unpacker error", link(".gitmodules", "f"))
	add(".gitmodules option", "unpacker error", treeEntry{"100644", ".gitmodules",
		obj{kind: 3, data: "[submodule \"x\"]\n\tpath = x\n\turl = -u./payload\n"}})
	for _, target := range []string{"/etc/passwd", "..", "../x", "a/../../x", "f/../../x", strings.Repeat("x", 5000)} {
		add("link to "+target[:min(12, len(target))], "symlink out of the tree", link("l", target))
	}
	up := treeObj(link("l", "up/../../x"), link("up", ".."))
	c := commitObj(treeObj(treeEntry{"40000", "s", up}))
	cases = append(cases, badPush{name: "link through a link", report: "symlink out of the tree: s/l",
		send: commands(wireCaps, create(c.id())) + string(pack(c, treeObj(treeEntry{"40000", "s", up}), up,
			obj{kind: 3, data: "up/../../x"}, obj{kind: 3, data: ".."}))})
	return cases
}

func badRefs(id, good string) []badPush {
	var cases []badPush
	for _, ref := range []string{
		"refs/heads/../../x", "evil", "HEAD", "refs/heads/a..b", "refs/heads/a.lock", "refs/heads/a\x01b", "refs/heads/a b",
		"refs/heads/", "refs/heads//a", "refs/heads/.a", "refs/heads/a.", "refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b",
		"refs/heads/a?", "refs/heads/a*", "refs/heads/[a", `refs/heads/a\b`, "refs/heads/a@{1}", "refs/x", "@", "refs/heads/a.lock/b",
	} {
		cases = append(cases, badPush{name: "ref " + ref, send: commands(wireCaps, zero+" "+id+" "+ref) + good, report: "not a valid ref name"})
	}
	return append(cases,
		badPush{name: "ref hidden", send: commands(wireCaps, zero+" "+id+" refs/hop3/x") + good, report: "belongs to the server"},
		badPush{name: "ref notes", send: commands(wireCaps, zero+" "+id+" refs/notes/x") + good, report: "only main deploys"})
}

func randomText(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
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

// sha1 of the advertisement's caps is not the point: that nothing unimplemented is promised is.
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
