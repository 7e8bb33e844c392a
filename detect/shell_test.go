package detect

import (
	"errors"
	"strings"
	"testing"
)

func TestShell(t *testing.T) {
	for script, want := range map[string]string{
		"#!/bin/bash\n": "bash start.sh", "#!/usr/bin/env -S bash -eu\r\n": "bash -eu start.sh", "#!/bin/sh -e\n": "sh -e start.sh",
		"echo\n": "sh start.sh", "#!/bin/dash": "sh start.sh", "#! /usr/bin/zsh\n": "zsh start.sh", "": "sh start.sh", "#!\n": "sh start.sh",
	} {
		p, err := Detect(files("start.sh", script))
		if got := p.Processes.Command("web"); err != nil || p.Stack != "shell" || got != want {
			t.Errorf("%q: %q, %v, want %q", script, got, err, want)
		}
	}
	_, err := Detect(files("run.sh", "#!/usr/bin/env fish\n"))
	if u, ok := errors.AsType[*UnsupportedError](err); !ok || !strings.Contains(u.Hint(), "fish run.sh") {
		t.Error(err)
	}
	if _, err := Detect(files("run", "#!/usr/bin/env node\n")); err == nil {
		t.Error("a program of another language is no shell script")
	}
	p, err := Detect(files("run.sh", "", "Procfile", "web: bash run.sh\nworker: bash work.sh\n"))
	if err != nil || p.Stack != "shell" || len(p.Processes) != 2 {
		t.Error(p, err)
	}
}

func FuzzShebang(f *testing.F) {
	f.Add([]byte("#!/usr/bin/env -S A=b bash -e\nx"))
	f.Fuzz(func(t *testing.T, src []byte) {
		if name, _ := shebang(src); strings.ContainsAny(name, "/ \n") && name != "/" {
			t.Fatalf("%q: %q", src, name)
		}
	})
}
