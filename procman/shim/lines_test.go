package shim

import (
	"os"
	"strings"
	"testing"
	"time"
)

// Somebody else has the other end of the pipe and does not let go of it.
func TestStream_EndsWithPipeHeldOpen(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	var got []byte
	s := &stream{emit: func(_ time.Time, _ byte, _ bool, text []byte) { got = append(got, text...) }}
	if _, err := w.WriteString("one\ntwo"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.pump(r) }()
	s.finishBy(r, time.Now())
	if err := <-ended; err != nil || string(got) != "onetwo" {
		t.Errorf("got %q: %v", got, err)
	}
}

// TestStream_HoldsSecretsTogether writes a secret in pieces, with pauses, and across the end of a record.
func TestStream_HoldsSecretsTogether(t *testing.T) {
	for name, parts := range map[string][]string{
		"paused": {"x cana", "", "ry-12", "", "34 y\n"},
		"long":   {strings.Repeat("-", MaxText-5) + "canary-1234\n"},
		"prompt": {"password: ", ""},
	} {
		var got []string
		s := &stream{masked: []string{"canary-1234"}, emit: func(_ time.Time, _ byte, _ bool, text []byte) { got = append(got, string(text)) }}
		for _, p := range parts {
			s.feed(time.Now(), []byte(p))
			if p == "" { // so long nothing came
				s.flush(time.Now(), false)
			}
		}
		all := strings.Join(got, "\n")
		if name == "prompt" && all != "password: " || name != "prompt" && !strings.Contains(all, "canary-1234") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
