package shim_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"hop3/procman/sandbox"
)

// A command can be run inside of an instance: it sees the same files and
// processes, has the same uid, and no more rights.
func TestEnter(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: an unprivileged process cannot join a user namespace")
	}
	s := spec(t, "touch", "/tmp/here")
	s.Sandbox.Cgroup, s.Sandbox.Limits = cgroupName(t), sandbox.Limits{MemoryBytes: 128 << 20, Pids: 50}
	i := start(t, s)
	await(t, s.LogPath, "touched")
	e := s.Sandbox
	for argv, want := range map[string]string{
		"read /tmp/here": "/tmp/here: written\n", "ids": "60124 60124 [] <nil>\n", "exit 4": "", "pwd": "/app <nil>\n",
		"read /proc/2/cmdline": "/proc/2/cmdline:", "ls /": "/: app bin dev etc proc run tmp usr\n",
	} {
		e.Argv = append([]string{inmate}, strings.Fields(argv)...)
		var out bytes.Buffer
		st, err := i.Enter(t.Context(), sandbox.Executable(), e, sandbox.Stdio{Out: &out})
		if err != nil || !strings.HasPrefix(out.String(), want) || argv == "exit 4" != (st.Code == 4) {
			t.Errorf("%s: %q %v %v", argv, out.String(), st, err)
		}
	}
	if sandbox.Support().Memory {
		e.Argv = []string{inmate, "eat", "300"}
		if st, err := i.Enter(t.Context(), sandbox.Executable(), e, sandbox.Stdio{}); err != nil || st.Signal != "SIGKILL" {
			t.Errorf("a memory bomb from inside: %v %v", st, err)
		}
	}
	e.Argv = []string{inmate, "tries"}
	var out bytes.Buffer
	if _, err := i.Enter(t.Context(), sandbox.Executable(), e, sandbox.Stdio{Out: &out}); err != nil || strings.Contains(out.String(), "ESCAPED") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if !alive(i.Pid()) {
		t.Error("the instance did not survive its visitors")
	}
}
