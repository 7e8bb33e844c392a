package main

import (
	"bytes"
	"io"
	"sync"
)

// indent writes lines with blanks before them.
type indent struct {
	mu  sync.Mutex
	w   io.Writer
	mid bool // within a line
}

func (i *indent) Write(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out bytes.Buffer
	for _, b := range p {
		if !i.mid {
			out.WriteString("       ")
		}
		out.WriteByte(b)
		i.mid = b != '\n'
	}
	if _, err := i.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
