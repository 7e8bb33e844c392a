package service

import (
	"errors"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"testing"
)

func TestKinds_AreWhole(t *testing.T) {
	for _, k := range Kinds() {
		for _, name := range []string{"Procfile", "hop3.toml", "init", "serve", "grant", "revoke", "backup", "restore", "client"} {
			if _, err := fs.Stat(k.Files(), name); err != nil {
				t.Errorf("%s: %v", k.Name, err)
			}
		}
		if got, ok := Find(k.Name); !ok || got.Name != k.Name {
			t.Errorf("%s is not found", k.Name)
		}
		if v := k.Settings("db", "secret", 20001)[k.Secret]; v != "secret" {
			t.Errorf("%s keeps its password in no setting: %q", k.Name, v)
		}
	}
	for name, want := range map[string]string{"heroku-postgresql:essential-0": "postgres", "heroku-redis": "redis", "postgresql": "postgres", "mysql": ""} {
		if got, ok := Find(name); got.Name != want || ok != (want != "") {
			t.Errorf("Find(%q) = %q, %v", name, got.Name, ok)
		}
	}
}

func TestKind_Addresses(t *testing.T) {
	l := Login{Service: "blog-db", User: "blog-60001", Password: "PÄ/:@?#", Port: 20001}
	for _, k := range Kinds() {
		u, err := url.Parse(k.URL(l))
		if err != nil || u.Host != "127.0.0.1:20001" {
			t.Errorf("%s: %v, %v", k.Name, u, err)
		}
		if got, err := k.Parse(l.Service, k.URL(l)); err != nil || got != l {
			t.Errorf("%s: %+v, %v", k.Name, got, err)
		}
		values := k.Values(l)
		if values[k.Variable] != k.URL(l) || !strings.HasPrefix(values["SOCKET"], "/run/services/blog-db/") {
			t.Errorf("%s: %v", k.Name, values)
		}
		if _, err := k.Parse("db", "nothing at all %zz secret"); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
	if got := Kinds()[0].Further("blog-db"); got != "HOP3_POSTGRESQL_BLOG_DB_URL" {
		t.Error(got)
	}
}

func TestReady(t *testing.T) {
	for _, c := range []struct {
		kind, answer string
		starting     bool
		ready        bool
	}{
		{"postgres", "R\x00\x00\x00\x08\x00\x00\x00\x0a", false, true},
		{"postgres", "E\x00\x00\x00\x20SFATAL\x00C57P03\x00Mis starting\x00\x00", true, false},
		{"postgres", "E\x00\x00\x00\x1eSFATAL\x00C3D000\x00Mnot there\x00\x00", false, false},
		{"postgres", "HTTP/1.1 400", false, false},
		{"redis", "+OK\r\n+PONG\r\n", false, true},
		{"redis", "+OK\r\n-LOADING reads its data\r\n", true, false},
		{"redis", "-WRONGPASS\r\n", false, false},
		{"redis", "", false, false},
	} {
		kind, _ := Find(c.kind)
		here, there := net.Pipe()
		go func() {
			b := make([]byte, 1000)
			_, _ = there.Read(b) // the question
			_, _ = there.Write([]byte(c.answer))
			_ = there.Close()
		}()
		err := kind.Ready(t.Context(), here, "secret")
		if (err == nil) != c.ready || errors.Is(err, errStarting) != c.starting {
			t.Errorf("%s, %q: %v", c.kind, c.answer, err)
		}
		_ = here.Close()
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add("R\x00\x00\x00\x08\x00\x00\x00\x0a")
	f.Add("E\x00\x00\x00\x0cC57P03\x00\x00")
	f.Add("+OK\r\n+PONG\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		if err := readPostgres(strings.NewReader(s)); err == nil && s[0] != 'R' {
			t.Errorf("postgres is ready by %q", s)
		}
		if err := readRedis(strings.NewReader(s)); err == nil && !strings.HasPrefix(s, "+OK") {
			t.Errorf("redis is ready by %q", s)
		}
	})
}
