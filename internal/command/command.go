// Package command holds the commands that users give over ssh.
//
// A command is a value in one table: its name, what it takes, the role that
// it needs and the function that does it. One gate stands before them all: it
// splits flags from operands, finds the app and asks whether the key may. A
// command whose role was forgotten may be called by nobody.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"hop3/internal/certs"
	"hop3/internal/deploy"
	"hop3/internal/state"
	"hop3/procman"
	"hop3/procman/sandbox"
	"hop3/receive"
)

// A Command is one row of the table. The help, the completion and all of
// docs/commands.md, docs/man and docs/schema are made of it.
type Command struct {
	Name    string     // "ps:scale"
	Group   string     // heading in the help
	Usage   string     // operands: "[APP] [TYPE=N…]"
	Short   string     // one line
	Example string     // one typical call; "": the name, and an app where it takes one
	Role    state.Role // that a key needs; the zero value is refused to all
	Anyone  bool       // any known key may, whatever its role
	App     AppUse
	Min     int   // operands after the app
	Max     int   // -1: any number
	Answers []any // zero values of the documents that --json writes, the usual one first; none: it has no --json
	Exits   []int // exit codes beyond those that any command may end with
	Live    bool  // shows more at a terminal than without one
	Keys    bool  // reads what is typed at the caller's terminal, Ctrl-C included
	Flags   func(*pflag.FlagSet)
	Run     func(context.Context, *Call) error
}

// AppUse says whether a command works on an app.
type AppUse int

const (
	NoApp   AppUse = iota
	OneApp         // an app that exists: -a APP, the first operand, or the only one that the key may see
	AppName        // the first operand is a name, of an app that need not exist
)

// A Set is what the commands work with.
type Set struct {
	Store    *state.Store
	Pipeline *deploy.Pipeline
	Procs    *procman.Supervisor
	Git      *receive.Server
	Certs    *certs.Set // nil without HTTPS
	Version  string
	Started  time.Time
	Packages string // the package set that builds use
	Doctor   func(context.Context) []Check
	// ParseSize reads a number of bytes as the server's configuration does: "10MiB".
	ParseSize func(text string) (int64, error)

	noCreate atomic.Bool
}

// SetAutocreate says whether a push to a new name makes the app; at first it does.
func (s *Set) SetAutocreate(on bool) { s.noCreate.Store(!on) }

// A Session is who calls, and the ends of the line.
type Session struct {
	Who     string // the key's name
	Key     state.Key
	Remote  net.Addr
	In      io.Reader
	Out     io.Writer     // for text; on a terminal it puts CR before LF
	Err     io.Writer     // the same for talk
	RawOut  io.Writer     // Out without that, for a program that has its own terminal
	Pty     *Pty          // nil without a terminal
	Signals <-chan string // "INT" when the client sends SIGINT

	Renew    func() (state.Key, error) // Key as it is now, if it may still be used; nil: it does not change
	Stopping <-chan struct{}           // closed when the server begins to stop; nil: it never does
}

// A Pty is the caller's terminal.
type Pty struct {
	Term string
	sandbox.Pty
}

// A Call is one call of a command that has passed the gate.
type Call struct {
	*Session
	*Set
	Command *Command
	App     string // for OneApp and AppName
	Args    []string
	Flags   *pflag.FlagSet
	JSON    bool

	detail string // for the events; what is only read is recorded if it has one

	talk *deploy.Talk // of the request, once there is one: it knows the app's secrets
}

// Run runs the command that args name and returns its exit code. Errors have
// been told to the caller, on stderr or with --json on stdout.
func (s *Set) Run(ctx context.Context, session *Session, args []string) int {
	if len(args) == 0 {
		args = bare(session)
	}
	call, err := s.gate(session, args)
	if err == nil {
		err = call.Command.Run(ctx, call)
	}
	if err != nil && ctx.Err() != nil {
		err = &Cancelled{err}
	}
	if call != nil && call.Command != nil && (call.Command.changes() || call.detail != "") {
		s.record(session, call, err)
	}
	return report(session, call, err)
}

// changes reports whether a call of the command belongs in the events.
func (c *Command) changes() bool { return c.Role > state.View }

