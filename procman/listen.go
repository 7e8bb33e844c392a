package procman

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listener is a TCP socket that listens, as /proc/PID/net/tcp shows it.
type listener struct {
	addr  netip.Addr
	port  int
	inode string
}

// listening returns the ports on which the processes of pid's instance listen, in order.
func listening(pid int) []int {
	sockets, _ := socketsOf(instancePids(pid, false))
	var out []int
	for _, l := range listeners(pid) {
		if sockets[l.inode] {
			out = append(out, l.port)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// listensOn reports whether it is pid's instance that listens on port. known is false where the kernel does not let us
// look.
func listensOn(pid, port int) (mine, known bool) {
	var at []listener
	for _, l := range listeners(pid) {
		if l.port == port {
			at = append(at, l)
		}
	}
	if len(at) == 0 {
		return false, false // in a network namespace that we cannot see into, or gone again
	}
	for _, near := range []bool{true, false} {
		sockets, complete := socketsOf(instancePids(pid, near))
		if slices.ContainsFunc(at, func(l listener) bool { return sockets[l.inode] }) {
			return true, true
		}
		known = complete
	}
	return false, known
}

// listeners reads the listening sockets in the network namespace of pid.
func listeners(pid int) []listener {
	var out []listener
	for _, name := range []string{"tcp", "tcp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, name))
		if err != nil {
			continue // ended, or no IPv6
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if l, ok := parseListener(lines.Text()); ok {
				out = append(out, l)
			}
		}
		f.Close() //nolint:errcheck // read only
	}
	return out
}

// parseListener reads one line of /proc/net/tcp or tcp6 (Linux, Documentation/networking/proc_net_tcp.rst); ok is false
// for what is not a listening socket.
func parseListener(line string) (l listener, ok bool) {
	const listenState = "0A"
	f := strings.Fields(line)
	if len(f) < 10 || f[3] != listenState {
		return l, false
	}
	host, hexPort, _ := strings.Cut(f[1], ":")
	port, err := strconv.ParseUint(hexPort, 16, 16)
	if err != nil {
		return l, false
	}
	addr, ok := parseHexAddr(host)
	return listener{addr: addr, port: int(port), inode: f[9]}, ok
}

// parseHexAddr reads an address as the kernel prints it: 32-bit words in the machine's (little-endian) order.
func parseHexAddr(s string) (netip.Addr, bool) {
	if len(s) != 8 && len(s) != 32 {
		return netip.Addr{}, false
	}
	b := make([]byte, 0, 16)
	for i := 0; i < len(s); i += 8 {
		w, err := strconv.ParseUint(s[i:i+8], 16, 32)
		if err != nil {
			return netip.Addr{}, false
		}
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return netip.AddrFromSlice(b)
}

// instancePids returns pid and the other processes of its instance. near looks at its descendants only, which is fast;
// else all processes of its pid namespace are found, orphans among them.
func instancePids(pid int, near bool) []int {
	out := []int{pid}
	own, _ := os.Readlink("/proc/self/ns/pid")
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if near || err != nil || ns == own {
		for i := 0; i < len(out) && len(out) < 4096; i++ {
			out = append(out, children(out[i])...)
		}
		return out
	}
	dirs, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		return out
	}
	for _, d := range dirs {
		if got, err := os.Readlink(d); err == nil && got == ns {
			if p, err := strconv.Atoi(strings.Split(d, "/")[2]); err == nil && p != pid {
				out = append(out, p)
			}
		}
	}
	return out
}

func children(pid int) []int {
	var out []int
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for _, w := range bytes.Fields(b) {
			if p, err := strconv.Atoi(string(w)); err == nil {
				out = append(out, p)
			}
		}
	}
	return out
}

// socketsOf returns the inodes of the sockets that pids hold; complete is false where one could not be looked at.
func socketsOf(pids []int) (inodes map[string]bool, complete bool) {
	inodes, complete = map[string]bool{}, true
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		fds, err := os.ReadDir(dir)
		if err != nil {
			complete = complete && os.IsNotExist(err)
			continue
		}
		for _, fd := range fds {
			link, err := os.Readlink(filepath.Join(dir, fd.Name()))
			if err != nil {
				continue // closed meanwhile
			}
			if inode, ok := strings.CutPrefix(link, "socket:["); ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	return inodes, complete
}

func portList(ports []int) string {
	var out []string
	for _, p := range ports {
		out = append(out, strconv.Itoa(p))
	}
	if len(out) == 1 {
		return "port " + out[0]
	}
	return "ports " + strings.Join(out, ", ")
}
