package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

const mainRef = "refs/heads/main"

// pushCases are the rows of the matrix, in the order in which they are pushed.
func pushCases() []pushCase {
	var all []pushCase
	for _, group := range [][]pushCase{firstPushes(), branchesAndTags(), histories(), badContent(), options(), deployBranch()} {
		all = append(all, group...)
	}
	return all
}

func firstPushes() []pushCase {
	return []pushCase{
		{name: "nothing committed", prepare: (*matrix).emptyRepository, in: "empty", push: words("hop3 main"), exit: 1,
			says: []string{`src refspec main does not match any`}},
		{name: "illegal name", push: words("REMOTE/Not_Legal main"), exit: 128, says: []string{`fatal: remote error: hop3: .*Not_Legal`}},
		{name: "plan of a new app", push: words("-o plan hop3 main"), exit: 1, says: []string{`remote rejected\] main -> main \(`}},
		{name: "too large, the first", prepare: large, push: words("hop3 main"), exit: 1,
			says: []string{`push rejected: the push is larger than 1 MiB`, `main -> main \(unpacker error\)`}},
		{name: "first push", prepare: small, push: words("hop3 main"), deploys: "HEAD",
			says: []string{`remote: -----> hop3 `, `remote: =====> hello v1 is live`, `\[new branch\] +main -> main`}},
		{name: "the same again", prepare: nothing, push: words("hop3 main"), says: []string{`^Everything up-to-date$`}},
		{name: "one change", push: words("hop3 main"), deploys: "HEAD", says: []string{`v2 is live`}},
		{name: "too large, a later one", prepare: large, push: words("hop3 main"), exit: 1, says: []string{`the push is larger than`}},
		{name: "dry run", push: words("-n hop3 main"), says: []string{`main -> main`}},
		{name: "sha256 repository", prepare: sha256, in: "sha256", push: words("hop3 +main"), exit: 128, says: []string{`does not support this repository's hash algorithm`}},
	}
}

func branchesAndTags() []pushCase {
	only := `remote rejected\] .* \(only main deploys; run git push hop3 `
	return []pushCase{
		{name: "another branch", prepare: branch, push: words("hop3 feature"), exit: 1, says: []string{only + `feature:main\)`}},
		{name: "a tag", prepare: tags, push: words("hop3 light"), exit: 1, says: []string{only + `light\^0:main\)`}},
		{name: "an annotated tag", prepare: tags, push: words("hop3 heavy"), exit: 1, says: []string{only + `heavy\^0:main\)`}},
		{name: "a tag's commit as main", prepare: tags, push: words("hop3 heavy^0:main"), deploys: "heavy", says: []string{`heavy\^0 -> main`}},
		{name: "a tag object as main", prepare: tags, push: words("hop3 +heavy:refs/heads/main"), exit: 1, says: []string{`heavy -> main \(`}},
		{name: "another branch as main", prepare: branch, push: words("hop3 feature:main"), deploys: "feature", says: []string{`feature -> main`}},
		{name: "several refs", prepare: tags, push: words("hop3 main feature light"), exit: 1, deploys: "main",
			says: []string{`main -> main$`, only + `feature:main\)`, only + `light\^0:main\)`}},
		{name: "several refs, atomic", prepare: tags, push: words("--atomic hop3 main feature light"), exit: 1,
			says: []string{`main -> main \(atomic push fail`, `feature -> feature \(only main deploys`}},
		{name: "all branches", prepare: branch, push: words("--all hop3"), exit: 1, deploys: "main", says: []string{only}},
		{name: "all tags", prepare: tags, push: words("--tags hop3"), exit: 1, says: []string{only}},
		{name: "mirror", prepare: branch, push: words("--mirror hop3"), exit: 1, deploys: "main", says: []string{only}},
		{name: "delete main", prepare: nothing, push: words("hop3 :main"), exit: 1, says: []string{`remote rejected\] main \(the deploy branch cannot be deleted`}},
		{name: "delete what is not there", prepare: nothing, push: words("hop3 :nope"), exit: 1, says: []string{`remote ref does not exist`}},
		{name: "change and delete at once", push: words("hop3 :main main:live"), exit: 1, says: []string{`cannot be deleted`, `only main deploys`}},
		{name: "a ref outside of refs/heads", push: words("hop3 main:refs/notes/x"), exit: 1, says: []string{`only main deploys`}},
		{name: "a ref of the server", push: words("hop3 main:refs/hop3/x"), exit: 1, says: []string{`refs/hop3/ belongs to the server`}},
		{name: "signed", push: words("--signed hop3 main"), exit: 128, says: []string{`does not support --signed push`}},
	}
}

