package main

import (
	"context"
	"time"

	"hop3/internal/command"
)

// checkRunning is doctor's answer of the server itself: as on the command
// line, but for the addresses, which it has.
func (s *server) checkRunning(ctx context.Context) []command.Check {
	checks := append([]check{checkNix(ctx, s.c), checkGit()}, checkIsolation()...)
	checks = append(checks, checkNetwork(s.c)...)
	checks = append(checks, checkDisk(s.c), checkClock(time.Now()))
	var list []command.Check
	for _, ch := range checks {
		list = append(list, command.Check(ch))
	}
	return list
}
