package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReal_Base(t *testing.T) {
	s := openReal(t)
	prefetch(t, s, Need{Stack: "static"})
	out := build(t, s, `pkgs.runCommand "hello" { } ''
	  echo hello > $out; bash --version; tar --version; find --version; awk --version; sed --version; grep --version; xz --version
	  [ "$(id -u)" != 0 ] && [ ! -e /usr ]
	''`)
	if b, err := os.ReadFile(out); err != nil || string(b) != "hello\n" {
		t.Fatalf("got %q, %v", b, err)
	}
}

func TestReal_Go(t *testing.T) {
	s := openReal(t)
	prefetch(t, s, Need{Stack: "go", Go: "1.26"})
	out := build(t, s, `pkgs.runCommand "go-hello" { nativeBuildInputs = [ pkgs.go_1_26 pkgs.gitMinimal pkgs.curl ]; } ''
	  export HOME=$TMPDIR GOPATH=$TMPDIR/go GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-trimpath
	  mkdir app; cd app
	  [ "$(go env GOVERSION)" = go${pkgs.go_1_26.version} ]
	  printf 'package main\nfunc main() { println("hello") }\n' > main.go
	  go mod init example.org/hello; gofmt -l .; go build -ldflags "-s -w -buildid=" -o $out/bin/hello .
	  git init -q .; git --exec-path; git config --list; (git fetch https://example.invalid/x 2>&1 || true) | grep 'Could not resolve host'
	  curl --version
	  [ -s ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt ]; [ -e ${pkgs.tzdata}/share/zoneinfo/Europe/Vienna ]
	''`)
	b, err := exec.Command(filepath.Join(out, "bin/hello")).CombinedOutput()
	if err != nil || string(b) != "hello\n" {
		t.Fatalf("got %q, %v", b, err)
	}
	if c := closure(t, out); len(c) != 1 {
		t.Fatalf("a static program needs only itself, not %q", c)
	}
}

func TestReal_Node(t *testing.T) {
	s := openReal(t)
	prefetch(t, s, Need{Stack: "node", Node: "22"}, Need{Stack: "node", Node: "24"})
	out := build(t, s, `pkgs.runCommand "node-versions" { nativeBuildInputs = [ pkgs.nodejs_22 ]; } ''
	  export HOME=$TMPDIR
	  node -p process.version > $out; npm --version >> $out; npx --version >> $out
	  ${pkgs.nodejs_24}/bin/node -p 'require("zlib").gzipSync("x").length > 0 && process.version' >> $out
	  ${pkgs.nodejs_24}/bin/npm --version >> $out
	  [ -e ${pkgs.nodejs_22.dev}/include/node/node.h ]
	''`)
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	l := s.current()
	want := "v" + l.Node["22"].Node.Version + "\n" + strings.Repeat(l.Node["22"].Npm.Version+"\n", 2) +
		"v" + l.Node["24"].Node.Version + "\n" + l.Node["24"].Npm.Version + "\n"
	if string(b) != want {
		t.Fatalf("got %q, want %q", b, want)
	}
}

func TestReal_Python(t *testing.T) {
	s := openReal(t)
	prefetch(t, s, Need{Stack: "python"})
	out := build(t, s, `let python = pkgs.python3.withPackages (ps: [ ps.flask ps.gunicorn ps.requests ps.pip ]); in
	pkgs.runCommand "python-flask" { nativeBuildInputs = [ python ]; } ''
	  python3 -c 'import flask, requests, ssl, sqlite3, zlib, ctypes, lzma, bz2, readline; print(flask.Flask(__name__).name)' > $out
	  gunicorn --version >> $out; pip --version > /dev/null; python3 -m venv --without-pip v
	''`)
	b, err := os.ReadFile(out)
	if err != nil || !strings.HasPrefix(string(b), "__main__\ngunicorn") {
		t.Fatalf("got %q, %v", b, err)
	}
	all := slices.Sorted(mapsKeys(s.PythonPackages()))
	prefetch(t, s, Need{Stack: "python", Python: all})
	build(t, s, `let python = pkgs.python3.withPackages (ps: map (n: ps.${n}) (lib.attrNames (lib.importJSON "${nixpkgs}/lock.json").languages.python)); in
	pkgs.runCommand "python-all" { nativeBuildInputs = [ python ]; } ''
	  python3 -c 'import aiohttp, bcrypt, bottle, celery, cryptography.fernet, django, dotenv, fastapi, flask_sqlalchemy, greenlet, httpx, lxml.etree, markdown, psycopg2, pymysql, pydantic, redis, tornado, uvicorn, uvloop, waitress, whitenoise, yaml'
	  uvicorn --version; touch $out
	''`)
}

