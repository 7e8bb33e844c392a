//go:build slow

package nixtmpl

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// TestReal_Composer builds an app whose lock file names an archive on a loopback server:
// fetched once, unpacked in a layer of its own. What only development needs no server has.
func TestReal_Composer(t *testing.T) {
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range map[string]string{
		"greet-1/composer.json":   `{"name":"acme/greet","autoload":{"psr-4":{"Acme\\":"src/"}}}`,
		"greet-1/src/Greeter.php": "<?php namespace Acme; class Greeter { static function hi(string $s) { return \"$s, greeted\"; } }",
	} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var downloads atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/greet.zip" {
			http.NotFound(w, r)
			return
		}
		downloads.Add(1)
		http.ServeContent(w, r, "greet.zip", time.Time{}, bytes.NewReader(archive.Bytes()))
	}))
	t.Cleanup(srv.Close)
	const pkg = `{"name":%q,"version":"1.0.0","type":"library","dist":{"type":"zip","url":%q,"reference":"abc","shasum":""},"autoload":{"psr-4":{"Acme\\":"src/"}}}`
	a := newRig(t).tree(t, "shop", map[string]string{
		"composer.json": `{"name":"acme/shop","require":{"acme/greet":"^1.0"},"require-dev":{"acme/dev":"^1.0"},"autoload":{"psr-4":{"Shop\\":"src/"}},
			"config":{"secure-http":false},"repositories":[{"packagist.org":false}],"scripts":{"compile":"@php -r 'file_put_contents(\"made.txt\", \"compiled\");'"}}`,
		"composer.lock": fmt.Sprintf(`{"content-hash":"aa","packages":[`+pkg+`],"packages-dev":[`+pkg+`],"aliases":[],"minimum-stability":"stable","stability-flags":{},
			"prefer-stable":false,"prefer-lowest":false,"platform":[],"platform-dev":[],"plugin-api-version":"2.6.0"}`, "acme/greet", srv.URL+"/greet.zip", "acme/dev", srv.URL+"/dev.zip"),
		"src/Page.php":     "<?php namespace Shop; class Page { const VERSION = 'version 1'; }",
		"public/index.php": "<?php require __DIR__ . '/../vendor/autoload.php'; echo Acme\\Greeter::hi(Shop\\Page::VERSION), file_get_contents('../made.txt');",
	})
	lifecycle(t, a, "src/Page.php", "README.md")
	if n := downloads.Load(); n != 1 {
		t.Errorf("the archive was fetched %d times", n)
	}
}