func histories() []pushCase {
	return []pushCase{
		{name: "an older commit", prepare: nothing, push: words("hop3 HEAD~1:main"), exit: 1, says: []string{`non-fast-forward`}},
		{name: "an older commit, forced", prepare: nothing, push: words("-f hop3 HEAD~1:main"), deploys: "HEAD~1", says: []string{`\+ .*forced update`, `is live`}},
		{name: "a lease that does not hold", push: words("--force-with-lease=main:" + strings.Repeat("1", 40) + " hop3 main"), exit: 1, says: []string{`stale info`}},
		{name: "another history, forced", prepare: orphan, push: words("-f hop3 other:main"), deploys: "other", says: []string{`forced update`}},
		{name: "from a detached HEAD", prepare: detached, push: words("hop3 HEAD:main"), deploys: "HEAD", says: []string{`HEAD -> main`}},
		{name: "a merge", prepare: merge, push: words("--no-thin hop3 main"), deploys: "HEAD", says: []string{`is live`}},
		{name: "from a shallow clone", prepare: shallow, in: "shallow", push: words("REMOTE/hello main"), deploys: "HEAD", says: []string{`is live`}},
		{name: "no commit of its own", prepare: emptyCommit, push: words("hop3 main"), deploys: "HEAD", says: []string{`is live`}},
	}
}

func badContent() []pushCase {
	return []pushCase{
		{name: "LFS pointers", prepare: file("big.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:"+strings.Repeat("4d", 32)+"\nsize 12345\n"),
			push: words("hop3 main"), exit: 1, says: []string{`Git LFS pointers, not their content: big.bin`, `\(LFS pointers\)`}},
		{name: "a submodule", prepare: submodule, push: words("hop3 main"), exit: 1, says: []string{`submodules are not fetched: lib`, `git rm --cached PATH`}},
		{name: "no stack", prepare: noStack, push: words("hop3 main"), exit: 1, says: []string{`no stack found for this tree`, `\(not deployable\)`}},
		{name: "a Procfile that is none", prepare: file("Procfile", "web: a\nweb: b\n"), push: words("hop3 main"), exit: 1, says: []string{`Procfile:2: `}},
		{name: "a link out of the tree", prepare: link("/etc/passwd"), push: words("hop3 main"), exit: 1, says: []string{`symlink out of the tree: out`}},
		{name: "a tree with ..", prepare: badTree(".."), push: words("hop3 bad:main"), exit: 1, says: []string{`push rejected: `, `bad -> main \(unpacker error\)`}},
		{name: "a tree with .git", prepare: badTree(".git"), push: words("hop3 bad:main"), exit: 1, says: []string{`push rejected: `, `bad -> main \(unpacker error\)`}},
	}
}

func options() []pushCase {
	return []pushCase{
		{name: "plan", push: words("-o plan hop3 main"), exit: 1, says: []string{`remote: .*(closure|restart)`, `main -> main \(`}},
		{name: "no-cache, protocol 0", push: words("-c protocol.version=0 -- -o no-cache hop3 main"), deploys: "HEAD", says: []string{`is live`}},
		{name: "verbose, protocol 1", push: words("-c protocol.version=1 -- -o verbose hop3 main"), deploys: "HEAD", says: []string{`took: detect`}},
		{name: "detach from the settings, protocol 2", prepare: protocol2, push: words("-c protocol.version=2 -c push.pushOption=detach -- hop3 main"), deploys: "HEAD", says: []string{`is live`}},
		{name: "an unknown one", push: words("-o colour hop3 main"), exit: 1, says: []string{`unknown push option colour; known: `}},
		{name: "quiet and atomic, porcelain", push: words("-q --atomic --porcelain hop3 main"), deploys: "HEAD", says: []string{`^Done$`, `is live`}},
	}
}

func deployBranch() []pushCase {
	configured := func(m *matrix) { m.remote("git:set", "hello", "deploy-branch", "live"); m.newPage() }
	return []pushCase{
		{name: "main when live deploys", prepare: configured, push: words("hop3 main"), exit: 1, says: []string{`only live deploys; run git push hop3 main:live`}},
		{name: "the deploy branch, and the old one deleted", push: words("hop3 :main main:live"), deploys: "HEAD",
			refs: map[string]string{mainRef: "", "refs/heads/live": "HEAD"}, says: []string{`\[deleted\] +main`, `main -> live`}},
	}
}

func words(line string) []string { return strings.Fields(line) }

func nothing(*matrix) {}

func (m *matrix) emptyRepository() { m.fresh("empty") }

