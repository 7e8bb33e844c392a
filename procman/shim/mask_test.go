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
