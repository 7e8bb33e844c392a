// Command program is what hop3 executes again for each instance, alone: shims and sandboxes, and nothing of the server.
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
	fmt.Fprintln(os.Stderr, "it is started by hop3")
	os.Exit(2)
}
