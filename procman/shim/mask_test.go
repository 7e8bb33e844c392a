package shim_test

import (
	"strings"
	"testing"

	"hop3/procman/shim"
)

func TestLog_KeepsNoSecret(t *testing.T) {
	long := strings.Repeat("canary", shim.MaxText/6) // what replaces them is longer
	s := spec(t, "bytes", `canary-1234 and canary\n`+long+`\n`)
	s.Masked = []string{"canary-1234", "canary"}
	i := start(t, s)
	<-i.Done()
	rs := records(t, s.LogPath)
	if got := text(rs, shim.Stdout); !strings.HasPrefix(got, "******** and ********\n") || strings.Contains(got, "canary") {
		t.Errorf("log = %.100q", got)
	}
}

// TestUncut holds each way to part a text against looking for it in both parts.
func TestUncut(t *testing.T) {
	texts := []string{"abcdef", "defghi", "aab"}
	for _, c := range []struct {
		text string
		want int
	}{
		{"", 0}, {"xyz", 3}, {"xyzabc", 3}, {"abcdef", 0}, {"-abcdef-", 8}, {"abcdefg", 0}, {"--defgh", 2}, {"aa", 0}, {"aaab-", 5}, {"abcdefghi", 9}, {"abcdefghiabc", 9},
	} {
		if got := shim.Uncut(texts, []byte(c.text)); got != c.want {
			t.Errorf("Uncut(%q) = %d, want %d", c.text, got, c.want)
		}
	}
}
