package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A StackError is what went wrong once the stack of the tree was known. It reads as the error that it wraps.
type StackError struct {
	Stack string
	Err   error
	More  []string // hints about the tree that may be the cause
}

func (e *StackError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *StackError) Unwrap() error { return e.Err }

// Hint is that of the error inside, and what else may be the cause, one to a line; "" if nothing is known.
func (e *StackError) Hint() string {
	var hints []string
	if h, ok := e.Err.(interface{ Hint() string }); ok && h.Hint() != "" {
		hints = append(hints, h.Hint())
	}
	return strings.Join(append(hints, e.More...), "\n")
}

// A ParseError is a file of the app that breaks its format. Line is 0 when the whole file is meant.
type ParseError struct {
	File string
	Line int
	Msg  string
}

func (e *ParseError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// Hint says what to do.
func (e *ParseError) Hint() string { return "mend " + e.File + ", commit and push again" }

// An UnknownError is returned when no stack claims the tree.
type UnknownError struct {
	Hints     []string // what looks like the cause
	Tree      []string // the top of the tree, folders with a slash
	Supported []string // stack names
}

func (e *UnknownError) Error() string {
	s := "no stack found for this tree"
	if len(e.Tree) == 0 {
		return s + ": it is empty"
	}
	return s + "; it holds: " + join(e.Tree)
}

// Hint joins the hints and the supported stacks.
func (e *UnknownError) Hint() string {
	return strings.Join(append(append([]string{}, e.Hints...), "supported: "+join(e.Supported)), "\n")
}

// An UnsupportedError names something that was recognised and that hop3 does not build yet.
type UnsupportedError struct {
	What     string // "pnpm"
	Evidence string // the file, with its line where there is one
	Fix      string // what works instead, "" if nothing is known
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s (%s) is detected, but not supported yet", e.What, e.Evidence)
}

// Hint says what works instead.
func (e *UnsupportedError) Hint() string {
	if e.Fix != "" {
		return e.Fix
	}
	return "the stack nix builds anything: add a flake.nix with packages.<system>.default; to have this passed over, name a stack under [build] in hop3.toml"
}

// A StartError is returned when the stack is known and nothing says how to start the app.
type StartError struct {
	Stack   string
	Tried   []string
	Choices []string // hints: what could be started, when the tree says so
}

func (e *StartError) Error() string {
	return fmt.Sprintf("nothing says how to start this %s app; tried: %s", e.Stack, join(append([]string{"hop3.toml [run] start", "Procfile"}, e.Tried...)))
}

// Hint says what to do.
func (e *StartError) Hint() string {
	if len(e.Choices) > 0 {
		return strings.Join(e.Choices, "\n")
	}
	return `add a Procfile with a line "web: COMMAND" and commit it`
}

// ErrorJSON returns err as `hop3 detect --json` prints it, one document with a final newline.
func ErrorJSON(err error) []byte {
	hints := []string{}
	if h, ok := err.(interface{ Hint() string }); ok && h.Hint() != "" {
		hints = strings.Split(h.Hint(), "\n")
	}
	b, merr := marshalPlain(struct {
		Version int      `json:"version"`
		Stack   string   `json:"stack"`
		Error   string   `json:"error"`
		Hints   []string `json:"hints"`
	}{planVersion, stackOf(err), err.Error(), hints})
	if merr != nil { // strings always marshal
		b, _ = json.Marshal(merr.Error())
	}
	return append(b, '\n')
}

// stackOf is the stack that was known when err arose, "" if none was.
func stackOf(err error) string {
	if s, ok := errors.AsType[*StackError](err); ok {
		return s.Stack
	}
	return ""
}
