package packages

import (
	"strings"
	"testing"
)

// hello builds an expression whose output is one line and returns it.
func hello(t *testing.T, need Need, expr string) *Set {
	t.Helper()
	s := openReal(t)
	size, err := s.Size(need)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %.1f MiB to fetch", t.Name(), float64(size)/(1<<20))
	prefetch(t, s, need)
	out := build(t, s, expr)
	var store int64
	for _, p := range closure(t, out) {
		text, err := run(t.Context(), "nix-store", "-q", "--size", p)
		if err != nil {
			t.Fatal(err)
		}
		var n int64
		for _, c := range strings.TrimSpace(text) {
			n = n*10 + int64(c-'0')
		}
		store += n
	}
	t.Logf("%s: %.1f MiB in the closure of %s", t.Name(), float64(store)/(1<<20), out)
	return s
}

func TestContract_Ruby(t *testing.T) {
	hello(t, Need{Stack: "ruby", Native: true, Packages: map[string][]string{"ruby": {"sinatra", "puma", "rackup", "pg", "nokogiri"}}}, `
	let env = pkgs.ruby_3_3.withPackages (ps: [ ps.sinatra ps.puma ps.rackup ps.pg ps.nokogiri ]); in
	pkgs.stdenv.mkDerivation { name = "ruby-hello"; dontUnpack = true; nativeBuildInputs = [ pkgs.ruby_3_3 ]; installPhase = "mkdir -p $out; echo ${env} > $out/env"; buildPhase = ''
	  export HOME=$TMPDIR
	  [ "$(ruby -e 'require "json"; require "openssl"; require "bigdecimal"; require "psych"; print RbConfig.ruby, JSON.generate({a: 1})')" = '${pkgs.ruby_3_3}/bin/ruby{"a":1}' ]
	  [ -z "$(ruby -e 'puts $:, Gem.path' | grep -v -e ^/nix/store -e ^$HOME)" ]
	  gem --version; bundle --version; irb --version; rake --version; ruby --version | grep '^ruby ${pkgs.ruby_3_3.version}'
	  mkdir ext; (cd ext; printf '#include <ruby.h>\nvoid Init_ext(void) { rb_define_global_const("EXT", INT2FIX(42)); }\n' > ext.c
	    printf 'require "mkmf"; create_makefile "ext"' > extconf.rb; ruby extconf.rb; make; [ "$(ruby -I. -rext -e 'print EXT')" = 42 ])
	  export PATH=${env}/bin:$PATH
	  ruby -w -e 'require "sinatra/base"; require "puma"; require "pg"; require "nokogiri"; p Nokogiri.XML("<a/>").root.name' 2>&1 | grep -v 'already init' | grep '^"a"$'
	  printf 'source "https://rubygems.org"\ngem "sinatra"\ngem "puma"\ngem "rackup"\n' > Gemfile
	  bundle install --local; bundle exec puma --version
	  [ -z "$(bundle exec ruby -e 'require "sinatra/base"' 2>&1)" ]
	''; }`)
}

