package receive

import (
	"context"
	"fmt"
	"io"
	"os/exec"

	"golang.org/x/sys/unix"
)

// Ingest is a pack on its way into a quarantine.
type Ingest struct {
	Repo    *Repo
	Objects string    // the quarantine's object folder; it names the repository's as its alternate
	Shallow string    // file with the commits that may lack their parents, "" = the repository's
	Pack    io.Reader // exactly one pack; io.EOF after its last byte
	Tip     string    // the commit that it is about
	Limits  Limits
}

// Ingester checks and indexes a pack. When Ingest returns no error, Objects holds pack and index, each object in it is
// well formed, each delta found its base, and what an object links to is in the pack or the repository. If it knows that
// Tip is in the pack with everything that Tip needs, it says that the pack is whole. It stops when ctx ends. It may
// leave anything behind in Objects when it fails, and a Read of Pack may then still be waiting.
type Ingester interface {
	Ingest(ctx context.Context, in Ingest) (whole bool, err error)
}

// GitIngester is git index-pack.
type GitIngester struct{}

// oldSins are faults of commits and trees that old tools made, that many histories carry and that
// harm nobody; everything else that git's fsck knows is fatal.
const oldSins = "zeroPaddedFilemode=warn,badTimezone=warn,badEmail=warn,missingEmail=warn," +
	"missingNameBeforeEmail=warn,missingSpaceBeforeEmail=warn,missingSpaceBeforeDate=warn"

// Ingest implements Ingester.
func (GitIngester) Ingest(ctx context.Context, in Ingest) (whole bool, err error) {
	v := in.Repo.view()
	v.objects, v.shallow = in.Objects, in.Shallow
	cmd := v.command(ctx, "index-pack", "--stdin", "--fix-thin", "--strict="+oldSins)
	stderr := &tail{}
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return false, fmt.Errorf("index pack: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("index pack: %w", err)
	}
	fed := make(chan error, 1)
	if err := limitMemory(cmd, in.Limits.Memory); err != nil {
		stdin.Close() // the child ends by itself: it has read nothing
		fed <- err
	} else {
		go func() { // ends when the pack does, or with the first write after the child's end
			_, err := io.Copy(stdin, onlyReader{in.Pack})
			stdin.Close()
			fed <- err
		}()
	}
	if err := cmd.Wait(); err != nil {
		select {
		case ferr := <-fed:
			if isSize(ferr) {
				return false, ferr
			}
		default:
		}
		return false, packError(ctx, stderr, err)
	}
	return false, nil
}

// onlyReader hides every method but Read, so that io.Copy uses its own buffer.
type onlyReader struct{ io.Reader }

// limitMemory bounds a child before it gets its first byte.
func limitMemory(cmd *exec.Cmd, bytes uint64) error {
	lim := unix.Rlimit{Cur: bytes, Max: bytes}
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_AS, &lim, nil); err != nil {
		return fmt.Errorf("limit memory: %w", err)
	}
	return nil
}

func packError(ctx context.Context, stderr *tail, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if said := stderr.fatal(); said != "" {
		return fmt.Errorf("the pack is not acceptable: %s", said)
	}
	return fmt.Errorf("index pack: %w", err)
}
