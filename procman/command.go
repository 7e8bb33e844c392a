package procman

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// CommandError says why a command of the Procfile cannot be run in its release.
type CommandError struct {
	Process string // type or instance
	Command string // as written: without the values of variables
	Problem string
	hint    string
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("run %s: %s (command: %s)", e.Process, e.Problem, e.Command)
}

// Hint says how to mend the command.
func (e *CommandError) Hint() string { return e.hint }

// argv returns what is executed for a command of the Procfile: its own words where it has no shell syntax, else the
// release's sh. plain are the variables that may appear in an argv, which other processes of the machine can read.
func (r *Release) argv(process, command string, plain map[string]string) ([]string, error) {
	fail := func(problem, hint string) ([]string, error) {
		return nil, &CommandError{Process: process, Command: command, Problem: problem, hint: hint}
	}
	words, shell, err := split(command, plain)
	if err != nil {
		return fail(err.Error(), "mend the quoting in the Procfile")
	}
	if !shell && len(words) > 1 && words[0] == "exec" && !strings.HasPrefix(words[1], "-") {
		words = words[1:]
	}
	if !shell && len(words) == 0 {
		return fail("the command is empty", "give "+process+" a command in the Procfile")
	}
	if !shell && !keywords[words[0]] {
		program, err := r.program(words[0])
		if err == nil {
			return append([]string{program}, words[1:]...), nil
		}
		if !builtins[words[0]] {
			return fail(err.Error(), programHint(words[0], err))
		}
	}
	sh, err := r.program("sh")
	if err != nil {
		return fail("it needs a shell and the release has none",
			"write the command without shell syntax, or add bash to [build] packages in hop3.toml")
	}
	return []string{sh, "-c", withExec(command)}, nil
}

// words returns argv for words that are already split, as `run -- WORDS` has them.
func (r *Release) words(process string, argv []string) ([]string, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, &CommandError{Process: process, Problem: "the command is empty", hint: "say what to run after --"}
	}
	program, err := r.program(argv[0])
	if err != nil {
		return nil, &CommandError{Process: process, Command: argv[0], Problem: err.Error(), hint: programHint(argv[0], err)}
	}
	return append([]string{program}, argv[1:]...), nil
}

type programError struct {
	name, problem string
	mode          bool // it is there, but not executable
}

func (e *programError) Error() string { return e.problem + ": " + e.name }

// program returns the path, inside the sandbox, of a program: by name from the release's bin, by path from /app, the
// closure or the app's data.
func (r *Release) program(name string) (string, error) {
	inside, outside := name, name
	switch {
	case !strings.Contains(name, "/"):
		inside = filepath.Join(r.StorePath, "bin", name)
		outside = inside
	case !filepath.IsAbs(name):
		inside = filepath.Join("/app", name)
		if !strings.HasPrefix(inside, "/app/") {
			return "", &programError{name: name, problem: "the program lies outside the app"}
		}
		outside = filepath.Join(r.StorePath, inside)
	case strings.HasPrefix(filepath.Clean(name), "/app/"):
		outside = filepath.Join(r.StorePath, name)
	case strings.HasPrefix(filepath.Clean(name), "/data/"):
		return name, nil // made by the app itself
	case name == "/bin/sh" || name == "/usr/bin/env": // the sandbox has these two where the release does
		outside = filepath.Join(r.StorePath, "bin", filepath.Base(name))
	case !slices.ContainsFunc(r.Closure, func(p string) bool { return name == p || strings.HasPrefix(name, p+"/") }):
		return "", &programError{name: name, problem: "the release holds no such program"}
	}
	info, err := os.Lstat(outside)
	switch {
	case err != nil || info.IsDir():
		return "", &programError{name: name, problem: "the release holds no such program"}
	case info.Mode().Type() == fs.ModeSymlink: // where it leads may exist inside only
		return inside, nil
	case info.Mode()&0o111 == 0:
		return "", &programError{name: name, problem: "the program is not executable", mode: true}
	}
	return inside, nil
}

func programHint(name string, err error) string {
	if e, ok := err.(*programError); ok && e.mode {
		return "git update-index --chmod=+x " + strings.TrimPrefix(name, "./") + ", then commit and push"
	}
	return "check the command's spelling, or add what provides it to [build] packages in hop3.toml"
}
