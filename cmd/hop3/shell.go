package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"
)

// devShell opens the development shell of a folder, or runs a command in it: hop3 shell [DIR] [-- COMMAND…].
func devShell(ctx context.Context, args []string, stdio stdio) error {
	set := pflag.NewFlagSet("shell", pflag.ContinueOnError)
	c := localConfig(set)
	var command []string
	for i, a := range args {
		if a == "--" {
			args, command = args[:i], args[i+1:]
			break
		}
	}
	dir, err := directory(set, args)
	if err != nil {
		return err
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		return &usageError{"a development shell needs bash", "install bash"}
	}
	plan, err := detectPlan(dir)
	if err != nil {
		return err
	}
	t, err := openToolchains(ctx, *c, "", quietLog(stdio.err))
	if err != nil {
		return err
	}
	request, done, err := copyForBuild(ctx, dir, plan)
	if err != nil {
		return err
	}
	defer done()
	request.Progress = stdio.err
	script, err := t.builder.Shell(ctx, request)
	tellTail(stdio.err, err)
	if err != nil {
		return err
	}
	file := filepath.Join(filepath.Dir(request.Source), "env.sh")
	if err := os.WriteFile(file, []byte(script+shellWelcome), 0o600); err != nil {
		return fmt.Errorf("write the environment: %w", err)
	}
	words := []string{bash, "--rcfile", file, "-i"}
	if len(command) > 0 {
		words = append([]string{bash, "-c", `. "$0"; exec "$@"`, file}, command...)
	}
	if words, err = keepStore(words...); err != nil {
		return err
	}
	// Ctrl-C is the shell's: it is not ended by our context.
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, stdio.in, stdio.out, stdio.err
	cmd.Env = append(os.Environ(), "HOP3_SHELL="+appNameOf(ctx, dir))
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			return &told{128 + int(ws.Signal())}
		}
		return &told{exit.ExitCode()}
	}
	return err
}

// shellWelcome ends the script: the user's own settings go first where the shell is interactive, the toolchain before them.
const shellWelcome = `
case $- in
*i*)
  hop3_path=$PATH
  [ ! -r ~/.bashrc ] || . ~/.bashrc
  PATH=$hop3_path:$PATH
  unset hop3_path
  PS1="(hop3 $HOP3_SHELL) $PS1"
  ;;
esac
`
