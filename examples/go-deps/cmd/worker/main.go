// Command worker writes a line every minute until it is told to stop.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.org/hello-chi/internal/greet"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		log.Print(greet.Version)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
