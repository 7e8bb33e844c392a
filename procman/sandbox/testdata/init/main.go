// Command init is the re-executed half alone, built as hop3 is: without cgo.
package main

import (
	"os"

	"hop3/procman/sandbox"
)

func main() { os.Exit(sandbox.Main()) }
