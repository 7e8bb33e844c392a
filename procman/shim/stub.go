// Package shim is pid 1 of an app's instance, and the client that talks to it.
package shim

import (
	"context"
	"errors"
	"syscall"
	"time"

	"hop3/procman/sandbox"
)

// Spec describes an instance.
type Spec struct {
	Dir     string // instance directory, made 0700: control socket, instance.json, exit.json
	LogPath string // log file; its directory is made if missing
	Sandbox sandbox.Spec
	Process string // "web.1"
	Release int
	Log     LogLimits
}

// LogLimits bound the log of one instance. The zero value means the defaults.
type LogLimits struct {
	FileBytes int64 // size at which the file is rotated; 10 MiB
	Files     int   // files kept, the current one included; 5
}

// ExitStatus says how an instance ended.
type ExitStatus = sandbox.ExitStatus

// Identity names one instance for good: pids are used again, these three are not.
type Identity struct {
	Boot  string `json:"boot"`  // the kernel's boot id
	Pid   int    `json:"pid"`   // the shim's pid on the host
	Start uint64 `json:"start"` // its start time, in clock ticks since boot
	Token string `json:"token"` // random
}

// Instance is a running (or ended) instance.
type Instance struct{}

// Start starts an instance and returns when the app has been exec'd, or with the reason why not.
func Start(ctx context.Context, exe string, s Spec) (*Instance, error) {
	return nil, errors.ErrUnsupported
}

// Adopt takes an instance over that an earlier server started.
func Adopt(dir string, want Identity) (*Instance, error) { return nil, errors.ErrUnsupported }

// Pid is the app's main process as the host sees it.
func (i *Instance) Pid() int { return 0 }

// Identity is what Adopt wants to be told.
func (i *Instance) Identity() Identity { return Identity{} }

// Signal sends sig to the app's main process.
func (i *Instance) Signal(sig syscall.Signal) error { return nil }

// Stop sends sig to the main process and after grace kills everything. It returns when all has ended.
func (i *Instance) Stop(ctx context.Context, sig syscall.Signal, grace time.Duration) error {
	return nil
}

// Kill ends everything at once. Done tells when it has happened.
func (i *Instance) Kill() error { return nil }

// Done is closed when no process of the instance is left.
func (i *Instance) Done() <-chan struct{} { return nil }

// Exit is valid after Done.
func (i *Instance) Exit() ExitStatus { return ExitStatus{} }

// Close lets go of the instance without ending it.
func (i *Instance) Close() error { return nil }

// Reexec runs the program's other halves: if this process was started as a
// sandbox or shim it does that work and reports ok with the exit code.
// Call it first thing in main and in TestMain: if code, ok := shim.Reexec(); ok { os.Exit(code) }
func Reexec() (code int, ok bool) { return 0, false }
