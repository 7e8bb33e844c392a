package procman

import (
	"fmt"

	"hop3/procman/sandbox"
)

// Exit is how a process ended.
type Exit = sandbox.ExitStatus

// Reason says in one word why an instance did not become ready.
type Reason string

// The reasons of a StartError.
const (
	NotStarted  Reason = "not started"  // it could not be executed
	EndedEarly  Reason = "exited"       // it ended before it was ready
	NeverListen Reason = "never listen" // nothing accepted on its port in time
	WrongPort   Reason = "wrong port"   // it listens, on another port
	Unhealthy   Reason = "unhealthy"    // it answers, and not well
	PortTaken   Reason = "port taken"   // somebody else listens on its port
)

// StartError is why a new release did not go live: one of its instances did not become ready. What ran before runs on.
type StartError struct {
	App     string
	Process string // "web.1"
	Release int
	Reason  Reason
	Detail  string   // the sentence that goes after the process's name
	Exit    *Exit    // where it ended
	Log     []string // its last lines of output, oldest first
	Err     error    // the cause where there is one
	hint    string
}

func (e *StartError) Error() string { return fmt.Sprintf("start %s: it %s", e.Process, e.Detail) }

func (e *StartError) Unwrap() error { return e.Err }

// Hint says how to mend it.
func (e *StartError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	switch {
	case e.Exit != nil && e.Exit.OOM:
		return "raise memory under [processes." + typeOf(e.Process) + "] in hop3.toml, or make the app use less"
	case e.Reason == EndedEarly && e.Exit != nil && e.Exit.Signal == "" && e.Exit.Code == 127:
		return "a program in the command was not found; PATH holds the release's own tools only"
	case e.Reason == EndedEarly && e.Exit != nil && e.Exit.Signal == "" && e.Exit.Code == 0:
		return "the command must stay in the foreground; it ended by itself"
	case e.Reason == EndedEarly:
		return "its last lines of output are above; try the command with: run " + e.App
	case e.Reason == NeverListen:
		return "listen on $PORT at $HOST (" + Loopback + "), or raise start-timeout in hop3.toml if it needs longer"
	case e.Reason == WrongPort:
		return "listen on the port in the environment variable PORT"
	case e.Reason == Unhealthy:
		return "see its output above; [healthcheck] path in hop3.toml names the page that is asked"
	}
	return ""
}

func typeOf(process string) string {
	for i := len(process) - 1; i >= 0; i-- {
		if process[i] == '.' {
			return process[:i]
		}
	}
	return process
}

// StaticError is a static folder that the release does not have.
type StaticError struct{ Dir string }

func (e *StaticError) Error() string {
	return fmt.Sprintf("serve static files: the release has no folder %q", e.Dir)
}

// Hint says where the name comes from.
func (e *StaticError) Hint() string {
	return "static: in the Procfile names the folder with the built files, relative to the app"
}
