package packidx_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestRules wants git's verdict on trees, commits, tags and the files that git itself reads: with the tag slow on each of
// some six hundred.
func TestRules(t *testing.T) {
	repo, _ := repoWith(t, hello)
	accepted, refused := 0, 0
	for name, p := range sample(ruleCases()) {
		t.Run(fmt.Sprintf("%.60q", name), func(t *testing.T) {
			if wantSame(t, repo, p) {
				accepted++
			} else {
				refused++
			}
		})
	}
	if accepted < 8 || refused < 8 {
		t.Errorf("%d cases were accepted, %d refused: the cases are wrong", accepted, refused)
	}
}

func ruleCases() map[string][]byte {
	cases := map[string][]byte{}
	treeCases(cases)
	headerCases(cases)
	fileCases(cases)
	return cases
}

func treeCases(cases map[string][]byte) {
	h := hello.raw()
	add := func(name, data string) { cases["tree "+name] = pack(obj{kind: tree, data: data}) }
	for _, name := range []string{
		".git", ".GIT", ".giT", "..", ".", "...", "a/b", "/", ".g\u200cit", "\ufeff.git", ".git\u200d", ".git\u202e", ".\u206fgit", "git~1",
		"GIT~1", "git~2", "git~1.", ".git ", ".git.", ".git. .", ".git:x", ".git::$INDEX_ALLOCATION", ".gitx", "x.git", "a\\.git", "a\\git~1",
		".git\\x", "a\\.gitx", "\\", "a\\b", ".gitmodule", ".gitmodulesx", "git~11", "g", "G", "~", "~1", ".g\xe2\x80it", ".git\xe1les", ".git\xff", ".git\uffff", ".git\ufffe.", ".git\ufffd", ".gi\xfft", ".git\xed\xa0\x80", "\xffx", "é", "con",
		".gitattributes", ".gitignore", ".mailmap", "gitattributes", "gitmod~1x", "gi7eba", "gi7eba~", "gi7eba~0", "a\\gi7eba~1x", ".gıt",
	} {
		add("entry "+name, entry("100644", name, h))
		add("folder "+name, entry("40000", name, treeOf().raw()))
	}
	for _, name := range []string{
		".gitmodules", ".GITMODULES", ".gitmodules ", ".gitmodules:x", "gitmod~1", "GITMOD~4", "gitmod~5", "gi7eba~1", "gi7eba~9", "gi7eb~10",
		"~1000000", "g~100000", "gi7eba~1.", "a\\.gitmodules", "a\\gitmod~1", ".git\u200cmodules", ".gitmodules\xfe", ".gitattributes", "gitatt~1", "gi7d29~1",
		"GI7D29~2", ".gitignore", ".mailmap", "gi7eba~1:x", "~10000000", "gi7eba10",
	} {
		add("link "+name, entry("120000", name, h))
		add("file "+name, entry("100644", name, h))
		add("submodule "+name, entry("160000", name, h))
	}
	for _, mode := range []string{
		"100644", "100755", "100664", "100600", "120000", "120777", "160000", "40000", "040000", "0100644", "0", "1", "777777", "10", "644", "100648",
		"", " ", "x", "-1", "4294967296100644", "200100644", "20000", "140000", "40755",
	} {
		add("mode "+mode, entry(mode, "f", h))
	}
	add("no name", entry("100644", "", h))
	add("null id", entry("100644", "f", strings.Repeat("\x00", 20)))
	add("short id", "100644 f\x00"+h[:19])
	add("long id", "100644 f\x00"+h+"x")
	add("no nul", "100644 fffffffffffffffffffffffffffffffffffffff")
	add("no space", "100644ffffffffffffffffff\x00"+h)
	add("a few bytes", "100644 f")
	for _, names := range [][]string{
		{"a", "b"}, {"b", "a"}, {"a", "a"}, {"a", "a/"}, {"a/", "a"}, {"a.b", "a/"}, {"a/", "a.b"}, {"a", "a.b", "a/"}, {"a", "a.b", "a.b.c", "a.b/", "a/"},
		{"a", "a-b", "a-b-c", "a-b-c/", "a0"}, {"a", "a.b", "b", "b/"}, {"a", "ab", "a/"}, {"a-", "a"}, {"a", "a-", "a--", "a/"}, {"a/", "a0"}, {"a0", "a/"},
		{"a", "a!", "a!/", "a."}, {"a\x01", "a/"}, {"a", "a\x01", "a/"}, {"A", "a"}, {"é", "z"}, {"z", "é"},
	} {
		s := ""
		for _, n := range names {
			if dir, ok := strings.CutSuffix(n, "/"); ok {
				s += entry("40000", dir, treeOf().raw())
			} else {
				s += entry("100644", n, h)
			}
		}
		add("order "+strings.Join(names, " "), s)
	}
}

