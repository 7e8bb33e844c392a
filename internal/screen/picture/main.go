// The picture command draws what a program shows in a terminal, as SVG:
//
//	go run ./internal/screen/picture -o docs/overview.svg -size 100x30 -after 60s ssh -t hop3@HOST
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"hop3/internal/screen"
)

func main() {
	if err := run(); err != nil {
		_, _ = fmt.Fprintf(os.Stderr, " !     %v\n", err) // there is nobody else to tell
		os.Exit(1)
	}
}

func run() error {
	out := flag.String("o", "picture.svg", "the file to write")
	size := flag.String("size", "100x30", "columns and rows")
	after := flag.Duration("after", 5*time.Second, "how long the program runs first")
	await := flag.String("await", "", "a regular expression of what must be seen then")
	keys := flag.String("keys", "", "typed at the end of that, each key for a second")
	flag.Parse()
	var cols, rows int
	if _, err := fmt.Sscanf(*size, "%dx%d", &cols, &rows); err != nil || flag.NArg() == 0 {
		return errors.New("usage: picture [-o FILE] [-size COLSxROWS] [-after TIME] [-await RE] [-keys KEYS] PROGRAM…")
	}
	pattern, err := regexp.Compile(*await)
	if err != nil {
		return fmt.Errorf("read -await: %w", err)
	}
	cmd := exec.Command(flag.Arg(0), flag.Args()[1:]...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	s, err := screen.Start(cmd, cols, rows)
	if err != nil {
		return err
	}
	defer s.End()
	time.Sleep(*after)
	for _, k := range strings.Split(*keys, "") {
		if err := s.Type(k); err != nil {
			return fmt.Errorf("type %q: %w", k, err)
		}
		time.Sleep(time.Second)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Await(ctx, pattern); err != nil {
		return err
	}
	return os.WriteFile(*out, s.SVG(), 0o644)
}
