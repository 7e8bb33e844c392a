//go:build slow

package nixtmpl

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

const perlServer = `use strict; use lib '.'; use IO::Socket::INET; use Acme::Greet; use Page;
$| = 1;
my $s = IO::Socket::INET->new(LocalAddr => $ENV{HOST}, LocalPort => $ENV{PORT}, Listen => 5, ReuseAddr => 1) or die $!;
while (1) {
  my $c = $s->accept or next;
  while (defined(my $l = <$c>)) { last if $l =~ /^\r?$/ }
  my $b = Acme::Greet::hi(Page::version());
  print $c "HTTP/1.1 200 OK\r\nContent-Length: ", length $b, "\r\nConnection: close\r\n\r\n$b";
  close $c;
}
`

// TestReal_Carton builds an app of a module that only a CPAN mirror on loopback has: fetched once, installed in a layer of its
// own, part of it compiled.
func TestReal_Carton(t *testing.T) {
	dist := fmt.Sprintf("Acme-Greet-1.%d", time.Now().Unix()) // that no earlier run has fetched
	version := dist[len("Acme-Greet-"):]
	archive := gzipped(t, string(tarOf(t, map[string]string{
		dist + "/Makefile.PL":       "use ExtUtils::MakeMaker;\nWriteMakefile(NAME => 'Acme::Greet', VERSION_FROM => 'lib/Acme/Greet.pm');\n",
		dist + "/Greet.xs":          "#include \"EXTERN.h\"\n#include \"perl.h\"\n#include \"XSUB.h\"\nMODULE = Acme::Greet PACKAGE = Acme::Greet\n\nint\nanswer()\n  CODE:\n    RETVAL = 42;\n  OUTPUT:\n    RETVAL\n",
		dist + "/lib/Acme/Greet.pm": "package Acme::Greet;\nour $VERSION = '" + version + "';\nrequire XSLoader; XSLoader::load('Acme::Greet', $VERSION);\nsub hi { \"$_[0], \" . answer() }\n1;\n",
		dist + "/MANIFEST":          "Makefile.PL\nGreet.xs\nlib/Acme/Greet.pm\nMANIFEST\n",
	})))
	index := gzipped(t, "File: 02packages.details.txt\nLine-Count: 1\n\nAcme::Greet "+version+" A/AC/ACME/"+dist+".tar.gz\n")
	var downloads atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/modules/02packages.details.txt.gz":
			fmt.Fprint(w, index)
		case "/authors/id/A/AC/ACME/" + dist + ".tar.gz":
			downloads.Add(1)
			fmt.Fprint(w, archive)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	r := newRig(t)
	r.Env = func() []string { return []string{"PERL_CARTON_MIRROR=" + srv.URL} }
	a := r.tree(t, "shop", map[string]string{
		"cpanfile":  "requires 'Acme::Greet', '" + version + "';\n",
		"server.pl": perlServer, "Page.pm": "package Page; sub version { 'version 1' } 1;\n",
	})
	lifecycle(t, a, "Page.pm", "README.md")
	if n := downloads.Load(); n != 1 {
		t.Errorf("the distribution was fetched %d times", n)
	}
	b, _ := a.build(t)
	noCompiler(t, b)
}
