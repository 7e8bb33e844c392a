// Package shim keeps one instance of an app alive without the server.
//
// A shim is pid 1 of its instance's pid namespace: this same program, executed
// again in a sandbox. It starts the app, reaps what is left to it, writes what
// the app prints to the instance's log file, answers on a unix socket (signal,
// stop, kill), and when the app ends it ends everything else of the instance,
// writes exit.json, and goes. It needs nothing of the server that started it.
//
// Start makes one, and Adopt finds it again after the server was restarted. An
// instance's directory holds
//
//	instance.json  who it is: identity, pid of the app, cgroup
//	ctl            the control socket, 0600
//	exit.json      how it ended, written before anybody is told
//	shim.log       what the shim itself had to say; usually empty
package shim

import (
	"errors"
	"path/filepath"
	"strings"

	"hop3/procman/sandbox"
)

// Spec describes an instance.
type Spec struct {
	// Dir is the instance's own directory, absolute, made 0700. It must not be
	// that of an instance which still runs.
	Dir string
	// LogPath is the log file, absolute. Its directory is made if it is
	// missing. Several instances may share one.
	LogPath string
	Sandbox sandbox.Spec
	Process string // "web.1", for the log
	Release int    // for the log
	Log     LogLimits
	Masked  []string // texts that the log does not keep, the longest first
}

// LogLimits bound the log of an instance. The zero value means the defaults.
type LogLimits struct {
	FileBytes int64 // size at which the file is rotated; 10 MiB
	Files     int   // files kept, the current one included; 5
}

// ExitStatus says how an instance ended.
type ExitStatus = sandbox.ExitStatus

// Identity names one instance for good; a pid alone is used again.
type Identity struct {
	Boot  string `json:"boot"`  // the kernel's boot id
	Pid   int    `json:"pid"`   // the shim's pid on the host
	Start uint64 `json:"start"` // its start time, in clock ticks since boot
	Token string `json:"token"` // random
}

// Files of an instance's directory.
const (
	instanceFile = "instance.json"
	socketFile   = "ctl"
	exitFile     = "exit.json"
	shimLog      = "shim.log"
)

// payload is what the shim gets beside the sandbox's own specification.
type payload struct {
	Process string
	Release int
	LogName string
	Log     LogLimits
	Masked  []string
	Token   string
}

// Places of the shim's descriptors among sandbox.LaunchOptions.Files.
const (
	fileListener = iota
	fileDir
	fileLogDir
)

func (l LogLimits) withDefaults() LogLimits {
	if l.FileBytes <= 0 {
		l.FileBytes = 10 << 20
	}
	if l.Files <= 0 {
		l.Files = 5
	}
	return l
}

func (s *Spec) validate() error {
	for _, p := range []string{s.Dir, s.LogPath} {
		if !filepath.IsAbs(p) || strings.ContainsRune(p, 0) {
			return errors.New("check instance: Dir and LogPath must be absolute")
		}
	}
	if !validProcess(s.Process) {
		return errors.New("check instance: a process needs a name without blanks")
	}
	return nil
}
