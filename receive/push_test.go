package receive_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hop3/receive"
)

func TestPush_FirstDeploysAndClones(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	id := h.rev(dir, "HEAD")
	var got *receive.Push
	h.deploy = func(ctx context.Context, p *receive.Push) error {
		got = p
		if len(h.refs()) != 0 {
			t.Error("the ref moved before the deploy was done")
		}
		tree, err := p.Tree(ctx)
		if err != nil {
			return err
		}
		b, err := fs.ReadFile(tree, "README")
		if err != nil || string(b) != "hello\n" {
			t.Errorf("README is %q, %v", b, err)
		}
		info, err := p.Commit(ctx)
		if err != nil || info.Subject != "Change README" || info.Author != "Ann" || info.Short != id[:7] || info.Time.IsZero() {
			t.Errorf("commit is %+v, %v", info, err)
		}
		fmt.Fprintf(p.Progress, "-----> deploying %s", info.Short)
		fmt.Fprintf(p.Progress, "\n       half")
		return nil
	}
	out := h.git(dir, 0, "push", "hop3", "main")
	wantIn(t, out, "remote: -----> deploying "+id[:7]+" ", "remote:        half", "main -> main")
	h.wantRef("refs/heads/main", id)
	if got.Ref != "refs/heads/main" || got.Old != "" || got.New != id || got.Force {
		t.Errorf("push is %s %s %s", got.Ref, got.Old, got.New)
	}
	h.fsck()
	clone := filepath.Join(t.TempDir(), "c")
	h.git(t.TempDir(), 0, "clone", "-q", url, clone)
	if h.rev(clone, "HEAD") != id {
		t.Error("the clone has another HEAD")
	}
	wantIn(t, h.git(dir, 0, "push", "hop3", "main"), "Everything up-to-date")
	if err := h.errors(); err != nil {
		t.Error(err)
	}
}

func TestPush_IncrementalIsThin(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	big := strings.Repeat("a line that compresses to nothing much 0123456789\n", 2000)
	h.commit(dir, "big", big)
	h.git(dir, 0, "push", "-q", "hop3", "main")
	for i := range 3 {
		big += fmt.Sprint("one more line ", i, "\n")
		id := h.commit(dir, "big", big)
		h.git(dir, 0, "push", "-q", "hop3", "main")
		h.wantRef("refs/heads/main", id)
	}
	h.fsck()
}

func TestPush_HookFailureRejects(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	before := snapshot(t, h.repo.Dir())
	h.deploy = func(_ context.Context, p *receive.Push) error {
		fmt.Fprintf(p.Progress, " !     npm said no\n")
		return fmt.Errorf("run build: %w", failed("build failed"))
	}
	out := h.git(dir, 1, "push", "hop3", "main")
	wantIn(t, out, "remote:  !     npm said no", "! [remote rejected] main -> main (build failed)")
	wantSame(t, h, before)
	h.deploy = func(context.Context, *receive.Push) error { return errors.New("secret detail") }
	wantIn(t, h.git(dir, 1, "push", "hop3", "main"), "! [remote rejected] main -> main (deploy failed)")
	wantSame(t, h, before)
}

type failed string

func (f failed) Error() string  { return string(f) }
func (f failed) Reason() string { return string(f) }

func wantSame(t *testing.T, h *host, before map[string]string) {
	t.Helper()
	h.wait()
	after := snapshot(t, h.repo.Dir())
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s was left behind", name)
		}
	}
	if !maps.Equal(before, after) {
		t.Error("the repository has changed")
	}
}

func TestPush_ForceAndOlderCommit(t *testing.T) {
	h := newHost(t)
	var forced []bool
	h.deploy = func(_ context.Context, p *receive.Push) error {
		forced = append(forced, p.Force)
		return nil
	}
	dir := h.work()
	first := h.rev(dir, "HEAD")
	h.commit(dir, "b", "b")
	h.git(dir, 0, "push", "-q", "hop3", "main")
	h.git(dir, 1, "push", "-q", "hop3", first+":main")
	h.git(dir, 0, "push", "-q", "-f", "hop3", first+":main")
	h.wantRef("refs/heads/main", first)
	h.git(dir, 0, "push", "-q", "hop3", "main")
	h.git(dir, 0, "commit", "-q", "--amend", "-m", "other")
	h.git(dir, 0, "push", "-q", "-f", "hop3", "main")
	if fmt.Sprint(forced) != "[false true false true]" {
		t.Errorf("forced: %v", forced)
	}
}

