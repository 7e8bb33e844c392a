package receive_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hop3/receive"
)

// history makes a repository whose pack has about so many megabytes, and returns what a client sends to push it.
func history(b *testing.B, files, megabytes int) (id, send string) {
	b.Helper()
	dir := b.TempDir()
	run := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Env = dir, gitEnv()
		out, err := cmd.Output()
		if err != nil {
			b.Fatalf("git %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q")
	noise := randomText(megabytes << 20)
	each := len(noise) / files
	for i := range files {
		write(b, filepath.Join(dir, fmt.Sprint("d", i%97), fmt.Sprint("f", i)), noise[i*each:(i+1)*each])
	}
	run("add", "-A")
	run("commit", "-q", "-m", "x")
	id = run("rev-parse", "HEAD")
	cmd := exec.Command("git", "pack-objects", "--revs", "--stdout", "-q")
	cmd.Dir, cmd.Env, cmd.Stdin = dir, gitEnv(), strings.NewReader(id+"\n")
	pack, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	return id, commands("report-status side-band-64k quiet", create(id)) + string(pack)
}

// BenchmarkReceive compares one push of about 50 MB with git receive-pack fed in the same way, in the
// same run: "ratio" is our time over git's with the same checks switched on, "ratio-nofsck" over git's defaults.
func BenchmarkReceive(b *testing.B) {
	id, send := history(b, 2000, 50)
	var ours, checked, plain time.Duration
	n := 0
	for b.Loop() {
		n++
		ours += timed(b, id, send, false, nil)
		checked += timed(b, id, send, true, []string{"-c", "receive.fsckObjects=true"})
		plain += timed(b, id, send, true, []string{"-c", "receive.fsckObjects=false"})
	}
	b.ReportMetric(float64(ours)/float64(checked), "ratio")
	b.ReportMetric(float64(ours)/float64(plain), "ratio-nofsck")
	b.ReportMetric(float64(ours.Milliseconds())/float64(n), "ms/push")
	b.ReportMetric(0, "ns/op")
}

func timed(b *testing.B, id, send string, git bool, config []string) time.Duration {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "app.git")
	repo, err := receive.Init(dir)
	if err != nil {
		b.Fatal(err)
	}
	var out strings.Builder
	start := time.Now()
	if git {
		cmd := exec.Command("git", append(config, "receive-pack", dir)...)
		cmd.Env, cmd.Stdin, cmd.Stdout = gitEnv(), onlyReader{strings.NewReader(send)}, &out
		err = cmd.Run()
	} else {
		var s receive.Server
		err = s.ReceivePack(b.Context(), receive.Request{Repo: repo, In: onlyReader{strings.NewReader(send)}, Out: &out})
	}
	took := time.Since(start)
	if refs, rerr := repo.Refs(); err != nil || rerr != nil || refs[mainRef] != id {
		b.Fatalf("not stored: %v, %v\n%s", err, rerr, out.String())
	}
	return took
}

type onlyReader struct{ io.Reader }

// BenchmarkIncrement is what receive adds to the push of one small commit: everything but the client.
func BenchmarkIncrement(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		repo, err := receive.Init(filepath.Join(b.TempDir(), "app.git"))
		if err != nil {
			b.Fatal(err)
		}
		c, objs := app(file("f"))
		send := commands(wireCaps, create(c.id())) + string(pack(objs...))
		b.StartTimer()
		var s receive.Server
		if err := s.ReceivePack(b.Context(), receive.Request{Repo: repo, In: strings.NewReader(send), Out: io.Discard}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTree10k lists a tree of 10,000 files and reads 20 of them, and exports it, against git archive piped to tar.
func BenchmarkTree10k(b *testing.B) {
	id, send := history(b, 10_000, 20)
	repo, err := receive.Init(filepath.Join(b.TempDir(), "app.git"))
	if err != nil {
		b.Fatal(err)
	}
	var s receive.Server
	if err := s.ReceivePack(b.Context(), receive.Request{Repo: repo, In: strings.NewReader(send), Out: io.Discard}); err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			ctx, cancel := context.WithCancel(b.Context())
			tree, err := repo.Tree(ctx, id)
			if err != nil {
				b.Fatal(err)
			}
			for i := range 20 {
				if _, err := fs.ReadFile(tree, fmt.Sprint("d", i, "/f", i)); err != nil {
					b.Fatal(err)
				}
			}
			cancel()
		}
	})
	b.Run("export", func(b *testing.B) {
		var ours, tar time.Duration
		for b.Loop() {
			dst := b.TempDir()
			start := time.Now()
			if err := repo.Export(b.Context(), id, dst, receive.ExportLimits{}); err != nil {
				b.Fatal(err)
			}
			ours += time.Since(start)
			start = time.Now()
			archive(b, repo.Dir(), id)
			tar += time.Since(start)
		}
		b.ReportMetric(float64(ours)/float64(tar), "ratio")
	})
}

func archive(b *testing.B, repo, id string) {
	b.Helper()
	git := exec.Command("git", "-C", repo, "archive", id)
	tar := exec.Command("tar", "-x", "-C", b.TempDir())
	pipe, err := git.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	tar.Stdin = bufio.NewReader(pipe)
	git.Env = gitEnv()
	tar.Stderr = os.Stderr
	if err := errors.Join(git.Start(), tar.Run(), git.Wait()); err != nil {
		b.Fatal(err)
	}
}