// fresh makes another repository of the client.
func (m *matrix) fresh(name string, flags ...string) {
	m.t.Helper()
	dir := filepath.Join(m.dir, name)
	if out, exit := m.client(m.dir, append(append([]string{"init", "-q"}, flags...), dir)...); exit != 0 {
		m.t.Skipf("this git cannot: %s", out)
	}
	for _, args := range [][]string{{"checkout", "-q", "-b", "main"}, {"remote", "add", "hop3", "ssh://hop3@" + m.ssh + "/hello"}} {
		if out, exit := m.client(dir, args...); exit != 0 {
			m.t.Fatal(out)
		}
	}
}

func sha256(m *matrix) {
	m.fresh("sha256", "--object-format=sha256")
	if out, exit := m.client(filepath.Join(m.dir, "sha256"), "commit", "-q", "--allow-empty", "-m", "x"); exit != 0 {
		m.t.Fatal(out)
	}
}

func large(m *matrix) {
	noise := rand.NewChaCha8([32]byte{1})
	b := make([]byte, 2<<20)
	_, _ = noise.Read(b) // never fails
	m.write("public/large.bin", string(b))
	m.newPage()
}

// small leaves out what large has committed before anything was deployed.
func small(m *matrix) {
	m.git("reset", "-q", "--hard", "HEAD~1")
	m.newPage()
}

func branch(m *matrix) {
	m.newPage()
	m.git("branch", "-f", "feature")
}

func protocol2(m *matrix) {
	if out, exit := m.client(filepath.Join(m.dir, "hello"), "-c", "protocol.version=2", "ls-remote", "hop3"); exit != 0 {
		m.t.Skipf("this git cannot: %s", out)
	}
	m.newPage()
}

func tags(m *matrix) {
	branch(m)
	m.git("tag", "-f", "light")
	m.git("tag", "-f", "-m", "heavy", "heavy")
}

func orphan(m *matrix) {
	m.git("checkout", "-q", "--orphan", "other")
	m.newPage()
}

func detached(m *matrix) {
	m.git("checkout", "-q", "--detach")
	m.newPage()
}

func merge(m *matrix) {
	m.git("checkout", "-q", "-B", "side")
	m.write("public/side.html", "side\n")
	m.newPage()
	m.git("checkout", "-q", "main")
	m.write("public/more.html", "more\n")
	m.git("add", "-A")
	m.git("commit", "-q", "-m", "more")
	m.git("merge", "-q", "--no-edit", "side")
}

func shallow(m *matrix) {
	dir := filepath.Join(m.dir, "shallow")
	if out, exit := m.client(m.dir, "clone", "-q", "--depth", "1", "file://"+filepath.Join(m.dir, "hello"), dir); exit != 0 {
		m.t.Fatal(out)
	}
	if err := os.WriteFile(filepath.Join(dir, "public/index.html"), []byte("from a shallow clone\n"), 0o644); err != nil {
		m.t.Fatal(err)
	}
	if out, exit := m.client(dir, "commit", "-q", "-a", "-m", "shallow"); exit != 0 {
		m.t.Fatal(out)
	}
}

func emptyCommit(m *matrix) {
	m.git("commit", "-q", "--allow-empty", "-m", "nothing changed")
}

func file(name, text string) func(*matrix) {
	return func(m *matrix) {
		m.write(name, text)
		m.newPage()
	}
}

func submodule(m *matrix) {
	m.fresh("lib")
	if out, exit := m.client(filepath.Join(m.dir, "lib"), "commit", "-q", "--allow-empty", "-m", "x"); exit != 0 {
		m.t.Fatal(out)
	}
	m.git("submodule", "--quiet", "add", filepath.Join(m.dir, "lib"), "lib")
	m.newPage()
}

func noStack(m *matrix) {
	m.git("rm", "-q", "-r", ".")
	m.write("requirement.txt", "flask\n")
	m.git("add", "-A")
	m.git("commit", "-q", "-m", "no stack")
}

func link(target string) func(*matrix) {
	return func(m *matrix) {
		if err := os.Symlink(target, filepath.Join(m.dir, "hello", "out")); err != nil {
			m.t.Fatal(err)
		}
		m.newPage()
	}
}

// badTree makes a commit whose tree has an entry that git itself would not write.
func badTree(entry string) func(*matrix) {
	return func(m *matrix) {
		raw := fmt.Sprintf("100644 %s\x00%s", entry, strings.Repeat("\x11", 20))
		blob := m.git("hash-object", "-w", "public/index.html")
		raw = raw[:len(raw)-20] + unhex(blob)
		m.write("../tree", raw)
		tree := m.git("hash-object", "-t", "tree", "--literally", "-w", filepath.Join(m.dir, "tree"))
		m.git("branch", "-f", "bad", m.git("commit-tree", "-m", "bad", "-p", "HEAD", tree))
	}
}

func unhex(id string) string {
	var b []byte
	if _, err := fmt.Sscanf(id, "%x", &b); err != nil {
		return ""
	}
	return string(b)
}
