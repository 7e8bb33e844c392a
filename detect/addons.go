package detect

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// An Addon asks for a service that the server runs for the app.
type Addon struct {
	Name       string   // what {from = …} calls it; "" is the name of its type
	Type       string   // as it is written: "postgres", "heroku-postgresql:mini"
	As         string   // the variable that holds its address; "" is the usual one of the type
	Extensions []string // of PostgreSQL
	From       string   // the file and the key
}

type tomlAddon struct {
	Type       string   `toml:"type"`
	Name       string   `toml:"name"`
	As         string   `toml:"as"`
	Extensions []string `toml:"extensions"`
}

// maxAddons bounds the servers that one push can start: each takes memory for as long as the app lives.
const maxAddons = 8

var (
	addonName     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	extensionName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
)

// mergeAddons reads [[addons]], and [[provider]], which it was called before.
func (f tomlFile) mergeAddons(text string, m *Manifest) error {
	if len(f.Addons)+len(f.Provider) > 0 {
		m.Addons = nil // app.json's
	}
	if len(f.Addons)+len(f.Provider) > maxAddons {
		return tomlErr(text, "addons", "at most %d", maxAddons)
	}
	for i, a := range append(f.Addons, f.Provider...) {
		key := "addons"
		if i >= len(f.Addons) {
			key = "provider"
		}
		switch {
		case a.Type == "":
			return tomlErr(text, key, "each needs a type, like \"postgres\"")
		case a.Name != "" && !addonName.MatchString(a.Name):
			return tomlErr(text, key+".name", "%q is not 1 to 32 of a-z, 0-9 and -", clip(a.Name))
		case a.As != "" && !envName.MatchString(a.As):
			return tomlErr(text, key+".as", "a variable has letters, digits and _")
		}
		for _, e := range a.Extensions {
			if !extensionName.MatchString(e) {
				return tomlErr(text, key+".extensions", "%q is not the name of an extension", clip(e))
			}
		}
		m.Addons = append(m.Addons, Addon{Name: a.Name, Type: a.Type, As: a.As, Extensions: a.Extensions, From: "hop3.toml [[" + key + "]]"})
	}
	return nil
}

// addons reads the list of app.json: names of plans, or objects with plan and as, the beginning of a variable's name.
func (a appJSON) addons(m *Manifest) error {
	if len(a.Addons) > 0 {
		m.Addons = nil
	}
	if len(a.Addons) > maxAddons {
		return &ParseError{File: "app.json", Msg: fmt.Sprintf("addons: at most %d", maxAddons)}
	}
	for _, raw := range a.Addons {
		var o struct {
			Plan string `json:"plan"`
			As   string `json:"as"`
		}
		if json.Unmarshal(raw, &o.Plan) != nil {
			if err := json.Unmarshal(raw, &o); err != nil || o.Plan == "" {
				return &ParseError{File: "app.json", Msg: "addons: each is a name like \"heroku-postgresql\", or an object with a plan"}
			}
		}
		add := Addon{Type: o.Plan, From: "app.json addons"}
		if o.As != "" {
			if !envName.MatchString(o.As) {
				return &ParseError{File: "app.json", Msg: fmt.Sprintf("addons: as %q is not the beginning of a variable's name", clip(o.As))}
			}
			add.Name, add.As = strings.ReplaceAll(strings.ToLower(o.As), "_", "-"), strings.ToUpper(o.As)+"_URL"
			if !addonName.MatchString(add.Name) {
				return &ParseError{File: "app.json", Msg: fmt.Sprintf("addons: as %q is too long, or begins or ends with _", clip(o.As))}
			}
		}
		m.Addons = append(m.Addons, add)
	}
	return nil
}
