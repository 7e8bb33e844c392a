// Command builder is the builder of the tests' derivations: static, so that it
// runs in a sandbox that holds nothing but its inputs. What it does is in its
// arguments, a verb and its operands, one after the other.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"hop3/nixtmpl/nix"
)

func main() {
	for args := os.Args[1:]; len(args) > 1; args = args[2:] {
		do(args[0], args[1])
	}
}

func do(verb, operand string) {
	switch verb {
	case "write": // the output
		check(os.WriteFile(os.Getenv("out"), []byte(operand), 0o644))
	case "writebin": // the output "bin"
		check(os.WriteFile(os.Getenv("bin"), []byte(operand), 0o644))
	case "now": // to the output
		check(os.WriteFile(os.Getenv("out"), fmt.Append(nil, time.Now().UnixNano()), 0o644))
	case "append": // the file whose path is in an environment variable to the output, with what it names
		data, err := os.ReadFile(os.Getenv(operand))
		check(err)
		check(os.WriteFile(os.Getenv("out"), append(data, os.Getenv(operand)...), 0o644))
	case "env": // to the output
		check(os.WriteFile(os.Getenv("out"), []byte(os.Getenv(operand)), 0o644))
	case "say":
		fmt.Fprintln(os.Stderr, operand)
	case "phase":
		fmt.Fprintf(os.Stderr, "@nix {\"action\":\"setPhase\",\"phase\":%q}\n", operand)
	case "lines":
		n, err := strconv.Atoi(operand)
		check(err)
		for i := range n {
			fmt.Fprintf(os.Stderr, "line %d\n", i+1)
		}
	case "hang": // until killed, whatever is said; the operand is seen in the process list
		signal.Ignore(os.Interrupt)
		fmt.Fprintln(os.Stderr, "hanging")
		time.Sleep(time.Hour)
	case "look": // around, into the output
		check(nix.ProbeMain())
	case "see": // whether the file is there, on the log
		_, err := os.Stat(operand)
		fmt.Fprintln(os.Stderr, operand, err == nil)
	case "tamper": // with the input whose path is in an environment variable; it must not work
		path := os.Getenv(operand)
		if os.Chmod(path, 0o644) == nil || os.WriteFile(path, []byte("tampered"), 0o644) == nil {
			fmt.Fprintln(os.Stderr, "tampered with", path)
		}
	case "kill": // itself
		n, err := strconv.Atoi(operand)
		check(err)
		check(syscall.Kill(os.Getpid(), syscall.Signal(n)))
		select {} // until it arrives
	case "exit":
		n, err := strconv.Atoi(operand)
		check(err)
		os.Exit(n)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
}
