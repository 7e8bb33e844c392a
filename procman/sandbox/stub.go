package sandbox

import (
	"context"
	"errors"
)

// Features says what this machine can give to a sandbox.
type Features struct {
	Isolation  string    `json:"isolation"` // "root", "userns" or "none"
	Cgroups    string    `json:"cgroups"`   // "v2", "hybrid", "v1" or "none"
	Memory     bool      `json:"memory"`    // limits that can be set
	CPU        bool      `json:"cpu"`
	Pids       bool      `json:"pids"`
	CgroupKill bool      `json:"cgroup_kill"`
	Seccomp    bool      `json:"seccomp"`
	Overlay    bool      `json:"overlay"`
	Problems   []Problem `json:"problems,omitempty"`
}

// Problem is one thing that the machine cannot give, and how to get it.
type Problem struct {
	What string `json:"what"`
	Fix  string `json:"fix"`
}

// Support looks at what this machine can give, without starting anything.
func Support() Features { return Features{} }

// Run runs a one-off process to its end.
func Run(ctx context.Context, exe string, s Spec, io Stdio) (ExitStatus, error) {
	return ExitStatus{}, errors.ErrUnsupported
}

// Main is the entry of the re-executed binary and returns its exit code.
func Main() int { return 2 }
