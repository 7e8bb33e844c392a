package deploy

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"hop3/internal/state"
)

// minSecret is the length from which a setting's value is masked in output:
// shorter ones ("1", "true", "prod") occur everywhere and hide nothing.
const minSecret = 6

// common are values that say nothing, and whose masking would garble what people read.
var common = []string{
	"production", "development", "staging", "testing", "enabled", "disabled", "default", "warning", "localhost", "0.0.0.0", "127.0.0.1",
}

// secretForms are the texts to mask so that the values of settings are not to
// be read: each as it is, each of its lines, because output is read line by
// line, the password of an address, and as programs print it in base64, JSON
// and URLs.
func secretForms(settings map[string]string) []string {
	var forms []string
	add := func(v string) {
		if len(v) >= minSecret {
			forms = append(forms, v)
		}
	}
	for _, v := range settings {
		if len(v) < minSecret || slices.Contains(common, v) {
			continue
		}
		add(v)
		for line := range strings.Lines(v) {
			add(strings.TrimSpace(line))
		}
		if u, err := url.Parse(v); err == nil { // what is secret about an address may be said without the rest
			if password, ok := u.User.Password(); ok {
				add(password)
			}
		}
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			add(enc.EncodeToString([]byte(v)))
			add(enc.EncodeToString([]byte(v + "\n"))) // as echo "$V" | base64 has it
		}
		if b, err := json.Marshal(v); err == nil { // a string always can be
			add(strings.Trim(string(b), `"`))
		}
		add(url.QueryEscape(v))
	}
	sortSecrets(forms)
	return slices.Compact(forms)
}

// Redact masks the values of settings in a text.
func Redact(settings map[string]string, text string) string {
	var pairs []string
	for _, v := range secretForms(settings) {
		pairs = append(pairs, v, "********")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// masked are the texts that the logs of a release's processes do not keep: its settings, but for those that builds may publish.
func masked(app *state.App, rel state.Release) []string {
	secret := maps.Clone(rel.Config)
	maps.DeleteFunc(secret, func(k, _ string) bool { return slices.Contains(app.BuildKeys, k) })
	return secretForms(secret)
}

// sortSecrets puts the longest first, or a secret that begins with another would show its rest.
func sortSecrets(forms []string) {
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
}