func (s *Set) record(session *Session, call *Call, err error) {
	result := "ok"
	switch {
	case is[*Usage](err), is[*state.Invalid](err): // such an error may quote an operand, which may be a secret
		result = fmt.Sprintf("refused with exit code %d", exitCode(err))
	case is[*state.NotFound](err): // so may the name of what there is not
		e, _ := errors.AsType[*state.NotFound](err)
		result = "no such " + e.Kind
	case err != nil:
		result = err.Error()
	}
	from := ""
	if session.Remote != nil {
		from = session.Remote.String()
	}
	if app, err := s.Store.App(call.App); err == nil { // what an app prints may stand in an error
		result = deploy.Redact(app.Config, result)
	}
	// The operands are left out: they may hold settings.
	e := state.Event{At: time.Now().UTC(), Who: session.Who, From: from, App: call.App, What: call.Command.Name, Detail: call.detail, Result: result}
	if err := s.Store.Record(e); err != nil {
		_, _ = fmt.Fprintf(session.Err, " !     the event was not recorded: %v\n", err)
	}
}

// gate finds the command, reads its flags and operands and asks whether the
// key may call it. The call is returned with an error too, once it is known
// how the caller wants to be answered.
func (s *Set) gate(session *Session, args []string) (*Call, error) {
	c, err := s.lookup(session.Key, args[0])
	if err != nil {
		return &Call{Session: session, JSON: asksJSON(args)}, err
	}
	call := &Call{Session: session, Set: s, Command: c}
	operands, err := call.parse(args[1:])
	if err != nil {
		return call, err
	}
	if help, _ := call.Flags.GetBool("help"); help {
		call.Args, call.Command = []string{c.Name}, helpCommand()
		return call, nil
	}
	if !c.Anyone && !session.Key.May(c.Role, "") {
		return call, &Denied{Who: session.Who, What: c.Name, Needs: c.Role.String()}
	}
	given := len(operands)
	if operands, err = s.chooseApp(call, operands); err != nil {
		return call, err
	}
	if !c.interspersed() && len(operands) < given { // flags may stand behind the app too
		if err := call.Flags.Parse(operands); err != nil {
			return call, &Usage{What: err.Error(), Mend: "usage: " + c.usage()}
		}
		operands = call.Flags.Args()
	}
	if n := len(operands); n < c.Min || c.Max >= 0 && n > c.Max {
		return call, usageError(c)
	}
	call.Args = operands
	return call, nil
}

// foreign are programs of an ordinary ssh server that clients ask for on
// their user's behalf, and what to do instead.
var foreign = map[string]string{
	"scp":                  "push code with git",
	"rsync":                "push code with git",
	"git-lfs-authenticate": "hop3 has no LFS server: git lfs migrate export",
	"git-lfs-transfer":     "hop3 has no LFS server: git lfs migrate export",
}

// lookup finds a command by name; a misspelt one suggests the nearest.
func (s *Set) lookup(key state.Key, name string) (*Command, error) {
	if what, ok := foreign[name]; ok {
		return nil, &Usage{What: name + " is refused: hop3 serves git and commands, not files", Mend: what}
	}
	table := Table()
	i := slices.IndexFunc(table, func(c *Command) bool { return c.Name == name })
	if i >= 0 {
		return table[i], nil
	}
	var names []string
	for _, c := range table {
		names = append(names, c.Name)
	}
	near := state.Nearest(name, names)
	return nil, &Usage{What: "no such command: " + name, Mend: suggest(near)}
}

func suggest(near string) string {
	if near == "" {
		return "see them all: help"
	}
	return "did you mean " + near + "? See them all: help"
}

// parse reads the flags of the command and returns the operands. What stands
// behind -- is passed on as it is.
func (c *Call) parse(args []string) ([]string, error) {
	c.Flags = c.Command.flagSet(&c.JSON)
	if err := c.Flags.Parse(args); err != nil {
		c.JSON = len(c.Command.Answers) > 0 && asksJSON(args)
		return nil, &Usage{What: err.Error(), Mend: "usage: " + c.Command.usage()}
	}
	return c.Flags.Args(), nil
}

// asksJSON reports whether a command line that cannot be read wants a document.
func asksJSON(args []string) bool {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	return slices.Contains(args, "--json")
}

// FlagSet are the flags that the command takes.
func (c *Command) FlagSet() *pflag.FlagSet { return c.flagSet(new(bool)) }

