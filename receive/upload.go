package receive

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"regexp"
)

var protocolValue = regexp.MustCompile(`^[A-Za-z0-9=:._-]{1,200}$`)

// UploadPack serves one git clone, fetch or ls-remote. protocol is the client's GIT_PROTOCOL. It
// returns when git upload-pack has ended, and kills it when ctx ends; one Read of in may then still
// be waiting, until the caller closes in.
func UploadPack(ctx context.Context, r *Repo, in io.Reader, out, errw io.Writer, protocol string) error {
	cmd := r.view().command(ctx, "upload-pack", "--strict", r.dir)
	if protocolValue.MatchString(protocol) {
		cmd.Env = append(cmd.Env, "GIT_PROTOCOL="+protocol)
	}
	return serveGit(ctx, cmd, in, out, errw)
}

// UploadArchive serves one git archive --remote, of branches and tags by their names, as UploadPack serves a clone.
func UploadArchive(ctx context.Context, r *Repo, in io.Reader, out, errw io.Writer) error {
	return serveGit(ctx, r.view().command(ctx, "upload-archive", r.dir), in, out, errw)
}

// serveGit runs a child that talks to a client.
func serveGit(ctx context.Context, cmd *exec.Cmd, in io.Reader, out, errw io.Writer) error {
	stderr := &tail{}
	cmd.Stdout, cmd.Stderr = out, io.MultiWriter(errw, stderr)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("serve fetch: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("serve fetch: %w", err)
	}
	go func() { // ends with in, or with the first write after the child's end
		io.Copy(stdin, in) // git says itself what is wrong with what it got
		stdin.Close()
	}()
	if err := cmd.Wait(); err != nil {
		return gitError(ctx, cmd.Args[1], stderr, err)
	}
	return nil
}
