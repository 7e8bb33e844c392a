package receive

import (
	"errors"
	"syscall"
)

// FullError says that the file system of the repositories has no room for a push.
type FullError struct{ Err error }

func (e *FullError) Error() string { return "the server's disk is full" }
func (e *FullError) Unwrap() error { return e.Err }

// Reason is what git prints.
func (e *FullError) Reason() string { return "disk full" }

// Hint says what to do about it.
func (e *FullError) Hint() string {
	return "an operator must free space: the commands storage and gc show where it is"
}

// orFull makes a *FullError of an error that comes of a full disk, whose own text would name the server's folders.
func orFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &FullError{err}
	}
	return err
}