func TestReal_Compiler(t *testing.T) {
	s := openReal(t)
	prefetch(t, s, Need{Stack: "go", Go: "1.26", Native: true}, Need{Stack: "node", Node: "22", Native: true})
	out := build(t, s, `pkgs.stdenv.mkDerivation { name = "compiled"; dontUnpack = true; buildInputs = [ pkgs.zlib ]; nativeBuildInputs = [ pkgs.pkg-config pkgs.go_1_26 ];
	buildPhase = ''
	  export HOME=$TMPDIR GOTOOLCHAIN=local CGO_ENABLED=1
	  printf '#include <stdio.h>\n#include <zlib.h>\n#include <math.h>\nint main(int c, char **v) { printf("zlib %%s %%.0f\\n", zlibVersion(), sqrt(c * 4)); return 0; }\n' > a.c
	  $CC a.c -o a $(pkg-config --cflags --libs zlib) -lm
	  printf '#include <iostream>\nint main() { try { throw 1; } catch (int) { std::cout << "caught\\n"; } }\n' > b.cc
	  $CXX b.cc -o b
	  $CC -static -x c - -o static <<< 'int main() { return 0; }'; ./static
	  $CC -shared -fPIC -x c - -o libs.so <<< 'int s() { return 1; }'
	  mkdir cgo; printf 'package main\n// #include <stdlib.h>\nimport "C"\nimport ("fmt"; "net")\nfunc main() { C.abs(1); _, err := net.LookupHost("localhost"); fmt.Println("cgo", err == nil || true) }\n' > cgo/main.go
	  (cd cgo && go mod init x && go build -trimpath -ldflags=-buildid= -o ../c .)
	'';
	installPhase = "mkdir -p $out/bin; cp a b c $out/bin"; }`)
	for name, want := range map[string]string{"a": "zlib 1.3.1 2\n", "b": "caught\n", "c": "cgo true\n"} {
		b, err := exec.Command(filepath.Join(out, "bin", name)).CombinedOutput()
		if err != nil || string(b) != want {
			t.Errorf("%s: got %q, %v", name, b, err)
		}
	}
	for _, p := range closure(t, out) {
		if strings.Contains(p, "gcc14") || strings.Contains(p, "libc6-dev") {
			t.Errorf("the compiler is in the run-time closure: %s", p)
		}
	}
}

func TestReal_NativeAddon(t *testing.T) {
	s := openReal(t)
	prefetch(t, s, Need{Stack: "node", Node: "22", Native: true})
	build(t, s, `pkgs.stdenv.mkDerivation { name = "addon"; dontUnpack = true; nativeBuildInputs = [ pkgs.nodejs_22 pkgs.python3 ];
	buildPhase = ''
	  export HOME=$TMPDIR npm_config_nodedir=${pkgs.nodejs_22.dev}
	  echo '{"targets":[{"target_name":"a","sources":["a.c"]}]}' > binding.gyp
	  echo '{"name":"a","version":"1.0.0"}' > package.json
	  printf '#include <node_api.h>\nstatic napi_value init(napi_env e, napi_value x) { napi_value v; napi_create_int32(e, 42, &v); return v; }\nNAPI_MODULE(a, init)\n' > a.c
	  ${pkgs.nodejs_22}/lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js rebuild
	  [ "$(node -p 'require("./build/Release/a.node")')" = 42 ]
	'';
	installPhase = "touch $out"; }`)
}

// closure is the run-time closure of a path.
func closure(t *testing.T, path string) []string {
	t.Helper()
	out, err := run(t.Context(), "nix-store", "-qR", path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(out)
}
