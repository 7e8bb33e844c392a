// Command builder is the builder of the tests' derivations: static, so that it
// runs in a sandbox that holds nothing but its inputs. What it does is in its
// arguments, a verb and its operands, one after the other.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"
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
		look()
	case "exit":
		n, err := strconv.Atoi(operand)
		check(err)
		os.Exit(n)
	}
}

func look() {
	root, err := os.ReadDir("/")
	check(err)
	store, err := os.ReadDir("/nix/store")
	check(err)
	var names, paths []string
	for _, e := range root {
		names = append(names, e.Name())
	}
	for _, e := range store {
		paths = append(paths, e.Name())
	}
	passwd, _ := os.ReadFile("/etc/passwd") // empty where there is none
	net, _ := os.ReadFile("/proc/net/dev")  // the same
	hello, _ := os.ReadFile("/bin/sh")      // the same
	data, err := json.Marshal(map[string]any{
		"uid": os.Getuid(), "root": names, "store": paths, "env": os.Environ(), "sh": len(hello),
		"passwd": strings.Count(string(passwd), "\n"), "interfaces": strings.Count(string(net), ":"),
	})
	check(err)
	check(os.WriteFile(os.Getenv("out"), data, 0o644))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
}
