package shim

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"hop3/procman/sandbox"
)

// Start starts an instance. It returns when the app has been executed, or with
// the reason why not (a *sandbox.Error says it precisely) and nothing left
// behind but the log. exe is this program; see sandbox.Executable.
//
// ctx is that of the start alone: the instance outlives it, and the server.
func Start(ctx context.Context, exe string, s Spec) (*Instance, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	dir, err := prepareDir(s.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	files, err := openFiles(dir, s)
	if err != nil {
		return nil, err
	}
	p := payload{Process: s.Process, Release: s.Release, LogName: filepath.Base(s.LogPath), Log: s.Log, Masked: s.Masked, Token: rand.Text()}
	child, err := sandbox.Launch(ctx, exe, s.Sandbox, sandbox.LaunchOptions{
		Marker: Marker, Payload: p, Files: files.list(), Stderr: files.stderr,
	})
	files.close() // or a socket without its shim would still take connections
	if err != nil {
		return nil, errors.Join(err, clean(s.Dir))
	}
	i, err := register(child, s, p.Token)
	if err != nil {
		child.Kill()
		_ = child.Wait() // it was killed; the reason is err
		child.Close()
		return nil, errors.Join(err, child.Cgroup.Remove(), clean(s.Dir))
	}
	child.Close()
	return i, nil
}

// register writes down who the instance is, lets it live, and holds on to it.
func register(child *sandbox.Child, s Spec, token string) (*Instance, error) {
	start, err := startTime(child.Pid)
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	c := card{
		Version: 1, Identity: Identity{Boot: boot, Pid: child.Pid, Start: start, Token: token}, App: child.App, Cgroup: child.Cgroup,
		PrivateNetwork: s.Sandbox.PrivateNetwork && !s.Sandbox.Bare,
	}
	if err := c.write(s.Dir); err != nil {
		return nil, err
	}
	if err := child.Keep(); err != nil {
		return nil, err
	}
	i, err := hold(s.Dir, c, child.Wait)
	if errors.Is(err, ErrGone) { // so short was its life
		_ = child.Wait() // the shim's own status says nothing about the app's
		return ended(s.Dir, c, true)
	}
	return i, err
}

// card is the content of instance.json.
type card struct {
	Version  int             `json:"version"`
	Identity Identity        `json:"identity"`
	App      int             `json:"app"`
	Cgroup   *sandbox.Cgroup `json:"cgroup,omitempty"`

	PrivateNetwork bool `json:"private_network,omitempty"`
}

func (c card) write(dir string) error {
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode instance: %w", err)
	}
	temp := filepath.Join(dir, instanceFile+".tmp")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write instance: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	// No fsync: after a crash of the machine the instance is gone anyway.
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temp, filepath.Join(dir, instanceFile))
	}
	if err != nil {
		return fmt.Errorf("write instance: %w", err)
	}
	return nil
}

func readCard(dir string) (card, error) {
	var c card
	b, err := os.ReadFile(filepath.Join(dir, instanceFile))
	if err != nil {
		return c, fmt.Errorf("read instance: %w", err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("read instance: %w", err)
	}
	if c.Version != 1 || c.Identity.Pid <= 1 {
		return c, fmt.Errorf("read instance: version %d", c.Version)
	}
	return c, nil
}

// prepareDir makes the instance's directory and clears what an earlier one left.
func prepareDir(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make instance directory: %w", err)
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open instance directory: %w", err)
	}
	if conn, err := dial(path); err == nil {
		conn.Close()
		dir.Close()
		return nil, fmt.Errorf("start instance: one is running in %s", path)
	}
	if err := clean(path); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// clean removes what an instance keeps in its directory, but not its last words.
func clean(dir string) error {
	for _, name := range []string{socketFile, exitFile, exitTemp, instanceFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clear instance directory: %w", err)
		}
	}
	return nil
}

// openFiles are what the shim gets instead of paths: it sees none of them.
type openFile struct {
	listener, dir, logDir, stderr *os.File
}

func openFiles(dir *os.File, s Spec) (*openFile, error) {
	f := &openFile{dir: dir}
	logDir := filepath.Dir(s.LogPath)
	err := os.MkdirAll(logDir, 0o700)
	if err == nil {
		f.logDir, err = os.Open(logDir)
	}
	if err == nil {
		f.stderr, err = os.OpenFile(filepath.Join(s.Dir, shimLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	}
	if err == nil {
		f.listener, err = socket(dir)
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("open instance files: %w", err)
	}
	return f, nil
}

func (f *openFile) list() []*os.File {
	return []*os.File{fileListener: f.listener, fileDir: f.dir, fileLogDir: f.logDir}
}

func (f *openFile) close() {
	for _, o := range []*os.File{f.listener, f.logDir, f.stderr} {
		if o != nil {
			o.Close()
		}
	}
}

// through names a file by its directory's descriptor: a socket's path may have
// 107 bytes, and data directories can be longer.
func through(dir *os.File, name string) string {
	return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + name
}

// socket binds the control socket; the shim listens on it. The directory is closed to others, so that
// nobody is there before the mode is set.
func socket(dir *os.File) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), socketFile)
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: through(dir, socketFile)})
	if err == nil {
		err = os.Chmod(through(dir, socketFile), 0o600)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("make control socket: %w", err)
	}
	return f, nil
}

// dial connects to the control socket in dir.
func dial(dir string) (*net.UnixConn, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open instance directory: %w", err)
	}
	defer d.Close()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: through(d, socketFile), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("reach instance: %w", err)
	}
	return conn, nil
}

// bootID is the kernel's name for this boot.
var bootID = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
})

// startTime reads when a process started: field 22 of proc_pid_stat(5).
func startTime(pid int) (uint64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("read start time: %w", err)
	}
	return parseStart(string(b))
}

func parseStart(stat string) (uint64, error) {
	// The name, in parentheses, may hold blanks and parentheses.
	i := strings.LastIndexByte(stat, ')')
	f := strings.Fields(stat[i+1:])
	const at = 22 - 3 // the field behind the name is the third
	if i < 0 || len(f) <= at {
		return 0, errors.New("read start time: unexpected format")
	}
	n, err := strconv.ParseUint(f[at], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read start time: %w", err)
	}
	return n, nil
}
