package procman

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hop3/procman/shim"
)

// A burst gives many records of one time. Of them and a later record elsewhere
// the last five are five, whichever file is looked at first.
func TestLogs_LastOfManyOfOneTime(t *testing.T) {
	dir := t.TempDir()
	at := time.Now().UTC().Add(-time.Minute).Truncate(time.Microsecond) // before the files were written
	write := func(name, process string, at time.Time, n int) {
		var b []byte
		for range n {
			b = shim.AppendRecord(b, shim.Record{Time: at, Stream: shim.Stdout, Process: process, Release: 1, Text: []byte("x")})
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("flood.1-v1-a.log", "flood.1", at, 100)
	write("chat.1-v1-b.log", "chat.1", at.Add(time.Millisecond), 1)
	write("chat.2-v1-c.log", "chat.2", at.Add(2*time.Millisecond), 1)
	for _, newest := range []string{"flood.1-v1-a.log", "chat.1-v1-b.log"} {
		later := time.Now().Add(time.Hour)
		if err := os.Chtimes(filepath.Join(dir, newest), later, later); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := New(Options{}).Logs(t.Context(), dir, LogQuery{Lines: 5}, &out); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != 5 || strings.Count(out.String(), "flood.1") != 3 {
			t.Errorf("%d lines:\n%s", n, out.String())
		}
	}
}
