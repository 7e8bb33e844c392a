// Package manual writes what the command table says as the manual page and as
// docs/commands.md.
package manual

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// An Entry is what is told of one command; its keys are those of `help --json`.
type Entry struct {
	Name    string   `json:"name"`
	Group   string   `json:"group"`
	Usage   string   `json:"usage" jsonschema:"what stands behind the name"`
	Short   string   `json:"short"`
	Example string   `json:"example"`
	Role    string   `json:"role" jsonschema:"that a key needs; any: every known key may"`
	JSON    bool     `json:"json" jsonschema:"whether it takes --json"`
	Flags   []string `json:"flags" jsonschema:"a line each"`
	Exits   []Exit   `json:"exits"`
}

// An Exit is an exit code and what it says.
type Exit struct {
	Code    int    `json:"code"`
	Meaning string `json:"meaning"`
}

// Line is the command with what it takes.
func (e Entry) Line() string { return strings.TrimSpace(e.Name + " " + e.Usage) }

// Text is the help of the command.
func (e Entry) Text() string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s\n\nUsage: %s\nExample: %s\n", e.Short, e.Line(), e.Example)
	if e.Role != "" {
		fmt.Fprintf(&w, "Role: %s\n", e.Role)
	}
	if len(e.Flags) > 0 {
		fmt.Fprintf(&w, "\nFlags:\n  %s\n", strings.Join(e.Flags, "\n  "))
	}
	if len(e.Exits) > 0 {
		var codes []string
		for _, x := range e.Exits {
			codes = append(codes, fmt.Sprintf("%d %s", x.Code, x.Meaning))
		}
		fmt.Fprintf(&w, "\nExit codes: %s\n", strings.Join(codes, ", "))
	}
	return w.String()
}

// A Book is everything that hop3 can be told.
type Book struct {
	Local  []Entry // carried out where they are typed: hop3 NAME
	Remote []Entry // carried out by a server: ssh hop3@HOST NAME; in groups
}

// groups calls f for each run of entries of one group.
func groups(list []Entry, f func(group string, list []Entry)) {
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].Group == list[0].Group {
			n++
		}
		f(list[0].Group, list[:n])
		list = list[n:]
	}
}

// Markdown is the reference of docs/commands.md.
func (b Book) Markdown() []byte {
	var w bytes.Buffer
	groups(b.Remote, func(group string, list []Entry) {
		fmt.Fprintf(&w, "\n### %s\n", strings.ToUpper(group[:1])+group[1:])
		for _, e := range list {
			e.markdown(&w, "ssh -p 2222 hop3@HOST ")
		}
	})
	fmt.Fprint(&w, "\n### On your own machine\n")
	for _, e := range b.Local {
		e.markdown(&w, "hop3 ")
	}
	return w.Bytes()
}

func (e Entry) markdown(w *bytes.Buffer, before string) {
	fmt.Fprintf(w, "\n#### `%s`\n\n%s.", e.Line(), strings.ToUpper(e.Short[:1])+e.Short[1:])
	if e.Role != "" {
		fmt.Fprintf(w, " Role: %s.", e.Role)
	}
	if e.JSON {
		fmt.Fprintf(w, " `--json`: [schema](schema/%s).", SchemaFile(e.Name))
	}
	if codes := e.codes(); codes != "" {
		fmt.Fprintf(w, " Exit codes besides: %s.", codes)
	}
	fmt.Fprint(w, "\n\n```\n")
	if e.Example != "" {
		fmt.Fprintf(w, "%s%s\n", before, e.Example)
	}
	for _, f := range e.Flags {
		fmt.Fprintln(w, f)
	}
	fmt.Fprint(w, "```\n")
}

// everyone are the exit codes that any command may end with.
var everyone = []int{0, 2, 4, 5, 7, 130}

// codes lists the exit codes that not every command has.
func (e Entry) codes() string {
	var own []string
	for _, x := range e.Exits {
		if !slices.Contains(everyone, x.Code) {
			own = append(own, fmt.Sprint(x.Code))
		}
	}
	return strings.Join(own, ", ")
}

// SchemaFile names the JSON schema of a command's answer, in docs/schema.
func SchemaFile(command string) string {
	return strings.ReplaceAll(command, ":", "-") + ".json"
}