func headerCases(cases map[string][]byte) {
	id := treeOf().id()
	add := func(kind int, data string) {
		cases[fmt.Sprint(kind, data)] = pack(obj{kind: kind, data: data}, treeOf())
	}
	c := func(tree, rest string) { add(commit, "tree "+tree+"\n"+rest) }
	for _, who := range []string{
		"A <a@b> 1 +0000", "A <a@b> 0 +0000", "A <a@b> 00 +0000", "A <a@b> 01 +0000", "A <a@b> 0", "A <a@b> 1", "A <a@b> ", "A <a@b>", "A <a@b>1 +0000",
		"A <a@b> x +0000", "A <a@b> -1 +0000", "A <a@b> -0 +0000", "A <a@b> +1 +0000", "A <a@b>  1 +0000", "A <a@b> 1 x", "A <a@b> 1 0000", "A <a@b> 1 +000",
		"A <a@b> 1 +00000", "A <a@b> 1  +0000", "A <a@b> 9223372036854775807 +0000", "A <a@b> 9223372036854775808 +0000",
		"A <a@b> 18446744073709551615 +0000", "A <a@b> 18446744073709551616 +0000", "A <a@b> 99999999999999999999999999 +0000", "<a@b> 1 +0000",
		" <a@b> 1 +0000", "A<a@b> 1 +0000", "A a@b 1 +0000", "A <a@b 1 +0000", "A a@b> 1 +0000", "A <a<b> 1 +0000", "A <> 1 +0000", "A <a@b>> 1 +0000",
		"A <a@b> 1 +0000 x", "", " ", "A <a@b> 1\t+0000", "A >a@b< 1 +0000",
	} {
		c(id, "author "+who+"\ncommitter "+person+"\n\nx")
		c(id, "author "+person+"\ncommitter "+who+"\n\nx")
		add(tag, "object "+id+"\ntype tree\ntag v\ntagger "+who+"\n\nx")
	}
	for _, rest := range []string{
		"", "\n", nobody, nobody + "\n", nobody + "x", nobody[:len(nobody)-1], nobody + "\n\x00", nobody + "a\x00b\n\n", nobody + "encoding x\n\nx",
		"committer " + person + "\nauthor " + person + "\n\n", "author " + person + "\n\n", "committer " + person + "\n\n", "author " + person + "\n" + nobody + "\n",
		"parent x\n" + nobody + "\n", "parent " + id + "\n" + nobody + "\n", "parent " + strings.Repeat("0", 40) + "\n" + nobody + "\n", "Author " + person + "\n\n",
		"author " + person + "\nparent " + id + "\ncommitter " + person + "\n\n", nobody + "parent " + id + "\n\n", "author " + person + "\nx y\ncommitter " + person + "\n\n",
	} {
		c(id, rest)
	}
	for _, tree := range []string{"", id[:39], id + "0", strings.ToUpper(id), strings.Repeat("g", 40), strings.Repeat("0", 40), " " + id, hello.id()} {
		c(tree, nobody+"\nx\n")
	}
	add(commit, "")
	add(commit, "\n")
	add(commit, "Tree "+id+"\n"+nobody+"\n")
	add(commit, "\ntree "+id+"\n"+nobody+"\n")
	for _, data := range []string{
		"", "\n", "object " + id, "object " + id + "\n", "object " + id + "\ntype tree\n", "object " + id + "\ntype tree\ntag v\n",
		"object " + id + "\ntype tree\ntag v\n\nx", "object " + id + "\ntype tree\ntag \n\nxxxxxx", "object " + id + "\ntype tree\ntag a..b\ntagger " + person + "\n\nx",
		"object " + id + "\ntype trees\ntag v\ntagger " + person + "\n\nx", "object " + id + "\ntype \ntag v\ntagger " + person + "\n\nx",
		"object " + id + "\ntype " + strings.Repeat("x", 30) + "\ntag v\ntagger " + person + "\n\nx", "object " + id + "\ntag v\ntype tree\ntagger " + person + "\n\nx",
		"object " + id + "\ntype blob\ntag v\ntagger " + person + "\n\nx", "object x\ntype tree\ntag v\ntagger " + person + "\n\nx",
		"object " + id + "\ntype tree\ntag v\x00\ntagger " + person + "\n\nx", "object " + id + "\ntype tree\ntag v\ntagger " + person + "\n\nx\x00",
		"object " + id + "\ntype tree\ntag v\ntagger " + person + "\nmore x\n\nx", "object " + id + "\ntype tree\ntag v\ntagger " + person,
		"object " + id + "\ntype tree\ntag v\ntagger " + person + "\n", "type tree\nobject " + id + "\ntag v\ntagger " + person + "\n\nx",
	} {
		add(tag, data)
	}
}

