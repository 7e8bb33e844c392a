package packages

import (
	"os/exec"
	"testing"
)

func TestCompareVersions(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0}, {"1.0", "1.1", -1}, {"1.9", "1.10", -1}, {"1:0.1", "2.0", 1}, {"0:1", "1", 0},
		{"1.0~rc1", "1.0", -1}, {"1.0~~", "1.0~", -1}, {"1.0-1", "1.0-1~deb13u1", 1}, {"1.0-1", "1.0-1+deb13u1", -1},
		{"1.0-1+b2", "1.0-1+b10", -1}, {"1.0", "1.0-0", 0}, {"1.0a", "1.0+", -1}, {"1.0.", "1.0a", 1},
		{"1.002", "1.2", 0}, {"2.41-12+deb13u5", "2.41-12", 1}, {"1:1.37.0-6+b9", "1:1.37.0-6+b10", -1},
		{"5.2.37-2+b10", "5.2.37-2+b9", 1}, {"1.2-3-4", "1.2-3-5", -1}, {"7.6p2-4", "7.6-0", 1},
	} {
		if got := sign(compareVersions(c.a, c.b)); got != c.want {
			t.Errorf("compare %q and %q: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := sign(compareVersions(c.b, c.a)); got != -c.want {
			t.Errorf("compare %q and %q: got %d, want %d", c.b, c.a, got, -c.want)
		}
		if err == nil {
			op := map[int]string{-1: "lt", 0: "eq", 1: "gt"}[c.want]
			if err := exec.Command(dpkg, "--compare-versions", c.a, op, c.b).Run(); err != nil {
				t.Errorf("dpkg does not say %q %s %q", c.a, op, c.b)
			}
		}
	}
}

func TestUpstreamVersion(t *testing.T) {
	for in, want := range map[string]string{
		"3.1.1-1+deb13u1": "3.1.1", "3:4.2.28-0+deb13u2": "4.2.28", "25.1.1+dfsg-1": "25.1.1", "2.0.40+ds1-1": "2.0.40", "1.0": "1.0",
	} {
		if got := upstreamVersion(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func FuzzCompareVersions(f *testing.F) {
	f.Add("1:1.0~rc1-2", "1.0", "1.0-1")
	f.Add("00", "0", "~")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, ba := sign(compareVersions(a, b)), sign(compareVersions(b, a))
		if ab != -ba || compareVersions(a, a) != 0 {
			t.Fatalf("%q and %q: %d and %d", a, b, ab, ba)
		}
		if ab <= 0 && compareVersions(b, c) <= 0 && compareVersions(a, c) > 0 {
			t.Fatalf("%q ≤ %q ≤ %q, but not the first and the last", a, b, c)
		}
	})
}

func sign(n int) int { return min(1, max(-1, n)) }
