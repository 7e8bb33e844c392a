package detect

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestManifest_AppJSONChecks(t *testing.T) {
	m, err := manifestOf(t, "Procfile", "web: a\nworker: b\n", "app.json", `{"healthchecks":{
		"web":[{"type":"startup","name":"http","path":"/up","content":"ok","attempts":2,"wait":1,"timeout":3,"initialDelay":4,"httpHeaders":[{"name":"X-A","value":"b"}]},
			{"type":"readiness","listening":true},{"type":"liveness","path":"/never"}],
		"worker":[{"uptime":7},{"type":"startup","command":["sh","-c","it's"]},{"command":"true"}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	second := time.Second
	want := map[string][]Health{
		"web": {{Path: "/up", Content: "ok", Retries: 2, Wait: second, Timeout: 3 * second, Delay: 4 * second, Headers: map[string]string{"X-A": "b"}},
			{Listening: true, Retries: 3, Wait: 5 * second}},
		"worker": {{Uptime: true, Interval: 7 * second, Retries: 3, Wait: 5 * second},
			{Command: `'sh' '-c' 'it'\''s'`, Retries: 3, Wait: 5 * second}, {Command: "true", Retries: 3, Wait: 5 * second}},
	}
	for name, checks := range want {
		if got := m.Processes[name].Checks; !reflect.DeepEqual(got, checks) {
			t.Errorf("%s: %+v, want %+v", name, got, checks)
		}
	}
	m, err = manifestOf(t, "Procfile", "web: a\n", "app.json", `{"healthchecks":{"web":[{"path":"/up"}]}}`, "hop3.toml", "[healthcheck]\npath = \"/mine\"\n")
	if err != nil || len(m.Processes["web"].Checks) != 0 || m.Health.Path != "/mine" {
		t.Errorf("%v %+v", err, m)
	}
	for text, want := range map[string]string{
		`{"healthchecks":{"web":[{"path":"up"}]}}`:                       "does not begin with /",
		`{"healthchecks":{"web":[{"attempts":-1}]}}`:                     "attempts lies between",
		`{"healthchecks":{"web":[{"command":{"a":1}}]}}`:                 "neither a string nor a list",
		`{"healthchecks":{"we b":[{"path":"/"}]}}`:                       "healthchecks.we b",
		`{"healthchecks":{"web":[{"uptime":99999999}]}}`:                 "uptime lies between",
		`{"healthchecks":{"web":[` + strings.Repeat(`{},`, 20) + `{}]}}`: "more than 20",
	} {
		if _, err := manifestOf(t, "Procfile", "web: a\n", "app.json", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
