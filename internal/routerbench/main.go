// Command routerbench measures the router beside nginx, and beside Caddy and
// kamal-proxy where they are installed: `make bench-router`.
//
// Each proxy has the first core to itself and one worker; the load (wrk, and
// h2load for HTTP/2) and a minimal app share the second. In each round all
// proxies are measured one right after the other, and a ratio is the median of the
// rounds' ratios, so that a machine that is busy is busy for all. A row also has
// the processor time that the proxy used per request, which hardly depends on
// what else the machine does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "routerbench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] { // the roles in which this program starts itself
		case "app":
			return serveApp(args[1:])
		case "hop3":
			return serveRouter(args[1:])
		}
	}
	set := flag.NewFlagSet("routerbench", flag.ContinueOnError)
	rounds := set.Int("rounds", 5, "how often each proxy is measured")
	each := set.Duration("each", 2*time.Second, "how long each measurement takes")
	if err := set.Parse(args); err != nil {
		return err
	}
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	for _, s := range scenarios {
		var samples []sample
		for range *rounds {
			for _, p := range b.proxies {
				if s.url(p) == "" {
					continue
				}
				got, err := b.measure(ctx, p, s, *each)
				if err != nil {
					return errors.Join(fmt.Errorf("measure %s, %s: %w", p.name, s.name, err), b.close())
				}
				samples = append(samples, got)
			}
		}
		report(os.Stdout, s, b.proxies, samples)
	}
	return b.close()
}
