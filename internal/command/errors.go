package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"hop3/internal/certs"
	"hop3/internal/deploy"
	"hop3/internal/manual"
	"hop3/internal/sbom"
	"hop3/internal/state"
	"hop3/procman"
)

// Exit codes of PRODUCT.md section 8.
const (
	ExitDone         = 0
	ExitFailed       = 1
	ExitUsage        = 2
	ExitNotFound     = 3
	ExitUnknownKey   = 4
	ExitDenied       = 5
	ExitConflict     = 6
	ExitServer       = 7
	ExitDeploy       = 8
	ExitNotConfirmed = 10
	ExitCancelled    = 130
)

// Exits lists the exit codes with their meanings.
func Exits() []manual.Exit {
	return []manual.Exit{
		{Code: ExitDone, Meaning: "done"},
		{Code: ExitFailed, Meaning: "failed"},
		{Code: ExitUsage, Meaning: "not as the command takes it"},
		{Code: ExitNotFound, Meaning: "no such app or thing"},
		{Code: ExitUnknownKey, Meaning: "the key is not known"},
		{Code: ExitDenied, Meaning: "not allowed"},
		{Code: ExitConflict, Meaning: "conflict, or locked"},
		{Code: ExitServer, Meaning: "server trouble"},
		{Code: ExitDeploy, Meaning: "deploy failed"},
		{Code: ExitNotConfirmed, Meaning: "not confirmed"},
		{Code: ExitCancelled, Meaning: "cancelled"},
	}
}

// Usage says that a call is not as the command takes it.
type Usage struct{ What, Mend string }

func (e *Usage) Error() string { return e.What }

// Hint shows how it is taken.
func (e *Usage) Hint() string { return e.Mend }

func usageError(c *Command) error {
	return &Usage{What: c.Name + " takes other operands", Mend: "usage: " + c.usage()}
}

// Denied says that a key may not do something.
type Denied struct{ Who, What, Needs string }

func (e *Denied) Error() string { return fmt.Sprintf("the key %s may not %s", e.Who, e.What) }

// Hint names the role.
func (e *Denied) Hint() string { return "it takes a key with the role " + e.Needs }

// KeyGone says that a key was taken back, or expired, while its call went on.
type KeyGone struct {
	Who string
	Err error
}

func (e *KeyGone) Error() string { return fmt.Sprintf("the key %s may not be used any more", e.Who) }
func (e *KeyGone) Unwrap() error { return e.Err }

// AppMissing says that a call names no app.
type AppMissing struct{ Mend string }

func (e *AppMissing) Error() string { return "no app is named" }

// Hint lists the apps.
func (e *AppMissing) Hint() string { return e.Mend }

// NotConfirmed says that something dangerous was not confirmed.
type NotConfirmed struct{ What, Mend string }

func (e *NotConfirmed) Error() string { return e.What }

// Hint says how to confirm.
func (e *NotConfirmed) Hint() string { return e.Mend }

// Exited is not an error of hop3: a command that was run ended with a status
// other than 0.
type Exited struct{ Code int }

func (e *Exited) Error() string { return fmt.Sprintf("exit status %d", e.Code) }

// Cancelled is the error of a call whose caller ended it.
type Cancelled struct{ Err error }

func (e *Cancelled) Error() string { return "cancelled: " + e.Err.Error() }
func (e *Cancelled) Unwrap() error { return e.Err }

// exitCode maps an error to its exit code.
func exitCode(err error) int {
	var exited *Exited
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &exited):
		return exited.Code
	case is[*Cancelled](err):
		return ExitCancelled
	case is[*Usage](err), is[*state.Invalid](err), is[*certs.InvalidError](err), is[*deploy.BackupError](err), is[*sbom.FormatError](err):
		return ExitUsage
	case is[*state.NotFound](err), is[*AppMissing](err), is[*procman.UnknownTypeError](err), is[*procman.JobError](err):
		return ExitNotFound
	case is[*KeyGone](err):
		return ExitUnknownKey
	case is[*Denied](err):
		return ExitDenied
	case is[*state.Conflict](err), is[*deploy.NotDeployed](err), is[*deploy.Superseded](err), is[*deploy.Locked](err), is[*state.ForeignError](err), is[*deploy.NoDatabase](err):
		return ExitConflict
	case is[*NotConfirmed](err):
		return ExitNotConfirmed
	case errors.Is(err, context.Canceled), is[*deploy.Stopped](err):
		return ExitCancelled
	case is[*deploy.Failure](err):
		return ExitDeploy
	}
	return ExitServer
}

func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// An ErrorAnswer is what --json writes where a command failed.
type ErrorAnswer struct {
	Version int    `json:"version"`
	Error   string `json:"error"`
	Hint    string `json:"hint"`
	Exit    int    `json:"exit"`
}

// report tells the caller of an error and returns the exit code.
func report(s *Session, call *Call, err error) int {
	code := exitCode(err)
	if err == nil || is[*Exited](err) {
		return code
	}
	hint := ""
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		hint = h.Hint()
	}
	if call != nil && call.talk != nil {
		call.talk.Tail(err)
	}
	if call != nil && call.JSON {
		// A caller that cannot be told has gone.
		_ = json.NewEncoder(s.Out).Encode(ErrorAnswer{1, err.Error(), hint, code})
		return code
	}
	tell(s, " !     ", err.Error())
	if hint != "" {
		tell(s, "       ", hint)
	}
	return code
}

func tell(s *Session, prefix, text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		_, _ = fmt.Fprintf(s.Err, "%s%s\n", prefix, line) // a caller that cannot be told has gone
	}
}
