package deploy

import (
	"fmt"
	"slices"

	"hop3/detect"
	"hop3/internal/state"
)

// CheckBuildKeys refuses names that would steer the build instead of being read by it.
func CheckBuildKeys(keys []string) error {
	for _, k := range keys {
		if len(detect.BuildEnv(map[string]string{k: ""})) == 0 {
			return &state.Invalid{What: k + " steers the build itself and cannot be set for it", Rule: "any other name; what the app's commands need of it they can set themselves"}
		}
	}
	return nil
}

// SetBuildKeys has builds see those settings from the next one on, or not any more.
func (p *Pipeline) SetBuildKeys(app string, keys []string, seen bool) error {
	_, err := p.Store.Update(app, func(a *state.App) error {
		a.BuildKeys = slices.DeleteFunc(a.BuildKeys, func(k string) bool { return slices.Contains(keys, k) })
		if seen {
			a.BuildKeys = slices.Compact(slices.Sorted(slices.Values(append(a.BuildKeys, keys...))))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("set what builds see: %w", err)
	}
	return nil
}

// addBuildSettings gives the plan the settings that builds see, over the values of the app's own files.
func addBuildSettings(plan detect.Plan, app *state.App) {
	for _, k := range app.BuildKeys {
		if v, ok := app.Config[k]; ok {
			plan.BuildEnv[k] = v
		}
	}
}