func TestContract_PHP(t *testing.T) {
	hello(t, Need{Stack: "php", Packages: map[string][]string{"php": {"gd", "redis"}}}, `
	pkgs.runCommand "php-hello" { nativeBuildInputs = [ pkgs.php84 pkgs.php84Packages.composer pkgs.unzip ]; } ''
	  export HOME=$TMPDIR
	  [ "$(php -r 'echo mb_strlen("äö"), (new PDO("sqlite::memory:"))->query("select 1+1")->fetchColumn(), (new DateTime("2026-07-01 12:00 UTC"))->setTimezone(new DateTimeZone("Europe/Vienna"))->format("H:i");' 2>&1)" = 2214:00 ]
	  php -m > modules; for m in curl dom gmp intl mysqli pdo_mysql pdo_pgsql simplexml soap sodium xmlreader zip "Zend OPcache"; do grep -qix "$m" modules; done
	  printf "[global]\nerror_log=/dev/stderr\n[www]\nlisten=127.0.0.1:9999\npm=static\npm.max_children=1\n" > fpm.conf; php-fpm -t -y fpm.conf
	  mkdir src; echo '{"name":"a/b","autoload":{"psr-4":{"A\\":"src/"}}}' > composer.json
	  composer install --no-interaction; echo '<?php namespace A; class B { const C = 3; }' > src/B.php; composer dump-autoload -o
	  [ "$(php -r 'require "vendor/autoload.php"; echo A\B::C;')" = 3 ]
	  [ "$(${pkgs.php84.withExtensions ({ enabled, all }: enabled ++ [ all.gd all.redis ])}/bin/php -r 'imagecreate(1, 1); new Redis(); echo 1;' 2>&1)" = 1 ]
	  [ "$(${pkgs.php84.buildEnv { extensions = { enabled, all }: [ all.ctype ]; extraConfig = "memory_limit = 77M"; }}/bin/php -r 'echo ini_get("memory_limit"), extension_loaded("curl") ? 1 : 0;')" = 77M0 ]
	  echo ${pkgs.php84} > $out
	''`)
}

func TestContract_Perl(t *testing.T) {
	names := []string{"Mojolicious", "Plack", "Starman", "Dancer2", "DBD::SQLite", "Carton", "App::cpanminus", "JSON::XS"}
	hello(t, Need{Stack: "perl", Native: true, Packages: map[string][]string{"perl": names}}, `
	let env = pkgs.perl.withPackages (p: [ p.Mojolicious p.Plack p.Starman p.Dancer2 p.DBDSQLite p.Carton p.Appcpanminus p.JSONXS ]); in
	pkgs.stdenv.mkDerivation { name = "perl-hello"; dontUnpack = true; nativeBuildInputs = [ pkgs.perl ]; installPhase = "mkdir -p $out; echo ${env} > $out/env"; buildPhase = ''
	  export HOME=$TMPDIR
	  [ "$(perl -MJSON::PP -MEncode -MPOSIX -MSocket -MTime::HiRes -MDigest::SHA=sha1_hex -e 'print encode_json({a => 1})')" = '{"a":1}' ]
	  mkdir xs; (cd xs; printf 'use ExtUtils::MakeMaker; WriteMakefile(NAME => "X", VERSION => 1);' > Makefile.PL; printf 'package X; require XSLoader; XSLoader::load("X"); 1;' > X.pm
	    printf '#include "EXTERN.h"\n#include "perl.h"\n#include "XSUB.h"\nMODULE = X PACKAGE = X\nint\nanswer()\n  CODE:\n    RETVAL = 42;\n  OUTPUT:\n    RETVAL\n' > X.xs
	    perl Makefile.PL; make; [ "$(perl -Mblib -MX -e 'print X::answer()' 2>/dev/null)" = 42 ])
	  export PATH=${env}/bin:$PATH
	  perl -MMojolicious -MPlack -MDancer2 -MDBI -MJSON::XS -e 'DBI->connect("dbi:SQLite::memory:")->do("select 1"); print "$Mojolicious::VERSION\n"; exit 1 unless 5 == qx($^X -MMojolicious -e "print 5")'
	  plackup --version; starman --version; carton --version; cpanm --version; mojo version
	''; }`)
}

