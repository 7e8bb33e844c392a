package receive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// view is how a git child sees a repository: as it is, or through a quarantine.
type view struct {
	exe     string // absolute path of git
	dir     string // the repository
	objects string // "" = the repository's own
	shallow string // "" = the repository's own
}

// gitConfig is all the configuration that a child has beside the repository's own file. The window
// sizes keep its address space small whatever the packs; a small big-file threshold makes it stream.
var gitConfig = [][2]string{
	{"safe.directory", "*"}, // the path is ours, whoever owns the files
	{"core.hooksPath", "/dev/null"},
	{"core.fsync", "all"},
	{"core.packedGitWindowSize", "16m"},
	{"core.packedGitLimit", "128m"},
	{"core.bigFileThreshold", "32m"},
	{"core.deltaBaseCacheLimit", "64m"},
	{"pack.threads", "2"},
	{"gc.auto", "0"},
	{"maintenance.auto", "false"},
	{"transfer.hideRefs", strings.TrimSuffix(ownRefs, "/")},
	{"log.showSignature", "false"},
}

// command makes a child that dies with ctx, with everything that it started.
func (v view) command(ctx context.Context, args ...string) *exec.Cmd {
	if v.shallow != "" {
		args = append([]string{"--shallow-file", v.shallow}, args...)
	}
	cmd := exec.CommandContext(ctx, v.exe, args...)
	cmd.Dir = v.dir
	cmd.Env = v.env()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func killGroup(p *os.Process) error {
	if err := syscall.Kill(-p.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

func (v view) env() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LC_ALL=C", "TZ=UTC",
		"GIT_DIR=" + v.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0",
		fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(gitConfig)),
	}
	for i, kv := range gitConfig {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, kv[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, kv[1]))
	}
	if v.objects != "" {
		env = append(env, "GIT_OBJECT_DIRECTORY="+v.objects)
	}
	return env
}

// run runs git with that input and returns its output.
func (v view) run(ctx context.Context, in string, args ...string) (string, error) {
	cmd := v.command(ctx, args...)
	var out bytes.Buffer
	stderr := &tail{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, stderr
	if err := cmd.Run(); err != nil {
		return out.String(), gitError(ctx, args[0], stderr, err)
	}
	return out.String(), nil
}

// gitError says in git's own words why a child failed.
func gitError(ctx context.Context, what string, stderr *tail, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if said := stderr.fatal(); said != "" {
		return fmt.Errorf("git %s: %s: %w", what, said, err)
	}
	return fmt.Errorf("git %s: %w", what, err)
}

// tail keeps the end of a child's stderr.
type tail struct{ b []byte }

const tailBytes = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > tailBytes {
		t.b = append(t.b[:0], t.b[len(t.b)-tailBytes:]...)
	}
	return len(p), nil
}

// fatal returns the first line that git marked as an error, else as fatal, else the last one.
func (t *tail) fatal() string {
	last, fatal := "", ""
	for line := range strings.Lines(string(t.b)) {
		line = strings.TrimSpace(line)
		if said, ok := strings.CutPrefix(line, "error: "); ok {
			return said
		}
		if said, ok := strings.CutPrefix(line, "fatal: "); ok && fatal == "" {
			fatal = said
		}
		if line != "" {
			last = line
		}
	}
	if fatal != "" {
		return fatal
	}
	return last
}

var _ io.Writer = (*tail)(nil)
