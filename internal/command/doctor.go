package command

import (
	"context"
	"fmt"
	"io"

	"hop3/internal/state"
)

func doctorCommands() []*Command {
	return []*Command{
		{Name: "doctor", Group: "server", Short: "check the server's machine: nix, isolation, disk, clock; exit 1 if something fails", Role: state.Admin, Answers: []any{doctorAnswer{}}, Exits: []int{ExitFailed}, Run: doctor},
	}
}

// A Check is one line of doctor's answer.
type Check struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, warn or fail
	Found  string `json:"found"`
	Fix    string `json:"fix"`
}

type doctorAnswer struct {
	Version int     `json:"version"`
	Checks  []Check `json:"checks"`
}

func doctor(ctx context.Context, c *Call) error {
	checks := c.Doctor(ctx)
	failed := false
	for _, ch := range checks {
		failed = failed || ch.Status == "fail"
	}
	if err := c.answer(doctorAnswer{1, checks}, func(w io.Writer) {
		for _, ch := range checks {
			_, _ = fmt.Fprintf(w, "%-4s  %-12s %s\n", ch.Status, ch.Name, ch.Found) // a caller that cannot be told has gone
			if ch.Fix != "" {
				_, _ = fmt.Fprintf(w, "      %-12s mend: %s\n", "", ch.Fix)
			}
		}
	}); err != nil || !failed {
		return err
	}
	return &Exited{Code: ExitFailed}
}