func TestPush_OtherRefsGetTheirOwnVerdict(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	id := h.rev(dir, "HEAD")
	h.git(dir, 0, "branch", "feature")
	h.git(dir, 0, "tag", "-a", "-m", "x", "v1")
	wantIn(t, h.git(dir, 1, "push", "hop3", "feature"),
		"! [remote rejected] feature -> feature (only main deploys; run git push hop3 feature:main)")
	if len(h.refs()) != 0 {
		t.Error("a ref was made")
	}
	out := h.git(dir, 1, "push", "hop3", "main", "feature", "v1")
	wantIn(t, out, "main -> main", "(only main deploys; run git push hop3 feature:main)", "(only main deploys; run git push hop3 v1^0:main)")
	if refs := h.refs(); len(refs) != 1 || refs["refs/heads/main"] != id {
		t.Errorf("refs: %v", refs)
	}
	h.commit(dir, "b", "b")
	h.git(dir, 0, "branch", "-f", "feature")
	h.git(dir, 0, "push", "hop3", "feature:main")
	h.git(dir, 0, "push", "hop3", "v1^0:main", "-f")
	h.wantRef("refs/heads/main", id)
	wantIn(t, h.git(dir, 1, "push", "-f", "hop3", "v1:main"), "is a tag, not a commit", "git push hop3 TAG^0:main")
}

func TestPush_DeployBranch(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	h.git(dir, 0, "push", "-q", "hop3", "main:master")
	wantIn(t, h.git(dir, 1, "push", "hop3", "main"), "(only master deploys; run git push hop3 main:master)")
	clone := filepath.Join(t.TempDir(), "c")
	h.git(t.TempDir(), 0, "clone", "-q", url, clone)
	if got := strings.TrimSpace(h.git(clone, 0, "symbolic-ref", "HEAD")); got != "refs/heads/master" {
		t.Errorf("HEAD of the clone is %s", got)
	}
	h.branch = "release/1"
	wantIn(t, h.git(dir, 1, "push", "hop3", "main"), "only release/1 deploys; run git push hop3 main:release/1")
	h.git(dir, 0, "push", "-q", "hop3", "main:release/1")
	h.git(dir, 0, "push", "hop3", ":master")
	if refs := h.refs(); len(refs) != 1 || refs["refs/heads/release/1"] == "" {
		t.Errorf("refs: %v", refs)
	}
	wantIn(t, h.git(dir, 1, "push", "hop3", ":release/1"), "the deploy branch cannot be deleted")
}

func TestPush_AtomicIsAllOrNothing(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	h.deploy = func(context.Context, *receive.Push) error { t.Error("deployed"); return nil }
	h.git(dir, 0, "branch", "feature")
	out := h.git(dir, 1, "push", "--atomic", "hop3", "main", "feature")
	wantIn(t, out, "main -> main (atomic push failed)", "only main deploys")
	h.deploy = func(context.Context, *receive.Push) error { return failed("build failed") }
	id := h.rev(dir, "HEAD")
	h.git(dir, 1, "push", "hop3", "main")
	h.deploy = nil
	h.git(dir, 0, "push", "--atomic", "hop3", "main")
	if err := h.repo.UpdateRef("refs/heads/old", "", id); err != nil {
		t.Fatal(err)
	}
	h.deploy = func(context.Context, *receive.Push) error { return failed("build failed") }
	h.commit(dir, "b", "b")
	wantIn(t, h.git(dir, 1, "push", "--atomic", "hop3", "main", ":old"), "(build failed)", "(atomic push failed)")
	h.wantRef("refs/heads/old", id)
	h.git(dir, 1, "push", "hop3", "main", ":old")
	h.wantRef("refs/heads/old", "")
	h.wantRef("refs/heads/main", id)
}

func TestPush_Options(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	var got []string
	h.deploy = func(_ context.Context, p *receive.Push) error { got = p.Options; return nil }
	out := h.git(dir, 1, "push", "-o", "verbos", "hop3", "main")
	wantIn(t, out, "(unknown push option verbos; known: detach, plan, no-cache, verbose)")
	h.git(dir, 0, "push", "-o", "verbose", "-o", "no-cache", "hop3", "main")
	if fmt.Sprint(got) != "[verbose no-cache]" {
		t.Errorf("options: %v", got)
	}
}

// git asks for quiet whenever its stderr is no terminal, as in every CI job, which must see why a deploy failed.
func TestPush_QuietIsToldButNotEnforced(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	quiet := false
	h.deploy = func(_ context.Context, p *receive.Push) error {
		quiet = p.Quiet
		fmt.Fprintf(p.Progress, "-----> chatter\n")
		return nil
	}
	wantIn(t, h.git(dir, 0, "push", "-q", "hop3", "main"), "-----> chatter")
	if !quiet {
		t.Error("not told")
	}
}

