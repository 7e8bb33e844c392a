package sandbox_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"hop3/procman/sandbox"
)

// A server outside is reached by who was given its socket, by the socket and by a port, and by nobody else.
func TestSockets(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "sock")
	l, err := net.Listen("unix", file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(file, 0o777); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("hello ")) // the inmate says what it got
			_ = c.Close()
		}
	}()
	const port = 20007
	tcp := []string{"ask", "tcp", "127.0.0.1:" + strconv.Itoa(port)}
	unix := []string{"ask", "unix", "/run/services/db/sock"}
	for _, given := range []bool{true, false} {
		for _, args := range [][]string{tcp, unix} {
			s := spec(args...)
			s.PrivateNetwork = true
			if given {
				s.Sockets = []sandbox.Socket{{Name: "db", Dir: dir, File: "sock", Port: port}}
			}
			out, _ := output(t, s)
			if got := strings.Contains(out, "hello <nil>"); got != given {
				t.Errorf("%v, given: %v: %s", args, given, out)
			}
		}
	}
	s := spec("write", "/run/services/db/x")
	s.Sockets = []sandbox.Socket{{Name: "db", Dir: dir, File: "sock"}}
	if out, _ := output(t, s); !strings.Contains(out, "read-only file system") {
		t.Errorf("the server's folder can be written: %s", out)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/etc", link); err != nil {
		t.Fatal(err)
	}
	s.Sockets = []sandbox.Socket{{Name: "db", Dir: link, File: "sock"}}
	if _, err := sandbox.Run(t.Context(), sandbox.Executable(), s, sandbox.Stdio{}); err == nil || !strings.Contains(err.Error(), "show the service db") {
		t.Errorf("a link is followed: %v", err)
	}
	for _, bad := range []sandbox.Socket{{Name: "..", Dir: dir, File: "sock"}, {Name: "db", Dir: "x", File: "sock"}, {Name: "db", Dir: dir, File: "../sock"}} {
		s.Sockets = []sandbox.Socket{bad}
		if err := s.Validate(true); err == nil {
			t.Errorf("%+v is legal", bad)
		}
	}
}
