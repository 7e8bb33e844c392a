package sandbox

import (
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// socketsDir is where the folders of Spec.Sockets are shown, each under its name.
const socketsDir = "/run/services"

// A Socket is a way to a server outside of the sandbox: what is not named by one cannot be reached.
type Socket struct {
	Name string // of its folder in /run/services
	Dir  string // the server's folder on the host; shown read-only
	File string // the socket in it
	// Port is where programs that know no unix sockets find the server on 127.0.0.1: where the sandbox has a network of its
	// own, its init listens there and passes connections on to the socket; else the server itself has to. 0: nowhere.
	Port int
}

// maxSocketName is what a DNS label may have, as the names of services are.
const maxSocketName = 63

// validSocketName is no regular expression: each start of an instance would
// compile it, and package regexp be part of every shim.
func validSocketName(name string) bool {
	legal := func(c rune) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' }
	return name != "" && len(name) <= maxSocketName && name[0] != '-' && !strings.ContainsFunc(name, func(c rune) bool { return !legal(c) })
}

func checkSockets(list []Socket) error {
	for _, s := range list {
		if !validSocketName(s.Name) || !path.IsAbs(s.Dir) || s.File == "" || path.Base(s.File) != s.File || s.Port < 0 || s.Port > 65535 {
			return fmt.Errorf("check sandbox: the socket %q at %q is not legal", s.Name, s.Dir)
		}
	}
	return nil
}

func mountSockets(s *Spec, _ bool) error {
	for _, k := range s.Sockets {
		dst := filepath.Join(socketsDir, k.Name)[1:]
		if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
			return fail("make "+socketsDir, err)
		}
		if err := os.Mkdir(dst, 0o755); err != nil {
			return fail("make /"+dst, err)
		}
		if err := bindFolder(k.Dir, dst); err != nil {
			return fail("show the service "+k.Name, err)
		}
	}
	return nil
}

// bindFolder shows a folder whose place belongs to its server, which may put a link to anywhere there: none is followed.
func bindFolder(src, dst string) error {
	fd, err := unix.Open(src, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	return bind(fmt.Sprintf("/proc/self/fd/%d", fd), dst, frozen)
}

// forward passes connections to the ports of Spec.Sockets on to the sockets, where the sandbox has a network of its own. Who
// joins a sandbox finds that done by its init.
func (in *Inside) forward() error {
	s := &in.Spec
	if !s.PrivateNetwork || s.Join != 0 || s.Bare {
		return nil
	}
	for _, k := range s.Sockets {
		if k.Port == 0 {
			continue
		}
		at, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(k.Port)))
		if err != nil {
			return fail("listen for the service "+k.Name, err)
		}
		go pass(at, filepath.Join(socketsDir, k.Name, k.File)) // ends with the sandbox, whose init this is
	}
	return nil
}

// pass accepts until the listener is closed.
func pass(at net.Listener, socket string) {
	for {
		conn, err := at.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close() //nolint:errcheck // whatever was to be said has been
			server, err := net.Dial("unix", socket)
			if err != nil {
				return // the client sees its connection end, as with any server that is down
			}
			defer server.Close() //nolint:errcheck // as above
			splice(conn.(*net.TCPConn), server.(*net.UnixConn))
		}()
	}
}

// splice copies both ways until both ends have said that they are done.
func splice(a *net.TCPConn, b *net.UnixConn) {
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(a, b); _ = a.CloseWrite() }) // an error is the end of the connection
	both.Go(func() { _, _ = io.Copy(b, a); _ = b.CloseWrite() }) // as above
	both.Wait()
}
