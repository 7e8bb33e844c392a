// Command init is the program that tests have executed again as shims and sandboxes: without the race detector, and small.
package main

import (
	"fmt"
	"os"

	"hop3/procman/shim"
)

func main() {
	if code, ok := shim.Reexec(); ok {
		os.Exit(code)
	}
	fmt.Fprintln(os.Stderr, "init: it is started by a supervisor")
	os.Exit(2)
}
