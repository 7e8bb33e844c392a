package procman

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hop3/procman/sandbox"
	"hop3/procman/shim"
)

// Enter runs a command inside of a running instance of an app, called as "web.1": it sees the instance's own files and
// processes, has its environment and uid, counts against its limits and ends with it. It returns the command's exit
// code as Run does. Of c, Type and Shell are not used; without Argv it is the release's sh. A name that fits no running
// instance is an *UnknownTypeError.
func (s *Supervisor) Enter(ctx context.Context, name, process string, c RunSpec) (int, error) {
	a, err := s.app(name)
	if err != nil {
		return -1, err
	}
	var target *shim.Instance
	var r *Release
	var box sandbox.Spec
	if off := a.do(func() { target, r, box, err = a.inside(process) }); off != nil || err != nil {
		return -1, errOr(off, err)
	}
	if len(c.Argv) == 0 {
		c.Argv = []string{"sh"}
	}
	if box.Argv, err = r.words(process, c.Argv); err != nil {
		return -1, err
	}
	for _, kv := range c.Env {
		k, _, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return -1, fmt.Errorf("enter %s: variable %q is not K=V", process, k)
		}
		box.Env = append(slices.DeleteFunc(box.Env, func(old string) bool { return strings.HasPrefix(old, k+"=") }), kv)
	}
	if box.Bare {
		return -1, &IsolationError{Process: process}
	}
	exit, err := target.Enter(ctx, s.o.Exe, box, sandbox.Stdio{In: c.In, Out: c.Out, Err: c.Err, Pty: c.Pty, Signals: c.Signals})
	if err != nil {
		return -1, fmt.Errorf("enter %s of %s: %w", process, name, err)
	}
	return exit.Code, nil
}

func errOr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// inside finds the running instance called process, and what runs in it. Owner only.
func (a *app) inside(process string) (*shim.Instance, *Release, sandbox.Spec, error) {
	var running []string
	for _, i := range a.instances() {
		if i.shim == nil || a.live[i.slot] != i {
			continue
		}
		running = append(running, i.slot.String())
		if i.slot.String() == process {
			spec, err := i.spec(a.release)
			return i.shim, a.release, spec.Sandbox, err
		}
	}
	return nil, nil, sandbox.Spec{}, &UnknownTypeError{Type: process, Types: running}
}

// IsolationError says that an instance has no namespaces that could be entered.
type IsolationError struct{ Process string }

func (e *IsolationError) Error() string {
	return fmt.Sprintf("enter %s: the server runs apps without isolation", e.Process)
}

// Hint says what to do instead.
func (e *IsolationError) Hint() string { return "run starts a command beside it: run -- COMMAND" }

// Usage is what one instance uses now.
type Usage struct {
	Instance
	sandbox.Usage
}

// Usage returns the running processes of an app with what they use.
func (s *Supervisor) Usage(name string) []Usage {
	s.mu.Lock()
	a := s.apps[name]
	s.mu.Unlock()
	if a == nil {
		return nil
	}
	type entry struct {
		shown Instance
		proc  *shim.Instance
	}
	var list []entry
	if a.do(func() {
		for _, i := range a.instances() {
			if i.shim != nil {
				list = append(list, entry{i.show(), i.shim})
			}
		}
	}) != nil {
		return nil // it was removed meanwhile
	}
	var out []Usage
	for _, e := range list {
		out = append(out, Usage{e.shown, e.proc.Usage()})
	}
	return out
}
