package nix

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Exit statuses of nix-store --realise beyond 1; they are a sum of bits on 100.
const (
	exitTimedOut         = 101
	exitHashMismatch     = 102
	exitNotDeterministic = 104
)

// The reasons of a BuildError. Callers may compare; people read them.
const (
	ReasonBuild       = "build failed"
	ReasonAttr        = "attribute missing"
	ReasonEval        = "evaluation error"
	ReasonMismatch    = "hash mismatch"
	ReasonMemory      = "out of memory"
	ReasonDisk        = "disk full"
	ReasonNetwork     = "no network"
	ReasonTimeout     = "build timed out"
	ReasonLog         = "too much output"
	ReasonOldNix      = "nix too old"
	ReasonSandbox     = "sandbox not available"
	ReasonInputLocked = "input cannot be locked"
)

// A BuildError says which step failed, and how.
type BuildError struct {
	Drv      string // the derivation that failed; "" for the evaluation
	Step     string // its name as a person says it, with the phase: "blog-deps: npm ci"; "evaluation"
	ExitCode int    // of the builder; -1 where it has none
	Signal   string // that ended the builder, such as "signal 9 (Killed)"; ""
	Tail     []string
	Reason   string // one of the constants
	Message  string // nix's own words, the last error
	File     string // where an evaluation failed, relative to the flake where it is in it; ""
	Line     int

	HashMismatches []Mismatch
	hint           string
}

func (e *BuildError) Error() string {
	where := e.Step
	if e.File != "" {
		where = fmt.Sprintf("%s (%s:%d)", e.Step, e.File, e.Line)
	}
	what := e.Reason
	switch {
	case e.Signal != "":
		what += ", " + e.Signal
	case e.ExitCode > 0:
		what += fmt.Sprintf(", exit status %d", e.ExitCode)
	}
	if e.Message != "" && (e.Reason != ReasonBuild || what == e.Reason) {
		what += ": " + e.Message
	}
	return "build " + where + ": " + what
}

// Hint says in one line how to mend it, "" where nothing is known.
func (e *BuildError) Hint() string { return e.hint }

func missingAttr(attr string, have []string) *BuildError {
	e := &BuildError{Step: "evaluation", ExitCode: -1, Reason: ReasonAttr,
		Message: fmt.Sprintf("the flake has no packages.%s.%s", system(), attr)}
	slices.Sort(have)
	if len(have) > 10 {
		have = append(have[:10:10], "…")
	}
	if len(have) == 0 {
		e.hint = fmt.Sprintf("give flake.nix an output packages.%s.%s", system(), attr)
	} else {
		e.hint = "it has: " + strings.Join(have, ", ")
	}
	return e
}

func notDerivation(attr string) *BuildError {
	return &BuildError{Step: "evaluation", ExitCode: -1, Reason: ReasonAttr,
		Message: fmt.Sprintf("packages.%s.%s is not a derivation", system(), attr),
		hint:    "make it one: what mkDerivation, runCommand or buildEnv return"}
}

var errEvalTimeout = errors.New("the evaluation took too long")

// buildError makes a *BuildError of a nix that failed; other errors, such as a
// cancelled context, pass through.
func buildError(err error, mon *monitor, evaluating bool) error {
	var exit *exitError
	if errors.Is(err, errEvalTimeout) {
		return &BuildError{Step: "evaluation", ExitCode: -1, Reason: ReasonTimeout, Message: errEvalTimeout.Error(), hint: timeoutHint}
	}
	if !errors.As(err, &exit) {
		return err
	}
	e := diagnose(mon.messages, evaluating)
	if e.Drv == "" && exit.code == exitTimedOut {
		e.Drv = mon.lastBuild // since 2.30 the message does not say which
	}
	if e.Drv != "" {
		e.Step = stepName(e.Drv)
		if s := mon.steps[e.Drv]; s != nil {
			e.Tail = s.lines()
			if phase := phaseName(s.phase); phase != "" {
				e.Step += ": " + phase
			}
		}
	}
	if e.Message == "" {
		e.Message = "nix ended with " + exit.state
	}
	if exit.code == exitTimedOut && e.Reason == ReasonBuild {
		e.Reason = ReasonTimeout
	}
	e.classify()
	return e
}