// flagSet is FlagSet with --json in a variable.
func (c *Command) flagSet(json *bool) *pflag.FlagSet {
	set := pflag.NewFlagSet(c.Name, pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	set.BoolP("help", "h", false, "show help")
	if c.App == OneApp {
		set.StringP("app", "a", "", "the app")
	}
	if len(c.Answers) > 0 {
		set.BoolVar(json, "json", false, "answer as one JSON document")
	}
	if c.Flags != nil {
		c.Flags(set)
	}
	set.SetInterspersed(c.interspersed())
	return set
}

// interspersed reports whether flags may stand between operands: not where
// the operands are another program's command line.
func (c *Command) interspersed() bool {
	return c.Name != "run" && c.Name != "run:detached" && c.Name != "enter"
}

// chooseApp finds the app of a call: -a, else the first operand, else the
// only app that the key may see. It asks whether the key may use it.
func (s *Set) chooseApp(call *Call, operands []string) ([]string, error) {
	c := call.Command
	switch c.App {
	case NoApp:
		return operands, nil
	case AppName:
		if len(operands) == 0 {
			return nil, usageError(c)
		}
		call.App, operands = operands[0], operands[1:]
		if !call.Key.May(c.Role, call.App) {
			return nil, &Denied{Who: call.Who, What: c.Name + " on " + call.App, Needs: c.Role.String()}
		}
		return operands, nil
	}
	name, _ := call.Flags.GetString("app")
	if name == "" {
		name, operands = s.firstOperand(call, operands)
	}
	if name == "" {
		return nil, s.noAppNamed(call)
	}
	// An app that the key may not see is answered like one that does not
	// exist, so that names cannot be guessed.
	if !s.isApp(name) || !call.Key.May(state.View, name) {
		return nil, s.unknownApp(call.Key, name)
	}
	if !c.Anyone && !call.Key.May(c.Role, name) {
		return nil, &Denied{Who: call.Who, What: c.Name + " on " + name, Needs: c.Role.String()}
	}
	call.App = name
	return operands, nil
}

// isApp reports whether there is an app of that name. What runs a service is called as no app can be.
func (s *Set) isApp(name string) bool {
	_, err := s.Store.App(name)
	return err == nil && state.CheckAppName(name) == nil
}

// firstOperand takes the app's name off the operands, or falls back to the
// only app that the key may see when no operand is the name of one.
func (s *Set) firstOperand(call *Call, operands []string) (string, []string) {
	visible := s.visible(call.Key)
	if len(operands) > 0 {
		if len(visible) != 1 && state.CheckAppName(operands[0]) != nil {
			return "", operands // "PORT=1": the app was left out
		}
		if slices.ContainsFunc(visible, func(a *state.App) bool { return a.Name == operands[0] }) {
			return operands[0], operands[1:]
		}
		// With one app the operands may all belong to the command, but a
		// word too many is a misspelt app.
		fits := len(operands) >= call.Command.Min && (call.Command.Max < 0 || len(operands) <= call.Command.Max)
		if len(visible) != 1 || !fits {
			return operands[0], operands[1:]
		}
	}
	if len(visible) == 1 {
		return visible[0].Name, operands
	}
	return "", operands
}

// unknownApp suggests only names that the key may see.
func (s *Set) unknownApp(key state.Key, name string) error {
	var names []string
	for _, a := range s.visible(key) {
		names = append(names, a.Name)
	}
	return &state.NotFound{Kind: "app", Name: name, Near: state.Nearest(name, names)}
}

// visible are the apps that a key may see.
func (s *Set) visible(key state.Key) []*state.App {
	return slices.DeleteFunc(s.Store.Apps(), func(a *state.App) bool { return !key.May(state.View, a.Name) })
}

func (s *Set) noAppNamed(call *Call) error {
	var names []string
	for _, a := range s.visible(call.Key) {
		names = append(names, a.Name)
	}
	if len(names) == 0 {
		return &AppMissing{Mend: "make one with a push: git push hop3 main, or with apps:create NAME"}
	}
	return &AppMissing{Mend: "name one of: " + strings.Join(names, " ")}
}

func (c *Command) usage() string { return strings.TrimSpace(c.Name + " " + c.Usage) }
