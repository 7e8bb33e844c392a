package netns

import (
	"strings"
	"testing"
)

func TestParseRule(t *testing.T) {
	for in, want := range map[string]string{
		"open": "open", "closed": "closed", "10.0.0.0/8": "10.0.0.0/8", "10.1.2.3": "10.1.2.3/32", "10.1.2.3:5432": "10.1.2.3/32:5432",
		"10.0.0.0/8:80-443 fd00::/8": "10.0.0.0/8:80-443, fd00::/8", "[fd00::1]:53": "[fd00::1/128]:53", "": "closed",
	} {
		r, err := ParseRule(strings.Fields(in))
		if err != nil || r.String() != want {
			t.Errorf("%q: %q %v, want %q", in, r, err, want)
		}
	}
	for _, bad := range []string{"example.com", "10.0.0.1/8", "10.0.0.0/33", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:9-8", "1.2.3.4:65536", "[fd00::1", "[fd00::1]", "open closed", "fe80::1%eth0", "::ffff:1.2.3.4"} {
		if r, err := ParseRule(strings.Fields(bad)); err == nil {
			t.Errorf("%q became %q", bad, r)
		}
	}
}

// What is read is written as something that means the same.
func FuzzParseRule(f *testing.F) {
	for _, s := range []string{"open", "10.0.0.0/8:80-443", "[fd00::/8]:1", "1.2.3.4", "a:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAllow(s)
		if err != nil {
			return
		}
		b, err := parseAllow(a.String())
		if err != nil || a != b {
			t.Errorf("%q is %v, which is read as %v, %v", s, a, b, err)
		}
	})
}

func TestParseResolv(t *testing.T) {
	servers, rest := parseResolv("# x\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nsearch a b\noptions edns0\nnameserver ::1\nnameserver fd00::53\nnameserver x\nnameserver fe80::1%eth0\n")
	if len(servers) != 2 || servers[0].String() != "10.0.0.2" || servers[1].String() != "fd00::53" || rest != "search a b\noptions edns0\n" {
		t.Errorf("%v %q", servers, rest)
	}
}
