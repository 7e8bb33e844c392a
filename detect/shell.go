package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// ShellFacts are what the shell template needs beyond the plan.
type ShellFacts struct {
	Shell string // "sh", "bash" or "zsh"
}

// shellScripts are the scripts that start an app, in the order in which they are tried.
func shellScripts() []string { return []string{"start.sh", "run.sh", "start", "run"} }

func claimShell(t *tree) []Evidence {
	for _, f := range shellScripts() {
		name, _ := shebang(t.source(f))
		if t.has(f) && (path.Ext(f) == ".sh" || slices.Contains(shells(), name)) {
			return []Evidence{{File: f, Why: "script that starts the app", Weight: weightEntry}}
		}
	}
	return nil
}

func shells() []string { return []string{"sh", "bash", "zsh", "dash", "ash"} }

func planShell(t *tree, p *Plan) error {
	p.Shell = &ShellFacts{Shell: "bash"}
	file := t.first(shellScripts()...)
	p.Tool = Tool{Name: "bash", From: file}
	if file == "" { // hop3.toml names the stack
		p.try(join(shellScripts()))
		return nil
	}
	shell, args := shebang(t.source(file))
	from := file + ":1 " + strings.TrimSpace(shell+" "+args)
	switch shell {
	case "bash", "zsh":
		p.Shell.Shell = shell
	case "sh", "dash", "ash":
		shell, p.Shell.Shell = "sh", "sh"
	case "":
		shell, p.Shell.Shell, from = "sh", "sh", file+" (no shebang)"
	default:
		return &UnsupportedError{What: "a start script for " + clip(shell), Evidence: file + ":1",
			Fix: fmt.Sprintf("add a Procfile with \"web: %s %s\" and the manifest of its language, or name its package under [build] packages in hop3.toml", clip(shell), file)}
	}
	p.Tool.Name = shell
	if p.wantsStart() {
		p.start("web", strings.TrimSpace(shell+" "+args)+" "+file, from)
	}
	return nil
}

// shebang returns the base name of the interpreter that a script names and its arguments: "bash", "-e" of
// "#!/usr/bin/env -S bash -e". Both are empty if it names none.
func shebang(src []byte) (name, args string) {
	const longest = 256 // what the kernel reads of it
	text, ok := strings.CutPrefix(string(src[:min(len(src), longest)]), "#!")
	if !ok {
		return "", ""
	}
	text, _, _ = strings.Cut(text, "\n")
	words := strings.Fields(text)
	if len(words) > 0 && path.Base(words[0]) == "env" {
		words = words[1:]
		for len(words) > 0 && (words[0] == "-S" || words[0] == "-i" || strings.Contains(words[0], "=")) {
			words = words[1:]
		}
	}
	if len(words) == 0 {
		return "", ""
	}
	var list []string
	for _, w := range words[1:] {
		list = append(list, shellWord(w))
	}
	return path.Base(words[0]), strings.Join(list, " ")
}
