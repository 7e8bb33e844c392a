package procman

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// parseSignal reads "TERM", "SIGTERM" or "term"; "" is TERM.
func parseSignal(name string) (syscall.Signal, error) {
	if name == "" {
		return syscall.SIGTERM, nil
	}
	s := "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	n := unix.SignalNum(s)
	if n == 0 {
		return 0, fmt.Errorf("stop signal %q is not known", name)
	}
	return n, nil
}
