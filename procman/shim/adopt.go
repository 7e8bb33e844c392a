package shim

import (
	"errors"
	"fmt"
	"path/filepath"
)

// ErrGone is an instance that no longer runs and has left no exit status: its
// machine was restarted, or it was killed together with its shim.
var ErrGone = errors.New("instance is gone")

// ErrOther is an instance that is not the one wanted.
var ErrOther = errors.New("another instance is there")

// Adopt takes over an instance that an earlier server started. Before anything
// is sent to it, it proves to be want: by boot, by process start time, by the
// socket's peer and by the token.
//
// One that has ended meanwhile is returned with Done closed, if it left its
// exit status. One that runs but does not answer in time is killed: nobody
// could look after it. Else the error is ErrGone or ErrOther; what it left is
// cleared away in the first case and not touched in the second. Any other error
// tells that it may still run.
func Adopt(dir string, want Identity) (*Instance, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	c, err := readCard(dir)
	if err != nil {
		return nil, fmt.Errorf("adopt instance: %w", errors.Join(ErrGone, err))
	}
	if c.Identity != want {
		return nil, fmt.Errorf("adopt instance: %w", ErrOther)
	}
	if want.Boot == boot {
		i, err := hold(dir, c, nil)
		if err == nil {
			return i, nil
		}
		if errors.Is(err, ErrOther) {
			return nil, fmt.Errorf("adopt instance: %w", err)
		}
		// Gone, or it runs and does not answer: ended sees to it that nobody runs on unwatched.
	}
	return ended(dir, c, want.Boot == boot)
}

// ended is an instance that was found to have ended.
func ended(dir string, c card, sameBoot bool) (*Instance, error) {
	var rest error
	if sameBoot {
		if err := endPid(c.Identity); err != nil {
			return nil, fmt.Errorf("adopt instance: %w", err)
		}
		rest = finish(dir, c)
	}
	st, err := readExit(filepath.Join(dir, exitFile))
	if err != nil {
		return nil, fmt.Errorf("adopt instance: %w", errors.Join(ErrGone, err, rest))
	}
	i := &Instance{dir: dir, card: c, done: make(chan struct{}), exit: st, rest: rest, release: func() {}}
	close(i.done)
	return i, nil
}

// endPid waits for a shim that is just ending, and kills one that does not get
// on with it. The process is the one wanted: its start time says so.
func endPid(id Identity) error {
	fd, err := openPid(id)
	if errors.Is(err, ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer fd.Close()
	sc, err := fd.SyscallConn()
	if err != nil {
		return fmt.Errorf("wait for shim: %w", err)
	}
	ended := false
	wait := func(fd uintptr) { ended = readable(fd, int(answerTime.Milliseconds())) }
	if err := sc.Control(wait); err != nil || ended {
		return err
	}
	if err := errors.Join(killPid(fd), sc.Control(wait)); err != nil || ended {
		return err
	}
	return fmt.Errorf("kill shim %d: it does not end", id.Pid)
}
