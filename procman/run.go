package procman

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"syscall"

	"hop3/procman/sandbox"
	"hop3/procman/shim"
)

// releaseType is the process type that runs once before a release goes live. It is never part of the formation.
const releaseType = "release"

// PostdeployType names the command that runs after a release has gone live.
const PostdeployType = "postdeploy"

// RunSpec is a one-off process of a release.
type RunSpec struct {
	// Type names it: "release" for the release command; else, or empty, it is a "run". What "release" and PostdeployType
	// print is kept in the app's logs too. A process type of the Procfile
	// gives it that type's limits.
	Type string
	// Shell is a command as in the Procfile. Argv, where Shell is empty, is executed as it is.
	Shell    string
	Argv     []string
	Env      []string // K=V, over the app's own
	In       io.Reader
	Out, Err io.Writer
	Pty      *sandbox.Pty // its own terminal; all output comes on Out
	Signals  <-chan syscall.Signal
}

// Run runs a one-off process in release r, with the environment and isolation of its other processes but no PORT, and
// returns its exit code (128+n for signal n). An error means that it did not run to its end by itself: it could not be
// started, or ctx ended it.
func (s *Supervisor) Run(ctx context.Context, r Release, c RunSpec) (int, error) {
	rel, err := r.normal(s.o.Defaults)
	if err != nil {
		return -1, err
	}
	name := releaseType
	if c.Type != releaseType {
		name = "run." + strconv.FormatUint(s.runs.Add(1), 10)
	}
	box, err := s.oneOff(rel, name, c)
	if err != nil {
		return -1, err
	}
	if c.Type == releaseType || c.Type == PostdeployType {
		log, err := openRunLog(rel, c.Type)
		if err != nil {
			return -1, err
		}
		defer log.close() //nolint:errcheck // everything was written, or cannot be
		c.Out, c.Err = log.tee(shim.Stdout, c.Out), log.tee(shim.Stderr, c.Err)
	}
	exit, err := sandbox.Run(ctx, s.o.Exe, box, sandbox.Stdio{
		In: c.In, Out: c.Out, Err: c.Err, Pty: c.Pty, Signals: c.Signals,
	})
	if err != nil {
		return -1, fmt.Errorf("run %s of %s: %w", name, rel.App, err)
	}
	return exit.Code, nil
}
