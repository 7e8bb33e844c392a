package detect

import (
	"errors"
	"slices"
	"testing"
)

func TestPHP_Facts(t *testing.T) {
	p, err := Detect(files("composer.json", `{"require":{"PHP":"^8.1","php":"^8.3","acme/a":"1","ext-zend-opcache":"*","ext-json":"*","ext-Intl":"*"},"config":{"platform":{"php":"8.3.1"}}}`,
		"composer.lock", `{"packages":[{"name":"Acme/A","require":[],"replace":[],"dist":{"type":"path","url":"./lib/a"}}],"platform":[]}`,
		"lib/a/composer.json", "{}", "lib/b/composer.json", "{}", "web/index.php", ""))
	if err != nil {
		t.Fatal(err)
	}
	f := p.PHP
	if !slices.Equal(f.Extensions, []string{"intl", "opcache"}) || f.Fetched || !slices.Equal(f.Packages, []string{"Acme/A"}) || f.Root != "web" || !f.Front {
		t.Errorf("%+v", f)
	}
	if !slices.Equal(f.Manifests, []string{"composer.json", "composer.lock", "lib/a/composer.json"}) {
		t.Errorf("manifests %q", f.Manifests)
	}
	if r := p.Runtimes[0]; r.Version != "^8.3" || len(r.Losers) != 1 || r.Losers[0].Version != "8.3.1" {
		t.Errorf("%+v", r)
	}
}

func TestHerokuPHP(t *testing.T) {
	for command, want := range map[string]string{
		"vendor/bin/heroku-php-apache2 web/": "web/", "heroku-php-nginx -C nginx.conf": "", "heroku-php-nginx -C nginx.conf -l log public": "public",
	} {
		if root, ok := herokuPHP(command); !ok || root != want {
			t.Errorf("%q: %q, %v", command, root, ok)
		}
	}
	if _, ok := herokuPHP("php -S 0.0.0.0"); ok {
		t.Error("PHP's own server is not Heroku's")
	}
}

func FuzzComposer(f *testing.F) {
	f.Add([]byte(`{"require":{"php":"^8","a/b":"1"},"scripts":{"compile":[]}}`), []byte(`{"packages":[{"name":"a/b","require":{"ext-x":"*"},"dist":{"type":"zip"}}]}`))
	f.Fuzz(func(t *testing.T, doc, lock []byte) {
		_, err := Detect(files("composer.json", string(doc), "composer.lock", string(lock), "index.php", ""))
		if err == nil {
			return
		}
		if _, ok := errors.AsType[*ParseError](err); ok {
			return
		}
		if _, ok := errors.AsType[*UnsupportedError](err); !ok {
			t.Fatalf("%T %v", err, err)
		}
	})
}
