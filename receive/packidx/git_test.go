package packidx_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hop3/receive/packidx"
)

// gitEnv is an environment in which git knows nothing of the machine.
func gitEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com",
		"GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000",
	}
}

func tryGit(dir string, in io.Reader, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, gitEnv(), in
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return stderr.String(), fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return out.String(), nil
}

func git(t testing.TB, dir string, in io.Reader, args ...string) string {
	t.Helper()
	out, err := tryGit(dir, in, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// emptyRepo makes a bare repository.
func emptyRepo(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, nil, "init", "-q", "--bare", "-b", "main")
	return dir
}

// oldSins are the faults that are let pass: see receive.GitIngester.
const oldSins = "--strict=zeroPaddedFilemode=warn,badTimezone=warn,badEmail=warn,missingEmail=warn," +
	"missingNameBeforeEmail=warn,missingSpaceBeforeEmail=warn,missingSpaceBeforeDate=warn"

// gitIndex lets git take a pack that adds to repo, whose objects it reads but does not change. It returns the folder with
// pack and index.
func gitIndex(t testing.TB, repo string, pack []byte) (dir string, err error) {
	t.Helper()
	objects := filepath.Join(t.TempDir(), "objects")
	for _, sub := range []string{"pack", "info"} {
		if err := os.MkdirAll(filepath.Join(objects, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	alternate := filepath.Join(repo, "objects") + "\n"
	if err := os.WriteFile(filepath.Join(objects, "info", "alternates"), []byte(alternate), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("git", "index-pack", "--stdin", "--fix-thin", oldSins)
	cmd.Dir, cmd.Stdin = repo, bytes.NewReader(pack)
	cmd.Env = append(gitEnv(), "GIT_DIR="+repo, "GIT_OBJECT_DIRECTORY="+objects)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(objects, "pack"), err
}

// goIndex takes the pack with this package.
func goIndex(t testing.TB, repo string, pack []byte, limits packidx.Limits) (dir string, res *packidx.Result, err error) {
	t.Helper()
	dir = t.TempDir()
	s := &store{repo: repo}
	defer s.close()
	res, err = packidx.Index(t.Context(), bytes.NewReader(pack), packidx.Options{Dir: dir, Store: s, Limits: limits})
	if err == nil {
		t.Cleanup(res.Close)
	}
	return dir, res, err
}

// store is a repository read by git cat-file, started at the first question.
type store struct {
	repo string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	rest int64 // of the last content, its line feed with it
}

func (s *store) ask(line string) (kind packidx.Kind, size int64, err error) {
	if s.cmd == nil {
		s.cmd = exec.Command("git", "cat-file", "--batch-command")
		s.cmd.Dir, s.cmd.Env = s.repo, gitEnv()
		in, err1 := s.cmd.StdinPipe()
		out, err2 := s.cmd.StdoutPipe()
		if err := errors.Join(err1, err2, s.cmd.Start()); err != nil {
			return 0, 0, err
		}
		s.in, s.out = in, bufio.NewReader(out)
	}
	if _, err := io.CopyN(io.Discard, s.out, s.rest); err != nil {
		return 0, 0, err
	}
	s.rest = 0
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		return 0, 0, err
	}
	answer, err := s.out.ReadString('\n')
	if err != nil {
		return 0, 0, err
	}
	f := strings.Fields(answer)
	if len(f) != 3 {
		return packidx.None, 0, nil
	}
	_, err = fmt.Sscan(f[2], &size)
	return packidx.KindOf(f[1]), size, err
}

func (s *store) Kinds(ids []packidx.ID) ([]packidx.Kind, error) {
	var kinds []packidx.Kind
	for _, id := range ids {
		k, _, err := s.ask("info " + id.String())
		if err != nil {
			return nil, err
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

func (s *store) Open(id packidx.ID) (packidx.Kind, int64, io.Reader, error) {
	k, size, err := s.ask("contents " + id.String())
	if err != nil || k == packidx.None {
		return k, 0, nil, err
	}
	s.rest = size + 1
	return k, size, &counted{s}, nil
}

// counted reads the content and takes it off rest; the line feed stays.
type counted struct{ s *store }

func (c *counted) Read(p []byte) (int, error) {
	if c.s.rest == 1 {
		return 0, io.EOF
	}
	n, err := c.s.out.Read(p[:min(int64(len(p)), c.s.rest-1)])
	c.s.rest -= int64(n)
	return n, err
}

func (s *store) close() {
	if s.cmd != nil {
		s.in.Close()
		s.cmd.Wait() // what it says matters to nobody
	}
}

// indexes returns the content of each index by its name.
func indexes(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	names, err := filepath.Glob(filepath.Join(dir, "pack-*.idx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.Base(name)] = string(b)
	}
	return found
}
