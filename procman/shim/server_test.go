package shim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hop3/procman/sandbox"
	"hop3/procman/shim"
)

// serverEnv makes this test binary a server that starts the instances whose
// specifications it reads, says who they are, and waits to be killed.
const serverEnv = "HOP3_SHIM_TEST_SERVER"

func serverMain() int {
	var specs []shim.Spec
	if err := json.NewDecoder(os.Stdin).Decode(&specs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	out := json.NewEncoder(os.Stdout)
	for _, s := range specs {
		i, err := shim.Start(context.Background(), sandbox.Executable(), s)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if err := out.Encode(served{i.Identity(), i.Pid()}); err != nil {
			return 1
		}
	}
	for {
		time.Sleep(time.Hour)
	}
}

type served struct {
	ID  shim.Identity
	Pid int
}

// killedServer starts the instances in a server of their own and kills that.
func killedServer(t *testing.T, specs ...shim.Spec) []served {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), serverEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := json.Marshal(specs)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []served
	for dec := json.NewDecoder(out); len(all) < len(specs); {
		var s served
		if err := dec.Decode(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	return all
}

func adopt(t *testing.T, dir string, id shim.Identity) *shim.Instance {
	t.Helper()
	i, err := shim.Adopt(dir, id)
	if err != nil {
		t.Fatalf("adopt: %v", err)
	}
	t.Cleanup(func() {
		if err := i.Kill(); err != nil {
			t.Errorf("kill: %v", err)
		}
		<-i.Done()
	})
	return i
}

func TestAdopt_AfterKill(t *testing.T) {
	counting, trapping := spec(t, "count", "400", "2", "9"), spec(t, "trap")
	counting.Sandbox.Cgroup = cgroupName(t)
	counting.Sandbox.Limits = sandbox.Limits{MemoryBytes: 64 << 20, CPUMillis: 1000, Pids: 50}
	ids := killedServer(t, counting, trapping)
	await(t, trapping.LogPath, "ready")

	a, b := adopt(t, counting.Dir, ids[0].ID), adopt(t, trapping.Dir, ids[1].ID)
	if a.Pid() != ids[0].Pid || a.Identity() != ids[0].ID || !alive(b.Pid()) {
		t.Errorf("adopted pid %d, %+v; want %+v", a.Pid(), a.Identity(), ids[0])
	}
	if u := a.Usage(); sandbox.Support().Memory && (u.MemoryBytes == 0 || u.CPUNanos == 0) {
		t.Errorf("usage = %+v", u)
	}
	if err := b.Stop(t.Context(), syscall.SIGTERM, time.Minute); err != nil {
		t.Errorf("stop: %v", err)
	}
	if st := b.Exit(); st.Code != 7 {
		t.Errorf("the trap ended with %v", st)
	}
	<-a.Done()
	if st := a.Exit(); st.Code != 9 {
		t.Errorf("the counter ended with %v", st)
	}
	var want strings.Builder
	for n := range 400 {
		fmt.Fprintf(&want, "line %d\n", n)
	}
	if got := text(records(t, counting.LogPath), shim.Stdout); got != want.String() {
		t.Errorf("the log has gaps or repeats: %d bytes, want %d", len(got), want.Len())
	}
	noCgroup(t, counting.Sandbox.Cgroup)
}

func TestAdopt_EndedMeanwhile(t *testing.T) {
	s := spec(t, "exit", "3")
	s.Sandbox.Cgroup = cgroupName(t)
	s.Sandbox.Limits = sandbox.Limits{Pids: 50}
	ids := killedServer(t, s)
	i := adopt(t, s.Dir, ids[0].ID)
	<-i.Done()
	if st := i.Exit(); st.Code != 3 || st.At.IsZero() {
		t.Errorf("exit = %+v", st)
	}
	if err := i.Signal(syscall.SIGTERM); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("signal to an ended one: %v", err)
	}
	if err := i.Stop(t.Context(), syscall.SIGTERM, time.Minute); err != nil {
		t.Errorf("stop of an ended one: %v", err)
	}
	noCgroup(t, s.Sandbox.Cgroup)
}

func TestAdopt_EverythingKilled(t *testing.T) {
	s := spec(t, "sleep")
	ids := killedServer(t, s)
	i := adopt(t, s.Dir, ids[0].ID)
	if err := syscall.Kill(ids[0].ID.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-i.Done()
	if st := i.Exit(); st.Code != 137 || st.Signal != "SIGKILL" {
		t.Errorf("exit = %+v", st)
	}
	if alive(ids[0].Pid) {
		t.Error("the app survived its shim")
	}
	if _, err := shim.Adopt(s.Dir, ids[0].ID); !errors.Is(err, shim.ErrGone) {
		t.Errorf("adopt again: %v", err)
	}
}

func TestAdopt_WrongIdentity(t *testing.T) {
	s := spec(t, "sleep")
	i := start(t, s)
	for name, change := range map[string]func(*shim.Identity){
		"boot": func(id *shim.Identity) { id.Boot = "x" }, "pid": func(id *shim.Identity) { id.Pid = os.Getpid() },
		"start": func(id *shim.Identity) { id.Start++ }, "token": func(id *shim.Identity) { id.Token = "x" },
	} {
		id := i.Identity()
		change(&id)
		if _, err := shim.Adopt(s.Dir, id); !errors.Is(err, shim.ErrOther) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := shim.Adopt(t.TempDir(), i.Identity()); !errors.Is(err, shim.ErrGone) {
		t.Errorf("an empty directory: %v", err)
	}
	forgeCard(t, s.Dir, func(id *shim.Identity) { id.Token = "forged" }, shim.ErrOther)
	forgeCard(t, s.Dir, func(id *shim.Identity) { id.Boot = "earlier" }, shim.ErrGone)
	if !alive(i.Pid()) {
		t.Error("an adoption that failed killed the instance")
	}
}

// forgeCard adopts with an instance.json that fits what is wanted but not what is there.
func forgeCard(t *testing.T, dir string, change func(*shim.Identity), want error) {
	t.Helper()
	path := filepath.Join(dir, "instance.json")
	orig, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Version  int           `json:"version"`
		Identity shim.Identity `json:"identity"`
	}
	if err := json.Unmarshal(orig, &c); err != nil {
		t.Fatal(err)
	}
	change(&c.Identity)
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := shim.Adopt(dir, c.Identity); !errors.Is(err, want) {
		t.Errorf("forged %s: %v", b, err)
	}
	if err := os.WriteFile(path, orig, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestControl_Modes(t *testing.T) {
	s := spec(t, "sleep")
	start(t, s)
	for name, want := range map[string]fs.FileMode{"": 0o700, "ctl": 0o600, "instance.json": 0o600, "../../logs/web.1.log": 0o600} {
		st, err := os.Stat(filepath.Join(s.Dir, name))
		if err != nil || st.Mode().Perm() != want {
			t.Errorf("%q: %v %v", name, st.Mode(), err)
		}
	}
}

// Another uid is not listened to, even if it gets at the socket.
func TestControl_OtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to become another user")
	}
	s := spec(t, "sleep")
	i := start(t, s)
	open := filepath.Join("/var/tmp", fmt.Sprintf("hop3-ctl-%d", os.Getpid()))
	if err := os.Link(filepath.Join(s.Dir, "ctl"), open); err != nil {
		t.Skipf("the test's directories are on different file systems: %v", err)
	}
	defer os.Remove(open)
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(inmate, "order", open, `{"op":"kill"}`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: testUID, Gid: testUID}}
	if out, err := cmd.CombinedOutput(); strings.Contains(string(out), "{") {
		t.Errorf("answered another user: %s %v", out, err)
	}
	if !alive(i.Pid()) {
		t.Error("another user killed the instance")
	}
}