func TestContract_Lua(t *testing.T) {
	names := []string{"luasocket", "luafilesystem", "lpeg", "lua-cjson", "copas", "http", "penlight", "luasec"}
	hello(t, Need{Stack: "lua", Native: true, Roots: []string{"luaRocks"}, Packages: map[string][]string{"lua": names}}, `
	let env = pkgs.lua5_4.withPackages (p: with p; [ luasocket luafilesystem lpeg lua-cjson copas http penlight luasec ]); in
	pkgs.stdenv.mkDerivation { name = "lua-hello"; nativeBuildInputs = [ pkgs.lua5_4 pkgs.luarocks pkgs.unzip ]; dontUnpack = true; installPhase = "echo ${env} > $out/env"; buildPhase = ''
	  export HOME=$TMPDIR
	  lua -v; luac -v
	  ${env}/bin/lua -e 'for _, m in ipairs{"copas", "socket", "socket.http", "lfs", "lpeg", "cjson", "http.server", "pl.pretty", "ssl"} do assert(require(m)) end assert(require("cjson").encode({a=1}) == "{\"a\":1}")'
	  printf 'package = "hello"\nversion = "1.0-1"\nsource = { url = "file://." }\nbuild = { type = "builtin", modules = { hello = "hello.lua", hellonative = "hello.c" } }\n' > hello-1.0-1.rockspec
	  echo 'return {x = 1}' > hello.lua
	  printf '#include <lua.h>\n#include <lauxlib.h>\nint luaopen_hellonative(lua_State *L) { lua_pushinteger(L, 42); return 1; }\n' > hello.c
	  luarocks make --tree $out --deps-mode none
	  LUA_PATH="$out/share/lua/5.4/?.lua;;" LUA_CPATH="$out/lib/lua/5.4/?.so;;" lua -e 'assert(require("hello").x + require("hellonative") == 43)'
	''; }`)
}

func TestContract_NpmTools(t *testing.T) {
	versions := map[string]string{"deno": "", "bun": "", "pnpm": "9", "yarn": "", "yarn-berry": ""}
	s := hello(t, Need{Stack: "node", Node: "22", Versions: versions}, `
	pkgs.runCommand "tools-hello" { nativeBuildInputs = [ pkgs.nodejs_22 ]; } ''
	  export HOME=$TMPDIR DENO_DIR=$TMPDIR/deno
	  echo 'console.log("hello " + (1 + 1 as number))' > a.ts
	  [ "$(${pkgs.deno}/bin/deno run --no-remote a.ts)" = "hello 2" ]; [ "$(${pkgs.bun}/bin/bun run a.ts)" = "hello 2" ]
	  ${pkgs.bun}/bin/bunx --version
	  echo '{"name":"a","version":"1.0.0"}' > package.json
	  [ "$(${pkgs.pnpm_9.override { nodejs = pkgs.nodejs_22; }}/bin/pnpm --version)" = ${pkgs.pnpm_9.version} ]
	  (mkdir y; cd y; echo '{"name":"y","version":"1.0.0"}' > package.json; ${pkgs.yarn.override { nodejs = pkgs.nodejs_22; }}/bin/yarn install --offline; [ -e yarn.lock ])
	  (mkdir b; cd b; echo '{"name":"b","version":"1.0.0"}' > package.json; touch yarn.lock; YARN_ENABLE_TELEMETRY=0 ${pkgs.yarn-berry.override { nodejs = pkgs.nodejs_22; }}/bin/yarn install)
	  touch $out
	''`)
	if got := strings.Join(s.Versions()["pnpm"], " "); got != "10 9 8" {
		t.Errorf("pnpm: %s", got)
	}
}

func TestContract_Small(t *testing.T) {
	hello(t, Need{Stack: "cobol", Roots: []string{"caddy"}}, `
	pkgs.stdenv.mkDerivation { name = "small-hello"; dontUnpack = true; nativeBuildInputs = [ pkgs.gnucobol pkgs.caddy pkgs.socat ]; buildPhase = ''
	  export HOME=$TMPDIR
	  printf '       IDENTIFICATION DIVISION.\n       PROGRAM-ID. HELLO.\n       PROCEDURE DIVISION.\n           DISPLAY "hello".\n           STOP RUN.\n' > a.cob
	  cobc -x -o hello a.cob; [ "$(./hello 2>/dev/null)" = hello ]; cobc -m a.cob
	  caddy version; socat -V
	''; installPhase = "mkdir -p $out/bin; cp hello $out/bin/"; }`)
}
