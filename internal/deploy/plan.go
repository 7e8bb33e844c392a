package deploy

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"hop3/detect"
	"hop3/internal/state"
	"hop3/nixtmpl"
)

// titles are how people write the names of stacks.
var titles = map[string]string{
	"java": "Java app", "kotlin": "Kotlin app", "scala": "Scala app", "clojure": "Clojure app",
	"go": "Go app", "node": "Node.js app", "deno": "Deno app", "python": "Python app", "static": "static site",
	"ruby": "Ruby app", "php": "PHP app", "perl": "Perl app", "lua": "Lua app",
	"procfile": "Procfile app", "shell": "Shell app", "nix": "app with its own flake",
	"scheme": "Scheme app", "elixir": "Elixir app", "gleam": "Gleam app", "dotnet": ".NET app", "dart": "Dart app", "r": "R app",
	"cobol": "COBOL app", "cpp": "C++ app", "crystal": "Crystal app", "haskell": "Haskell app", "rust": "Rust app", "swift": "Swift app", "zig": "Zig app",
}

// Summary tells people what was found and why: a headline and lines below it.
func Summary(p detect.Plan) []string {
	title := titles[p.Stack]
	if title == "" {
		title = p.Stack + " app"
	}
	if len(p.Evidence) > 0 {
		title += " (" + p.Evidence[0].File + ")"
	}
	lines := []string{title}
	for _, r := range p.Runtimes {
		lines = append(lines, fmt.Sprintf("%s %s, from %s", r.Name, r.Version, r.From))
		for _, l := range r.Losers {
			lines = append(lines, fmt.Sprintf("  not %s, from %s", l.Version, l.From))
		}
	}
	if p.Tool.Name != "" && len(p.Evidence) > 0 && p.Tool.From != p.Evidence[0].File {
		lines = append(lines, fmt.Sprintf("%s, from %s", p.Tool.Name, p.Tool.From))
	}
	for _, a := range p.Assets {
		lines = append(lines, fmt.Sprintf("front end in %s: %s", a.Dir, a.Build))
	}
	if p.SPA {
		lines = append(lines, "pages that route in the browser, from "+p.Static)
	}
	for _, proc := range p.Processes {
		lines = append(lines, fmt.Sprintf("%s: %s (%s)", proc.Name, proc.Command, proc.From))
	}
	for _, w := range p.Warnings {
		lines = append(lines, "warning: "+w)
	}
	return lines
}

// fill takes over what a build and its plan say of the release.
func fill(rel *state.Release, plan detect.Plan, built nixtmpl.Build) {
	m := plan.Manifest
	rel.Stack, rel.StorePath, rel.Closure, rel.Size = plan.Stack, built.Out, built.Closure, built.Size
	rel.Static, rel.SPA, rel.ReleaseCommand = plan.Static, plan.SPA, plan.Release
	rel.Postdeploy = m.Postdeploy
	rel.Formation, rel.Env = maps.Clone(m.Formation), map[string]string{}
	maps.Copy(rel.Env, m.Env)
	rel.Hosts = nil
	for _, d := range m.Domains {
		if host, err := state.CheckDomain(d); err == nil { // checkManifest has refused others
			rel.Hosts = append(rel.Hosts, host)
		}
	}
	rel.StartTimeout, rel.Watch = m.StartTimeout, m.Watch
	rel.Port = m.Port
	rel.Volumes, _ = volumesOf(m.Volumes) // checkPlaces has refused what is wrong
	rel.Cron = nil
	for _, c := range m.Cron {
		rel.Cron = append(rel.Cron, state.Cron{Name: c.Name, Schedule: c.Schedule, Command: c.Command, Overlap: c.Overlap, Timeout: c.Timeout})
	}
	rel.Processes = nil
	rel.Health = checkOf(m.Health)
	for _, p := range plan.Processes {
		s := m.Processes[p.Name]
		var checks []state.Health
		for _, h := range s.Checks {
			checks = append(checks, checkOf(h))
		}
		rel.Processes = append(rel.Processes, state.Process{
			StartTimeout: s.StartTimeout, DrainTimeout: s.DrainTimeout, RestartLimit: s.RestartLimit, Checks: checks,
			Type: p.Name, Command: p.Command, StopSignal: s.StopSignal, StopTimeout: s.StopTimeout,
			MemoryBytes: s.Memory, CPUMillis: s.CPU, Pids: s.Pids,
			Exclusive: s.Swap == "exclusive" || s.Swap == "" && singletons[p.Name],
		})
	}
}

// singletons are the types of which two must never run at once, unless the
// app says otherwise.
var singletons = map[string]bool{"clock": true, "scheduler": true, "beat": true}

// generated adds the values that hop3.toml wants made once and kept.
func generated(app *state.App, plan detect.Plan) (map[string]string, error) {
	config := maps.Clone(app.Config)
	if config == nil {
		config = map[string]string{}
	}
	for _, key := range slices.Sorted(maps.Keys(plan.Manifest.EnvGenerate)) {
		if _, ok := config[key]; ok {
			continue
		}
		v, err := generate(plan.Manifest.EnvGenerate[key])
		if err != nil {
			return nil, fmt.Errorf("generate %s: %w", key, err)
		}
		config[key] = v
	}
	return config, nil
}

// generate makes a random value; a length of 0 gives 256 bits.
func generate(g detect.Generate) (string, error) {
	n := g.Length
	if n <= 0 || g.Kind == "uuid" {
		n = 64
	}
	raw := make([]byte, n)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	switch g.Kind {
	case "base64":
		return base64.StdEncoding.EncodeToString(raw)[:n], nil
	case "urlsafe", "password":
		return base64.RawURLEncoding.EncodeToString(raw)[:n], nil
	case "uuid":
		raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80 // RFC 9562, version 4
		return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:16]), nil
	}
	return hex.EncodeToString(raw)[:n], nil
}

// checkManifest refuses what the app's files ask for and this server cannot
// give yet: silence would be a half-working feature.
func checkManifest(p detect.Plan) error {
	m := p.Manifest
	for _, d := range m.Domains {
		if _, err := state.CheckDomain(d); err != nil {
			return &Failure{What: "hop3.toml [domains] list: " + err.Error(), Mend: hintOf(err), Why: "not deployable", Status: err}
		}
	}
	for _, c := range m.Cron {
		if _, err := parseSchedule(c.Schedule); err != nil {
			return &Failure{What: fmt.Sprintf("the schedule %q of the cron entry %s is not one: %v", c.Schedule, c.Name, err), Mend: "five fields (minute hour day month weekday), or @hourly, @daily, @weekly, @monthly, @every 10m", Why: "not deployable", Status: err}
		}
	}
	return nil
}
