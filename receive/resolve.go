package receive

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Resolve returns the commit that rev names: a branch, a tag, a full or
// abbreviated id, or what git makes of them (main~2). It returns "" where there
// is no such commit.
func (r *Repo) Resolve(ctx context.Context, rev string) (string, error) {
	if rev == "" || len(rev) > 1000 || strings.ContainsFunc(rev, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", nil
	}
	out, err := r.view().run(ctx, "", "rev-parse", "--quiet", "--verify", "--end-of-options", rev+"^{commit}")
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 && ctx.Err() == nil {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("resolve commit: %w", err)
	}
	return strings.TrimSpace(out), nil
}
