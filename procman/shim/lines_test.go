package shim

import (
	"os"
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
