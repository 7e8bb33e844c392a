// Command relock writes the embedded lock anew from today's indices. It is run
// by go generate.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"hop3/nixtmpl/packages"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := packages.Relock(ctx, os.Stderr, "flake/lock.json"); err != nil {
		fmt.Fprintln(os.Stderr, "relock:", err)
		os.Exit(1)
	}
}
