package deploy

import (
	"errors"
	"fmt"
)

// A Failure ends a deploy. The pusher sees its lines; git sees its reason.
type Failure struct {
	What   string   // the sentence for the pusher
	Tail   []string // last lines of the thing that failed
	Mend   string   // what to do about it, "" if nothing is known
	Why    string   // a few words for git's report: "build failed"
	Status error    // the cause, may be nil
}

func (f *Failure) Error() string { return f.What }

// Hint says what to do about it.
func (f *Failure) Hint() string { return f.Mend }

// Reason is what git prints behind "remote rejected".
func (f *Failure) Reason() string { return f.Why }

func (f *Failure) Unwrap() error { return f.Status }

// Tail writes the last lines of the thing that failed, if err has any.
func (t *Talk) Tail(err error) {
	var f *Failure
	if errors.As(err, &f) {
		for _, line := range f.Tail {
			t.Fail("  %s", line)
		}
	}
}

// report writes the failure for the pusher.
func (t *Talk) report(err error) {
	t.Tail(err)
	t.Fail("%s", err.Error())
	if h := hintOf(err); h != "" {
		t.Fail("%s", h)
	}
}

// hintOf finds what to do about err.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// Superseded is the cause that ends a push which waited when a newer came.
type Superseded struct{ By string }

func (s *Superseded) Error() string { return fmt.Sprintf("superseded by %s", s.By) }

// Reason is what git prints behind "remote rejected".
func (s *Superseded) Reason() string { return s.Error() }
