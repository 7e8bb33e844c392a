package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hop3/internal/state"
	"hop3/nixtmpl"
)

// errPlanned ends a deploy that was only to be shown.
var errPlanned = &Failure{What: "nothing was deployed: a plan only shows what would happen", Why: "plan only"}

// A Preview is what a deploy would do.
type Preview struct {
	App            string   `json:"app"`
	Release        string   `json:"release"` // that it would become
	Commit         string   `json:"commit"`
	StorePath      string   `json:"store_path"`
	Size           int64    `json:"size"`    // of the closure, in bytes
	Added          []string `json:"added"`   // to the closure of the current release
	Removed        []string `json:"removed"` // from it
	ReleaseCommand string   `json:"release_command"`
	Processes      []string `json:"processes"` // what would happen to each type, a line each
	Flake          string   `json:"flake"`

	size string
}

// preview finds out what a deploy of rel would do.
func (p *Pipeline) preview(app *state.App, rel state.Release, built nixtmpl.Build) Preview {
	old, _ := app.CurrentRelease()
	added, removed := closureDiff(old.Closure, built.Closure)
	return Preview{
		App: app.Name, Release: fmt.Sprintf("v%d", app.LastRelease+1), Commit: rel.Commit, StorePath: built.Out, Size: built.Size,
		Added: added, Removed: removed, ReleaseCommand: rel.ReleaseCommand,
		Processes: replaced(p.running(app, old).Formation, old, p.running(app, rel).Formation, rel),
		Flake:     string(built.Flake), size: sizeText(app, built.Size),
	}
}

// closureDiff lists what is in now and not in old, and the reverse.
func closureDiff(old, now []string) (added, removed []string) {
	without := func(list, other []string) []string {
		left := []string{}
		for _, path := range list {
			if !slices.Contains(other, path) {
				left = append(left, path)
			}
		}
		return left
	}
	return without(now, old), without(old, now)
}

// tell shows the preview: the flake, what the closure gains and loses, which
// processes would be replaced.
func (v Preview) tell(talk *Talk) {
	talk.Step("flake.nix")
	for line := range strings.Lines(v.Flake) {
		talk.Line("%s", strings.TrimRight(line, "\n"))
	}
	talk.Step("Would be %s: %s (%s)", v.Release, v.StorePath, v.size)
	for _, path := range v.Added {
		talk.Line("+ %s", path)
	}
	for _, path := range v.Removed {
		talk.Line("- %s", path)
	}
	if v.ReleaseCommand != "" {
		talk.Line("release: %s", v.ReleaseCommand)
	}
	for _, line := range v.Processes {
		talk.Line("%s", line)
	}
}

// identity is what of a process type decides whether its processes are replaced: how they are looked at and stopped is
// not part of it.
func identity(p state.Process) [6]any {
	return [6]any{p.Type, p.Command, p.MemoryBytes, p.CPUMillis, p.Pids, p.Exclusive}
}

// replaced says for each process type what a swap from old to rel would do.
func replaced(before map[string]int, old state.Release, after map[string]int, rel state.Release) []string {
	same := slices.Equal(slices.Sorted(slices.Values(old.Closure)), slices.Sorted(slices.Values(rel.Closure))) && maps.Equal(environment(old), environment(rel))
	var lines []string
	for _, t := range rel.Processes {
		was := slices.IndexFunc(old.Processes, func(o state.Process) bool { return identity(o) == identity(t) })
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
