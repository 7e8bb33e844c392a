package deploy

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"

	"hop3/detect"
	"hop3/internal/state"
)

func TestAddonsOf(t *testing.T) {
	for _, c := range []struct {
		addons []detect.Addon
		names  string // of what is asked for
		said   string
		fault  string
	}{
		{[]detect.Addon{{Type: "heroku-postgresql:mini", From: "app.json addons"}, {Type: "redis", Name: "queue", From: "hop3.toml [[addons]]"}}, "postgres queue", "", ""},
		{[]detect.Addon{{Type: "papertrail", From: "app.json addons"}, {Type: "heroku-redis", From: "app.json addons"}}, "redis", "the addon papertrail", ""},
		{[]detect.Addon{{Type: "mysql", From: "hop3.toml [[addons]]"}}, "", "", `of the type "mysql"`},
		{[]detect.Addon{{Type: "postgres"}, {Type: "postgresql"}}, "", "", "two addons are called postgres"},
		{[]detect.Addon{{Type: "redis", Extensions: []string{"pg_trgm"}}}, "", "", "which redis has not"},
	} {
		var said bytes.Buffer
		list, err := addonsOf(NewTalk(&said), detect.Plan{Manifest: detect.Manifest{Addons: c.addons}})
		var names []string
		for _, a := range list {
			names = append(names, a.Name)
		}
		if strings.Join(names, " ") != c.names || !strings.Contains(said.String(), c.said) || (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%+v: %v, %q, %v", c.addons, names, said.String(), err)
		}
	}
}

// An earlier release gets the addresses of today; nobody changes them by hand.
func TestAttached(t *testing.T) {
	app := &state.App{
		Name: "shop", Config: map[string]string{"DATABASE_URL": "today", "A": "b"},
		Attached: []state.Attachment{{Service: "db", Variable: "DATABASE_URL"}},
	}
	if got := current(app, map[string]string{"DATABASE_URL": "then", "A": "a"}); !maps.Equal(got, map[string]string{"DATABASE_URL": "today", "A": "a"}) {
		t.Errorf("%v", got)
	}
	if got := current(app, nil); !maps.Equal(got, map[string]string{"DATABASE_URL": "today"}) {
		t.Errorf("%v", got)
	}
	for _, err := range []error{checkAttached(app, map[string]string{"DATABASE_URL": "x"}, nil), checkAttached(app, nil, []string{"DATABASE_URL"})} {
		if _, ok := errors.AsType[*state.Conflict](err); !ok {
			t.Errorf("%v", err)
		}
	}
	if err := checkAttached(app, map[string]string{"A": "x"}, []string{"B"}); err != nil {
		t.Error(err)
	}
}

// What is secret about an address is hidden alone, too.
func TestTalk_HidesPasswords(t *testing.T) {
	var out bytes.Buffer
	talk := NewTalk(&out)
	talk.Hide(map[string]string{"DATABASE_URL": "postgres://shop:ABCDEFGHIJ@127.0.0.1:20001/db"})
	talk.Line("connects with ABCDEFGHIJ to postgres://shop:ABCDEFGHIJ@127.0.0.1:20001/db")
	if got := out.String(); got != "       connects with ******** to ********\n" {
		t.Errorf("%q", got)
	}
}
