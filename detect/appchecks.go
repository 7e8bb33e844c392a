package detect

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// appCheck is one health check in Dokku's app.json. What is not here of Dokku's keys (onFailure, port, scheme, warn) has no
// meaning to a server whose apps listen on $PORT.
type appCheck struct {
	Type         string          `json:"type"` // startup where it is missing; liveness checks are not for starts
	Path         string          `json:"path"`
	Content      string          `json:"content"`
	Command      json.RawMessage `json:"command"` // words, or one line for the shell
	Listening    bool            `json:"listening"`
	Uptime       int             `json:"uptime"` // seconds, as all times here
	Attempts     *int            `json:"attempts"`
	Timeout      int             `json:"timeout"`
	Wait         *int            `json:"wait"`
	InitialDelay int             `json:"initialDelay"`
	Headers      []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"httpHeaders"`
}

// Dokku's defaults of a health check.
const (
	checkAttempts = 3
	checkWait     = 5
	// maxCheckSeconds bounds each time of a health check: the start timeout ends it long before.
	maxCheckSeconds = 3600
	maxChecks       = 20 // per process type
)

// checks reads the checks that a start has to pass, by process type.
func (a appJSON) checks(m *Manifest) error {
	for _, name := range slices.Sorted(maps.Keys(a.Healthchecks)) {
		wrong := func(format string, args ...any) error {
			return &ParseError{File: "app.json", Msg: "healthchecks." + clip(name) + ": " + fmt.Sprintf(format, args...)}
		}
		if err := checkProcName(name); err != nil {
			return wrong("%v", err)
		}
		if len(a.Healthchecks[name]) > maxChecks {
			return wrong("%d checks are more than %d", len(a.Healthchecks[name]), maxChecks)
		}
		settings := m.Processes[name]
		for _, c := range a.Healthchecks[name] {
			if c.Type == "liveness" {
				continue
			}
			h, err := c.health()
			if err != nil {
				return wrong("%v", err)
			}
			settings.Checks = append(settings.Checks, h)
		}
		m.Processes[name] = settings
	}
	return nil
}

// health is the check in the words of a Manifest.
func (c appCheck) health() (Health, error) {
	attempts, wait := checkAttempts, checkWait
	if c.Attempts != nil {
		attempts = *c.Attempts
	}
	if c.Wait != nil {
		wait = *c.Wait
	}
	for key, n := range map[string]int{"uptime": c.Uptime, "attempts": attempts, "timeout": c.Timeout, "wait": wait, "initialDelay": c.InitialDelay} {
		if n < 0 || n > maxCheckSeconds {
			return Health{}, fmt.Errorf("%s lies between 0 and %d", key, maxCheckSeconds)
		}
	}
	if c.Path != "" && !strings.HasPrefix(c.Path, "/") {
		return Health{}, fmt.Errorf("path %q does not begin with /", clip(c.Path))
	}
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	h := Health{
		Path: c.Path, Content: c.Content, Listening: c.Listening && c.Path == "", Uptime: c.Uptime > 0, Interval: seconds(c.Uptime),
		Retries: attempts, Timeout: seconds(c.Timeout), Wait: seconds(wait), Delay: seconds(c.InitialDelay),
	}
	for _, kv := range c.Headers {
		if h.Headers == nil {
			h.Headers = map[string]string{}
		}
		h.Headers[kv.Name] = kv.Value
	}
	var words []string
	switch {
	case len(c.Command) == 0 || string(c.Command) == "null":
	case json.Unmarshal(c.Command, &h.Command) == nil:
	case json.Unmarshal(c.Command, &words) == nil:
		for i, w := range words {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'" // POSIX shell: nothing means anything within
		}
		h.Command = strings.Join(words, " ")
	default:
		return h, fmt.Errorf("command is neither a string nor a list of strings")
	}
	return h, nil
}
