package procman

import (
	"bytes"
	"context"
	"path/filepath"

	"hop3/procman/sandbox"
	"hop3/procman/shim"
)

// maxHealthOutput is what is kept of a health command's words.
const maxHealthOutput = 500

// healthCommand runs a health command inside of the instance: with its files, network and environment. Without
// isolation it runs beside it.
func (u *run) healthCommand(proc *shim.Instance, command string) func(context.Context) (int, string, error) {
	s, name := u.i.app.sup, u.i.slot.String()
	return func(ctx context.Context) (int, string, error) {
		box, err := s.box(u.r, name, u.port, command, nil)
		if err != nil {
			return 0, "", err
		}
		out := &head{left: maxHealthOutput}
		io := sandbox.Stdio{Out: out, Err: out}
		var exit Exit
		if box.Bare {
			box.Limits, box.Cgroup = s.o.Defaults, filepath.Join("hop3", u.r.App, name+"-health-"+newID())
			exit, err = sandbox.Run(ctx, s.o.Exe, box, io)
		} else {
			exit, err = proc.Enter(ctx, s.o.Exe, box, io)
		}
		return exit.Code, out.text.String(), err
	}
}

// A head keeps the beginning of what is written to it.
type head struct {
	text bytes.Buffer
	left int
}

func (h *head) Write(b []byte) (int, error) {
	n := min(len(b), h.left)
	h.left -= n
	h.text.Write(b[:n])
	return len(b), nil
}
