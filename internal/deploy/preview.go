package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hop3/internal/state"
	"hop3/nixtmpl"
)

// preview shows what a deploy would do, and does nothing: the flake, what the
// closure gains and loses, which processes would be replaced.
func (p *Pipeline) preview(talk *Talk, app *state.App, rel state.Release, built nixtmpl.Build) {
	talk.Step("flake.nix")
	for line := range strings.Lines(string(built.Flake)) {
		talk.Line("%s", strings.TrimRight(line, "\n"))
	}
	talk.Step("Would be v%d: %s (%s)", app.LastRelease+1, built.Out, sizeText(app, built.Size))
	old, _ := app.CurrentRelease()
	for _, path := range built.Closure {
		if !slices.Contains(old.Closure, path) {
			talk.Line("+ %s", path)
		}
	}
	for _, path := range old.Closure {
		if !slices.Contains(built.Closure, path) {
			talk.Line("- %s", path)
		}
	}
	if rel.ReleaseCommand != "" {
		talk.Line("release: %s", rel.ReleaseCommand)
	}
	for _, line := range replaced(p.running(app, old).Formation, old, p.running(app, rel).Formation, rel) {
		talk.Line("%s", line)
	}
}

// replaced says for each process type what a swap from old to rel would do.
func replaced(before map[string]int, old state.Release, after map[string]int, rel state.Release) []string {
	same := slices.Equal(slices.Sorted(slices.Values(old.Closure)), slices.Sorted(slices.Values(rel.Closure))) && maps.Equal(environment(old), environment(rel))
	var lines []string
	for _, t := range rel.Processes {
		was := slices.IndexFunc(old.Processes, func(o state.Process) bool { return o == t })
		switch {
		case after[t.Type] == 0:
			lines = append(lines, fmt.Sprintf("%s=0", t.Type))
		case same && was >= 0 && before[t.Type] > 0:
			lines = append(lines, fmt.Sprintf("%s=%d would go on unchanged", t.Type, after[t.Type]))
		case before[t.Type] > 0:
			lines = append(lines, fmt.Sprintf("%s=%d would be replaced", t.Type, after[t.Type]))
		default:
			lines = append(lines, fmt.Sprintf("%s=%d would be started", t.Type, after[t.Type]))
		}
	}
	for _, t := range old.Processes {
		if before[t.Type] > 0 && !slices.ContainsFunc(rel.Processes, func(n state.Process) bool { return n.Type == t.Type }) {
			lines = append(lines, t.Type+" would be stopped")
		}
	}
	return lines
}
