package detect

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// appJSON is what is read of Heroku's and Dokku's app.json; other keys of it mean nothing to a deployment and are skipped.
type appJSON struct {
	Env       map[string]json.RawMessage `json:"env"`
	Formation map[string]struct {
		Quantity *int `json:"quantity"`
	} `json:"formation"`
	Scripts struct {
		Dokku struct {
			Predeploy  string `json:"predeploy"`
			Postdeploy string `json:"postdeploy"`
		} `json:"dokku"`
	} `json:"scripts"`
	Healthchecks map[string][]appCheck `json:"healthchecks"`
	Addons       []json.RawMessage     `json:"addons"`
	Cron         []struct {
		Command  string `json:"command"`
		Schedule string `json:"schedule"`
		Policy   string `json:"concurrency_policy"` // allow, forbid or replace
	} `json:"cron"`
}

func readAppJSON(t *tree, m *Manifest) error {
	if !t.has("app.json") {
		return nil
	}
	b, err := t.read("app.json")
	if err != nil {
		return err
	}
	var a appJSON
	if err := decodeJSON("app.json", b, &a); err != nil {
		return err
	}
	if err := a.env(m); err != nil {
		return err
	}
	if err := a.formation(string(b), m); err != nil {
		return err
	}
	if err := a.addons(m); err != nil {
		return err
	}
	m.predeploy = cmp.Or(a.Scripts.Dokku.Predeploy, m.predeploy)
	m.Postdeploy = cmp.Or(a.Scripts.Dokku.Postdeploy, m.Postdeploy)
	if err := a.checks(m); err != nil {
		return err
	}
	if len(a.Cron) > 0 {
		m.Cron = nil
	}
	for i, c := range a.Cron {
		m.Cron = append(m.Cron, Cron{Name: fmt.Sprintf("cron%d", i+1), Schedule: c.Schedule, Command: c.Command, Overlap: map[string]string{"allow": "allow", "replace": "replace"}[c.Policy]})
	}
	return nil
}

// formation reads how many instances each process type has.
func (a appJSON) formation(text string, m *Manifest) error {
	for _, name := range slices.Sorted(maps.Keys(a.Formation)) {
		if err := checkProcName(name); err != nil {
			return &ParseError{File: "app.json", Line: formationLine(text, name), Msg: "formation: " + err.Error()}
		}
		n := a.Formation[name].Quantity
		if n == nil {
			continue
		}
		if *n < 0 || *n > maxCount {
			return &ParseError{File: "app.json", Line: formationLine(text, name), Msg: fmt.Sprintf("formation.%s: quantity lies between 0 and %d", name, maxCount)}
		}
		m.Formation[name] = *n
	}
	return nil
}

// formationLine returns the line of a key of "formation", 0 if it is written in a way that cannot be found.
func formationLine(text, name string) int {
	start := strings.Index(text, `"formation"`)
	if start < 0 {
		return 0
	}
	i := strings.Index(text[start:], strconv.Quote(name))
	if i < 0 {
		return 0
	}
	return 1 + strings.Count(text[:start+i], "\n")
}

// env reads values that are strings or {"value":…, "generator":"secret"}.
func (a appJSON) env(m *Manifest) error {
	for _, k := range slices.Sorted(maps.Keys(a.Env)) {
		raw := a.Env[k]
		var s string
		if json.Unmarshal(raw, &s) == nil {
			m.Env[k] = s
			continue
		}
		var o struct {
			Value     string `json:"value"`
			Generator string `json:"generator"`
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			return &ParseError{File: "app.json", Msg: fmt.Sprintf("env.%s is neither a string nor an object", clip(k))}
		}
		if o.Generator == "secret" {
			m.EnvGenerate[k] = Generate{Kind: "hex", Length: 64}
		} else if o.Value != "" {
			m.Env[k] = o.Value
		}
	}
	return nil
}

// decodeJSON decodes data into v; the error is a [*ParseError] with the line.
func decodeJSON(file string, data []byte, v any) error {
	data = bytes.TrimPrefix(data, bom)
	if err := checkJSON(file, data, maxJSONSigns); err != nil {
		return err
	}
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	offset := int64(0)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = e.Offset
	} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = e.Offset
	}
	line := 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n"))
	return &ParseError{File: file, Line: line, Msg: err.Error()}
}
