package procman

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// PortRange is where the instances' ports come from, both ends included. It should lie below the kernel's range of
// ephemeral ports (32768 on), or an outgoing connection takes one away.
type PortRange struct{ From, To int }

// DefaultPorts are used where Options says nothing.
var DefaultPorts = PortRange{From: 20000, To: 29999}

var errNoPort = errors.New("no free port is left in the range")

// ports hands out ports, each to one instance at a time. It goes round the range, so that a port rests as long as
// possible before it is used again.
type ports struct {
	in PortRange

	mu   sync.Mutex
	next int
	used map[int]bool
}

func newPorts(in PortRange) *ports {
	if in == (PortRange{}) {
		in = DefaultPorts
	}
	return &ports{in: in, next: in.From, used: map[int]bool{}}
}

// take returns a port that no instance has and that can be bound now.
func (p *ports) take() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.in.To - p.in.From + 1 {
		port := p.next
		if p.next++; p.next > p.in.To {
			p.next = p.in.From
		}
		if !p.used[port] && bindable(port) {
			p.used[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("take port of %d-%d: %w", p.in.From, p.in.To, errNoPort)
}

// reserve marks the port of an instance that was found running.
func (p *ports) reserve(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[port] = true
}

// TakePort returns a free port that no instance gets until FreePort: for a server that keeps its port.
func (s *Supervisor) TakePort() (int, error) { return s.ports.take() }

// ReservePort keeps a port that TakePort of an earlier supervisor returned.
func (s *Supervisor) ReservePort(port int) { s.ports.reserve(port) }

// FreePort ends TakePort and ReservePort.
func (s *Supervisor) FreePort(port int) { s.ports.free(port) }

// free gives a port back once its process has ended.
func (p *ports) free(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.used, port)
}

// bindable reports whether a process could listen on port, at any address. The probe binds without SO_REUSEADDR and
// does not listen: nobody can connect to it, and a port with connections in TIME_WAIT is passed over.
func bindable(port int) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	return unix.Bind(fd, &unix.SockaddrInet4{Port: port}) == nil
}
