package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"

	"hop3/procman/shim"
)

// clean ends all that a script has started: its commands, its server, and the apps, which outlive a server.
func (w *world) clean() {
	for _, b := range w.behind {
		_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		<-b.done
	}
	if w.load != nil {
		w.load.stop()
	}
	if w.index != nil {
		w.index.Close()
	}
	if w.server != nil {
		_ = w.server.Process.Signal(syscall.SIGTERM) // it may have ended
		<-w.exited
	}
	cards, _ := filepath.Glob(filepath.Join(w.data, "*/*/run/*/instance.json")) // the pattern is legal
	for _, file := range cards {
		var card struct {
			Identity shim.Identity `json:"identity"`
		}
		if b, err := os.ReadFile(file); err != nil || json.Unmarshal(b, &card) != nil {
			continue // it ended just now
		}
		if i, err := shim.Adopt(filepath.Dir(file), card.Identity); err == nil {
			_ = i.Kill() // it may have ended
			<-i.Done()
		}
	}
}
