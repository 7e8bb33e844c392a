package nixtmpl

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"text/template/parse"
	"unicode/utf8"
)

// TestTemplates_EveryActionEscapes walks the parse trees: no template prints a value of a pushed tree as bare Nix code.
func TestTemplates_EveryActionEscapes(t *testing.T) {
	seen := 0
	for _, tmpl := range templates().Templates() {
		if tmpl.Tree != nil {
			seen++
			checkEscaped(t, tmpl.Name(), tmpl.Root)
		}
	}
	if seen < 8 {
		t.Fatalf("walked %d templates only", seen)
	}
}

func checkEscaped(t *testing.T, name string, n parse.Node) {
	t.Helper()
	branch := func(b *parse.BranchNode) {
		checkEscaped(t, name, b.List)
		if b.ElseList != nil {
			checkEscaped(t, name, b.ElseList)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, c := range n.Nodes {
			checkEscaped(t, name, c)
		}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.ActionNode:
		last := n.Pipe.Cmds[len(n.Pipe.Cmds)-1]
		if id, ok := last.Args[0].(*parse.IdentifierNode); !ok || escapers[id.Ident] == nil || len(n.Pipe.Decl) > 0 {
			t.Errorf("%s: %s does not end in an escaper", name, n)
		}
	case *parse.TextNode, *parse.TemplateNode, *parse.CommentNode:
	default:
		t.Errorf("%s: %T is not a node that this test knows", name, n)
	}
}

// TestQuote_RoundTrips asks nix itself what the literals mean.
func TestQuote_RoundTrips(t *testing.T) {
	needNix(t)
	words := []string{
		"", `a"b`, `${x}`, `$${x}`, `\${x}`, `$`, `$$`, `''`, `'''${x}''`, "a\nb", "a\r\nb", "\t", `\n`, `\`, `\\`, `"`, "ü€𝄞", "\x01\x7f",
		"${builtins.readFile \"/etc/passwd\"}", "a''${b", " ", "# no comment", "*/",
	}
	lit, err := quoteList(words)
	if err != nil {
		t.Fatal(err)
	}
	// through a file: a command line cannot hold all of them
	file := t.TempDir() + "/words.nix"
	if err := os.WriteFile(file, []byte("builtins.toJSON "+lit), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("nix-instantiate", "--eval", "--json", "--strict", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var text string
	var got []string
	if err := json.Unmarshal(out, &text); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	for i := range words {
		if got[i] != words[i] {
			t.Errorf("%q came back as %q", words[i], got[i])
		}
	}
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{`a"b${c}\`, "$${x}\n", `''`, "\x00", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := quote(s)
		if err != nil {
			if !strings.ContainsRune(s, 0) && utf8.ValidString(s) {
				t.Fatalf("quote(%q): %v", s, err)
			}
			return
		}
		if back := unquote(t, q); back != s {
			t.Fatalf("quote(%q) = %s means %q", s, q, back)
		}
	})
}

// unquote reads a double-quoted string as Nix does, and fails where one would interpolate or end early.
func unquote(t *testing.T, q string) string {
	t.Helper()
	body := q[1 : len(q)-1]
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		switch c := body[i]; c {
		case '"', '$', '\n', '\r':
			t.Fatalf("%s: bare %q at %d", q, c, i)
		case '\\':
			i++
			if i == len(body) {
				t.Fatalf("%s ends in an escape", q)
			}
			if r, ok := map[byte]byte{'n': '\n', 'r': '\r', 't': '\t'}[body[i]]; ok {
				b.WriteByte(r)
			} else {
				b.WriteByte(body[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func FuzzComment(f *testing.F) {
	f.Add("a\nb\u2028c")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(comment(s), "\n\r\v\f\x00\u0085\u2028\u2029") {
			t.Fatalf("comment(%q) has a line break", s)
		}
	})
}

func TestAttr(t *testing.T) {
	for in, want := range map[string]string{"web": "web", "with": `"with"`, "a b": `"a b"`, "1": `"1"`, `x"${y}`: `"x\"\${y}"`, "a-b": "a-b"} {
		if got, err := attr(in); got != want || err != nil {
			t.Errorf("attr(%q) = %s, %v, want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "a b", "a;b", "a.", ".a", "a..b", "(x)", "1a"} {
		if got, err := attrPath(bad); err == nil {
			t.Errorf("attrPath(%q) = %s, want an error", bad, got)
		}
	}
	if got, _ := attrPath("python3.pkgs.if"); got != `python3.pkgs."if"` {
		t.Error(got)
	}
}

func needNix(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("nix-instantiate"); err != nil {
		t.Fatal("nix is not installed: run make test, which installs it")
	}
}
