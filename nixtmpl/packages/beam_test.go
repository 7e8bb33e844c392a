package packages

import "testing"

func TestContract_Elixir(t *testing.T) {
	hello(t, Need{Stack: "elixir"}, `
	pkgs.runCommand "elixir-hello" { nativeBuildInputs = [ pkgs.beamPackages.elixir_1_18 pkgs.beamPackages.erlang pkgs.beamPackages.rebar3 ]; LC_ALL = "C.UTF-8"; MIX_ENV = "prod"; } ''
	  export HOME=$TMPDIR
	  [ "$(erl -noshell -eval 'io:format("~s", [erlang:system_info(otp_release)]), {ok, _} = application:ensure_all_started(ssl), halt().')" = 27 ]
	  elixir --version; iex --version; rebar3 --version
	  printf -- '-module(x).\n-export([y/0]).\ny() -> crypto:hash(sha256, <<>>).\n' > x.erl; erlc x.erl
	  mix new hello --sup; cd hello; mix release --quiet
	  mkdir $out; cp -rL _build/prod/rel/hello/. $out
	  find $out -type f | xargs sed -i '1s,^#!/bin/sh,#!${pkgs.busybox}/bin/sh,' 
	  [ "$(RELEASE_DISTRIBUTION=none $out/bin/hello eval 'IO.puts(:code.root_dir())')" = $out ]
	''`)
}

func TestContract_Guile(t *testing.T) {
	hello(t, Need{Stack: "scheme"}, `
	pkgs.runCommand "guile-hello" { nativeBuildInputs = [ pkgs.guile_3_0 ]; GUILE_AUTO_COMPILE = "0"; } ''
	  export HOME=$TMPDIR
	  printf '(define-module (m) #:export (x))\n(define (x) 42)\n' > m.scm
	  guild compile -L . -o m.go m.scm
	  guile -c "(display 1)"
	  [ "$(guile -L . -C . -c '(use-modules (m) (web server) (ice-9 threads) (srfi srfi-1)) (display (list (x) (effective-version)))')" = "(42 3.0)" ]
	  time guile -c '(use-modules (web server))'
	  echo ${pkgs.guile_3_0} > $out
	''`)
}