func fileCases(cases map[string][]byte) {
	add := func(file, data string) {
		b := obj{kind: blob, data: data}
		cases[file+" "+data] = pack(treeOf(entry("100644", file, b.raw())), b)
	}
	for _, url := range []string{
		"https://a/b", "-u./x", "--x", "./x", "../x", "../../x", "..//x", "../:x", "../../:x", "..", "./-x", ".\\x", "..\\x", "..\\/x", "http://", "https:///x",
		"http::x", "http::http://a/b", "https::///x", "https://a%0ab/x", "https://a/x%0ay", "https://u%0a@a/x", "https://u:p@a/x", "https://@/x", "https://u@/x",
		"https://:80/x", "https://?x", "https://a?x", "./x%0ay", "./x%0Ay", "git://a%0ab", "git://a/b", "ssh://a%0ab", "ssh://-oProxyCommand=x", "ftp://a/x",
		"ftps://", "file:///x", "/x", "x", "", "https://a@b@c/x", "https://a/b@c", "http:x", "https://a%00b/", "https://%0a", "ext::sh", "a\\nb", "./a\\nb",
	} {
		add(".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = "+url+"\n")
	}
	for _, name := range []string{"x", "", "..", "../x", "x/..", "x/../y", "x\\..\\y", "..x", "x..", "a.b", "...", "/", "a\\\"b", "a\\\\..\\\\b", " ", "-x", ".", "\u00e9"} {
		add(".gitmodules", "[submodule \""+name+"\"]\nurl = x\n")
		add(".gitmodules", "[submodule \""+name+"\"]\nurl\n")
		add(".gitmodules", "[submodule \""+name+"\"]\n")
	}
	for _, text := range []string{
		"", "garbage", "[submodule", "[submodule \"x\"", "[submodule \"..\"]url=x", "[SubModule \"..\"] URL = x", "[submodule.x]\nurl=-x\n", "[submodule.]\nurl=-x\n",
		"[submodule \"x\"]\nurl = \"-x\"\n", "[submodule \"x\"]\nurl = \" -x\"\n", "[submodule \"x\"]\nurl = -\\\nx\n", "[submodule \"x\"]\nurl = \\\n-x\n",
		"[submodule \"x\"]\npath = -x\n", "[submodule \"x\"]\npath = --\n", "[submodule \"x\"]\nupdate = !sh\n", "[submodule \"x\"]\nupdate = none\n",
		"[submodule \"x\"]\nupdate = what\n", "\xef\xbb[submodule \"..\"]\nurl=x\n", "; c\n# d\n[submodule \"..\"] ; e\nurl=x\n",
		"[submodule \"x\"]\nurl = x ; -y\nurl = -z\n", "[other \"..\"]\nurl=-x\n", "[submodule]\nurl=-x\n", "[submodule \"x\"]\n1url=-x\n", "[submodule \"x\"]\nu_l=-x\n",
		"[submodule \"x\"]\nbad\\key\n[submodule \"..\"]\nurl=x\n", "[submodule \"x\"]\r\nurl = -x\r\n", "[submodule \"x\"]\nurl=a\\qb\n[submodule \"..\"]\nurl=x\n",
		"[submodule  \t\"..\"]\nurl=x\n", "[submodule\n\"..\"]\nurl=x\n", "[submodule \"..\" ]\nurl=x\n", "[submodule \"x\"] url = -x", "[submodule \"a\nb\"]\nurl=-x",
		"[sub module \"..\"]\nurl=x\n", "[submodule\"..\"]\nurl=x\n", "[]\nurl=x\n[submodule \"..\"]\nurl=x\n", "url=x\n[submodule \"..\"]\nurl=x\n",
		"[submodule \"x\"]\nurl = \"a\n[submodule \"..\"]\nurl=x\n", "[submodule \"x\"]\nurl \t = -x\n", "[submodule \"x\"]\n url\t-x\n", "[submodule \"x\"]\nurl=\\-x\n",
		"[submodule \"..\"] U\xff\xfe", "[submodule \"..\"] U\xfe\n", "#\xff\n[submodule \"..\"]\nurl=x\n", "\r\xff[submodule \"..\"]\nurl=x\n",
		"[submodule \"x\"]k=1\xff[submodule \"..\"]\nurl=x\n", "[submodule \"x\"]url=\\\xff-x\n", "[submodule \"x\"]\nurl=-x\xff",
	} {
		add(".gitmodules", text)
	}
	for _, text := range []string{"", strings.Repeat("x", 2047) + "\n", strings.Repeat("x", 2048), strings.Repeat("x", 2047), "a\n" + strings.Repeat("x", 3000) + "\nb",
		"\x00" + strings.Repeat("x", 3000), strings.Repeat("x\n", 3000)} {
		add(".gitattributes", text)
	}
	big := obj{kind: blob, data: "[submodule \"..\"]\nurl=x\n"}
	cases["modules by delta"] = pack(treeOf(entry("100644", ".gitmodules", big.raw())), obj{kind: ref, base: hello.raw(), data: replace(hello.data, big.data)})
	cases["modules in a folder"] = pack(treeOf(entry("40000", "d", treeOf(entry("100644", ".gitmodules", big.raw())).raw())),
		treeOf(entry("100644", ".gitmodules", big.raw())), big)
	cases["modules stored, good"] = pack(treeOf(entry("100644", ".gitmodules", hello.raw())))
}