func TestPush_FromShallowClone(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	for i := range 5 {
		h.commit(dir, "f", fmt.Sprint(i))
	}
	shallow := filepath.Join(t.TempDir(), "s")
	h.git(dir, 0, "clone", "-q", "--depth", "1", "file://"+dir, shallow)
	h.git(shallow, 0, "remote", "add", "hop3", url)
	deployed := ""
	h.deploy = func(ctx context.Context, p *receive.Push) error {
		deployed = p.New
		return p.Export(ctx, filepath.Join(t.TempDir(), "x"), receive.ExportLimits{})
	}
	h.git(shallow, 0, "push", "hop3", "main")
	h.wantRef("refs/heads/main", h.rev(dir, "HEAD"))
	if deployed == "" {
		t.Error("not deployed")
	}
	h.fsck()
	// On top of it, from the shallow clone, from a new one and from the full history.
	next := h.commit(shallow, "g", "g")
	h.git(shallow, 0, "push", "hop3", "main")
	h.wantRef("refs/heads/main", next)
	h.git(dir, 0, "pull", "-q", shallow, "main")
	h.commit(dir, "h", "h")
	h.git(dir, 0, "push", "hop3", "main")
	h.commit(dir, "i", "i")
	again := filepath.Join(t.TempDir(), "s")
	h.git(dir, 0, "clone", "-q", "--depth", "1", "file://"+dir, again)
	h.git(again, 0, "push", "-f", url, "main")
	h.fsck()
	clone := filepath.Join(t.TempDir(), "c")
	h.git(t.TempDir(), 0, "clone", "-q", url, clone)
	if h.rev(clone, "HEAD") != h.rev(dir, "HEAD") {
		t.Error("the clone is not what was pushed")
	}
}

// A shallow clone of what the server has whole must not cut the server's history.
func TestPush_ShallowDoesNotCutWholeHistory(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	h.commit(dir, "f", "1")
	h.git(dir, 0, "push", "-q", "hop3", "main")
	shallow := filepath.Join(t.TempDir(), "s")
	h.git(dir, 0, "clone", "-q", "--depth", "1", url, shallow)
	h.commit(shallow, "g", "1")
	h.git(shallow, 0, "push", "-q", "origin", "main")
	if _, err := os.Stat(filepath.Join(h.repo.Dir(), "shallow")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the history was cut: %v", err)
	}
	h.fsck()
}

func TestPush_FailedFromShallowCloneLeavesNothing(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	h.commit(dir, "f", "1")
	shallow := filepath.Join(t.TempDir(), "s")
	h.git(dir, 0, "clone", "-q", "--depth", "1", "file://"+dir, shallow)
	before := snapshot(t, h.repo.Dir())
	h.deploy = func(context.Context, *receive.Push) error { return failed("build failed") }
	h.git(shallow, 1, "push", url, "main")
	wantSame(t, h, before)
}

func TestPush_RefusedBeforeAdvertisement(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	wantIn(t, h.git(dir, 128, "push", "ssh://h/Bad_Name", "main"), "fatal: remote error: ", "is not an app name")
	h.refuse = "app is locked\nby ann"
	wantIn(t, h.git(dir, 128, "push", "hop3", "main"), "fatal: remote error: app is locked by ann")
}

func TestPush_ProtocolVersions(t *testing.T) {
	for _, v := range []string{"0", "1", "2"} {
		h := newHost(t)
		dir := h.work()
		h.git(dir, 0, "-c", "protocol.version="+v, "push", "-q", "hop3", "main")
		h.git(dir, 0, "-c", "protocol.version="+v, "fetch", "-q", "hop3")
		wantIn(t, h.git(dir, 0, "-c", "protocol.version="+v, "ls-remote", "hop3"), "refs/heads/main")
	}
}

func TestUploadPack_HidesOwnRefs(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	id := h.rev(dir, "HEAD")
	h.git(dir, 0, "push", "-q", "hop3", "main")
	if err := h.repo.UpdateRef("refs/hop3/releases/1", "", id); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"0", "2"} {
		if out := h.git(dir, 0, "-c", "protocol.version="+v, "ls-remote", "hop3"); strings.Contains(out, "hop3/releases") {
			t.Errorf("version %s shows\n%s", v, out)
		}
	}
	wantIn(t, h.git(dir, 1, "push", "hop3", "main:refs/hop3/releases/2"), "refs/hop3/ belongs to the server")
}

// A client that is cut off while it writes never reads why: the rest of a refused pack is read.
func TestPush_LargeRefusedPackStillGetsItsVerdict(t *testing.T) {
	h := newHost(t)
	dir := h.work()
	h.commit(dir, "noise", randomText(8<<20))
	before := snapshot(t, h.repo.Dir())
	wantIn(t, h.git(dir, 1, "push", "hop3", "main:feature"), "(only main deploys; run git push hop3 feature:main)")
	h.server.Limits.PackBytes = 5 << 20
	wantIn(t, h.git(dir, 1, "push", "hop3", "main"), "remote:  !     push rejected: the push is larger than 5 MiB",
		"max_push_size", "! [remote rejected] main -> main (unpacker error)")
	wantSame(t, h, before)
	if err := h.errors(); err != nil {
		t.Error(err)
	}
}
