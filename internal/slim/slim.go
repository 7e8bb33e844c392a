// Package slim holds the small program that runs as the shim of each instance.
//
// hop3 could execute itself again, and does where it was built without this program: then every shim initialises what the
// server needs, most of all its regular expressions and templates, and keeps them, 7 MB an instance instead of 2. `make build`
// compiles the program first and hop3 with it (build tag slim), so that there is still one file to install. A program of
// its own beside hop3 was considered; it lost because an upgrade would have to replace two files at once.
package slim

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// minDescriptor keeps the program's descriptor clear of those that a child gets: the numbers of these begin at 0.
const minDescriptor = 100

// Executable returns the path by which this process, and its children until they execute something else, can execute the
// program. It is "" where this hop3 was built without it. The program stays as long as this process, and for whoever runs it.
func Executable() (string, error) {
	if len(program) == 0 {
		return "", nil
	}
	fd, err := unix.MemfdCreate("hop3-shim", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return "", fmt.Errorf("make room for the shim's program: %w", err)
	}
	f := os.NewFile(uintptr(fd), "hop3-shim")
	defer f.Close() //nolint:errcheck // the copy stays
	if _, err := io.WriteString(f, program); err != nil {
		return "", fmt.Errorf("write the shim's program: %w", err)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return "", fmt.Errorf("seal the shim's program: %w", err)
	}
	kept, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, minDescriptor)
	if err != nil {
		return "", fmt.Errorf("keep the shim's program: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d", kept), nil
}
