package detect

import (
	"fmt"
	"strings"
)

// Explain returns what `hop3 detect --explain` prints: the winner and the losers, each with its evidence and their weights,
// and each decision with its file, its line where there is one, and its reason.
func Explain(p Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "stack      %s, weight %d\n", p.Stack, p.Winner.Weight)
	if p.nested != nil {
		fmt.Fprintf(&b, "           in %s\n", p.nested)
	}
	for _, e := range p.Winner.Evidence {
		fmt.Fprintf(&b, "           %3d %s\n", e.Weight, e)
	}
	for _, c := range p.Rejected {
		fmt.Fprintf(&b, "not        %s, weight %d: %s\n", c.Stack, c.Weight, c.Why)
		for _, e := range c.Evidence {
			fmt.Fprintf(&b, "           %3d %s\n", e.Weight, e)
		}
	}
	if len(p.Frameworks) > 0 {
		fmt.Fprintf(&b, "frameworks %s\n", join(p.Frameworks))
	}
	fmt.Fprintf(&b, "tool       %s, from %s\n", p.Tool.Name, p.Tool.From)
	for _, r := range p.Runtimes {
		fmt.Fprintf(&b, "runtime    %s%s\n", r, at(r.From, r.Line))
		for _, l := range r.Losers {
			fmt.Fprintf(&b, "           not %s, from %s%s\n", l.Version, l.From, at(l.From, l.Line))
		}
	}
	for _, pr := range p.Processes {
		fmt.Fprintf(&b, "process    %s: %s\n           from %s%s\n", pr.Name, pr.Command, pr.From, at(pr.From, pr.Line))
	}
	if p.Release != "" {
		fmt.Fprintf(&b, "release    %s\n", p.Release)
		if from := p.Manifest.releaseFrom; from != "" {
			fmt.Fprintf(&b, "           from %s%s\n", from, at(from, p.releaseLine))
		}
	}
	for _, a := range p.Assets {
		fmt.Fprintf(&b, "front end  %s: %s, by %s\n", a.Dir, a.Build, a.Tool)
	}
	if p.Static != "" {
		fmt.Fprintf(&b, "static     %s\n", p.Static)
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning    %s\n", w)
	}
	return b.String()
}

// String returns "package.json:12 (engines.node)".
func (e Evidence) String() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d (%s)", e.File, e.Line, e.Why)
	}
	return fmt.Sprintf("%s (%s)", e.File, e.Why)
}

// String returns "node 22, from engines.node".
func (r Runtime) String() string {
	if r.Version == "" {
		return fmt.Sprintf("%s, from %s", r.Name, r.From)
	}
	return fmt.Sprintf("%s %s, from %s", r.Name, r.Version, r.From)
}
