package receive_test

import (
	"math/rand/v2"
	"strings"

	"hop3/receive"
)

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
		{name: "delta bomb", send: bomb(), report: "an object of 1024 MiB"},
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

// bomb is a pack of a few kilobytes, one object of which is a gigabyte.
func bomb() string {
	base := obj{kind: 3, data: strings.Repeat("0123456789abcdef", 1<<16)}
	delta := varint(1<<20) + varint(1<<30)
	for range 1 << 6 {
		for at := range 16 {
			delta += string([]byte{0x80 | 0x04 | 0x40, byte(at), 0x01}) // copy 64 KiB from at<<16
		}
	}
	delta = delta[:len(varint(1<<20)+varint(1<<30))] + strings.Repeat(delta[len(varint(1<<20)+varint(1<<30)):], 16)
	c, objs := app(file("f"))
	return commands(wireCaps, create(c.id())) + string(pack(append(objs, base, obj{7, delta, base.raw()})...))
}

func varint(n int) (s string) {
	for ; n > 0x7f; n >>= 7 {
		s += string([]byte{byte(n&0x7f) | 0x80})
	}
	return s + string([]byte{byte(n)})
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
