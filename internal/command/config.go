package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"hop3/internal/deploy"
	"hop3/internal/state"
)

// maxSettings bounds what is read from stdin: the kernel gives a process
// about 2 MiB for all its environment.
const maxSettings = 1 << 20

func configCommands() []*Command {
	noRestart := func(f *pflag.FlagSet) { f.Bool("no-restart", false, "keep the setting for the next release") }
	setFlags := func(f *pflag.FlagSet) {
		noRestart(f)
		f.Bool("build", false, "have builds see the values too, from the next one on: they stand in the flake and the store, so never for secrets; --build=false ends it")
	}
	return []*Command{
		{Name: "config", Group: "config", Usage: "[APP] [--reveal]", Short: "list the settings, values masked", Role: state.View, App: OneApp, Answers: []any{configJSON{}}, Run: config,
			Flags: func(f *pflag.FlagSet) { f.Bool("reveal", false, "show the values") }},
		{Name: "config:get", Group: "config", Usage: "[APP] KEY", Short: "print one value", Example: "config:get blog DATABASE_URL", Role: state.Operate, App: OneApp, Min: 1, Max: 1, Answers: []any{configJSON{}}, Run: configGet},
		{Name: "config:set", Group: "config", Usage: "[APP] KEY=VALUE… [--build] [--no-restart]", Short: "set values; KEY=- reads one from stdin", Example: "config:set blog MAIL_FROM=ann@example.com", Role: state.Operate, App: OneApp, Min: 1, Max: -1, Flags: setFlags, Exits: []int{ExitConflict, ExitDeploy}, Keys: true, Run: configSet},
		{Name: "config:unset", Group: "config", Usage: "[APP] KEY… [--no-restart]", Short: "remove values", Example: "config:unset blog MAIL_FROM", Role: state.Operate, App: OneApp, Min: 1, Max: -1, Flags: noRestart, Exits: []int{ExitConflict, ExitDeploy}, Run: configUnset},
		{Name: "config:import", Group: "config", Usage: "[APP] [--no-restart] < FILE", Short: "set the KEY=VALUE lines of a file on stdin", Example: "config:import blog < .env", Role: state.Operate, App: OneApp, Flags: noRestart, Exits: []int{ExitConflict, ExitDeploy}, Keys: true, Run: configImport},
		{Name: "config:export", Group: "config", Usage: "[APP]", Short: "print the settings as KEY='VALUE' lines", Example: "config:export blog > .env", Role: state.Operate, App: OneApp, Answers: []any{configJSON{}}, Run: configExport},
	}
}

type configJSON struct {
	Version int               `json:"version"`
	App     string            `json:"app"`
	Config  map[string]string `json:"config"`
	Build   []string          `json:"build"` // the keys that builds see too
}

// mask stands for a value that is not shown.
const mask = "********"

func config(_ context.Context, c *Call) error {
	a, err := c.Store.App(c.App)
	if err != nil {
		return err
	}
	reveal, err := c.Flags.GetBool("reveal")
	if err != nil {
		return err
	}
	if reveal && !c.Key.May(state.Operate, c.App) {
		return &Denied{Who: c.Who, What: "see the values of " + c.App, Needs: state.Operate.String()}
	}
	if reveal {
		c.detail = "values shown"
	}
	shown := map[string]string{}
	for k, v := range a.Config {
		shown[k] = mask
		if reveal {
			shown[k] = v
		}
	}
	return c.answer(asConfigJSON(a, shown), func(w io.Writer) {
		rows := [][]string{}
		for _, k := range slices.Sorted(maps.Keys(shown)) {
			row := []string{k + ":", shown[k]}
			if slices.Contains(a.BuildKeys, k) {
				row = append(row, "(builds too)")
			}
			rows = append(rows, row)
		}
		table(w, rows)
	})
}

func asConfigJSON(a *state.App, shown map[string]string) configJSON {
	build := slices.DeleteFunc(append([]string{}, a.BuildKeys...), func(k string) bool { _, ok := shown[k]; return !ok })
	return configJSON{1, a.Name, shown, build}
}

func configGet(_ context.Context, c *Call) error {
	a, err := c.Store.App(c.App)
	if err != nil {
		return err
	}
	v, ok := a.Config[c.Args[0]]
	if !ok {
		return &state.NotFound{Kind: "config key", Name: c.Args[0], Near: state.Nearest(c.Args[0], slices.Collect(maps.Keys(a.Config)))}
	}
	return c.answer(asConfigJSON(a, map[string]string{c.Args[0]: v}), func(w io.Writer) { _, _ = fmt.Fprintln(w, v) })
}

func configSet(ctx context.Context, c *Call) error {
	set := map[string]string{}
	stdin := false
	for i, arg := range c.Args {
		k, v, ok := strings.Cut(arg, "=")
		if !ok { // it is not repeated: it may be a value
			return &Usage{What: fmt.Sprintf("setting %d is not KEY=VALUE", i+1), Mend: "usage: " + c.Command.usage()}
		}
		if v == "-" {
			if stdin {
				return &Usage{What: "only one value can come from stdin", Mend: "set several with config:import"}
			}
			stdin = true
			b, err := readAll(c.In)
			if err != nil {
				return err
			}
			v = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
		}
		set[k] = v
	}
	keys := slices.Collect(maps.Keys(set))
	build, err := c.Flags.GetBool("build")
	if err == nil && build {
		err = deploy.CheckBuildKeys(keys)
	}
	if err == nil {
		err = c.configure(ctx, set, nil)
	}
	if err != nil || !c.Flags.Changed("build") {
		return err
	}
	if err := c.Pipeline.SetBuildKeys(c.App, keys, build); err != nil {
		return err
	}
	c.say("       seen by builds from the next one on: %v; for one now: ps:rebuild %s", build, c.App)
	return nil
}

func configUnset(ctx context.Context, c *Call) error { return c.configure(ctx, nil, c.Args) }

func configImport(ctx context.Context, c *Call) error {
	b, err := readAll(c.In)
	if err != nil {
		return err
	}
	set, err := parseSettings(b)
	if err != nil {
		return err
	}
	if len(set) == 0 {
		return &Usage{What: "there is no setting on stdin", Mend: "usage: " + c.Command.usage()}
	}
	return c.configure(ctx, set, nil)
}

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSettings+1))
	if err != nil {
		return nil, fmt.Errorf("read stdin: %w", err)
	}
	if len(b) > maxSettings {
		return nil, &state.Invalid{What: "there is too much on stdin", Rule: fmt.Sprintf("at most %d bytes, what fits into a process's environment", maxSettings)}
	}
	return b, nil
}

func (c *Call) configure(ctx context.Context, set map[string]string, unset []string) error {
	for k, v := range set {
		if err := state.CheckConfigKey(k); err != nil {
			return err
		}
		if strings.ContainsRune(v, 0) {
			return &state.Invalid{What: "the value of " + k + " holds a zero byte", Rule: "an environment variable cannot"}
		}
	}
	noRestart, err := c.Flags.GetBool("no-restart")
	if err != nil {
		return err
	}
	number, err := c.Pipeline.Configure(ctx, c.request(), set, unset, !noRestart)
	if err != nil {
		return err
	}
	c.detail = strings.Join(slices.Concat(slices.Sorted(maps.Keys(set)), unset), " ") // names only, and legal ones by now
	if number > 0 {
		c.say("=====> %s v%d is live", c.App, number)
		return nil
	}
	c.say("-----> Kept for the next release of %s", c.App)
	return nil
}

func configExport(_ context.Context, c *Call) error {
	a, err := c.Store.App(c.App)
	if err != nil {
		return err
	}
	shown := a.Config
	if shown == nil {
		shown = map[string]string{}
	}
	return c.answer(asConfigJSON(a, shown), func(w io.Writer) {
		for _, k := range slices.Sorted(maps.Keys(shown)) {
			_, _ = fmt.Fprintf(w, "%s='%s'\n", k, strings.ReplaceAll(shown[k], "'", `'\''`))
		}
	})
}

// parseSettings reads KEY=VALUE lines as config:export and .env files write
// them: blank lines and # lines are passed over, `export ` before a key is
// too; a value in single quotes is literal and may span lines (with '\” for
// a quote), one in double quotes knows \n, \", \\ and \$, a bare one ends
// with its line. Nothing is expanded.
func parseSettings(text []byte) (map[string]string, error) {
	set := map[string]string{}
	rest := strings.TrimPrefix(string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))), "\ufeff")
	for line := 1; rest != ""; {
		before := len(rest)
		whole := rest
		first, after, _ := strings.Cut(rest, "\n")
		trimmed := strings.TrimSpace(first)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			rest = after
			line++
			continue
		}
		key, _, ok := strings.Cut(strings.TrimPrefix(trimmed, "export "), "=")
		key = strings.TrimSpace(key)
		if !ok || state.CheckConfigKey(key) != nil { // it is not repeated: it may be part of a value
			return nil, &state.Invalid{What: fmt.Sprintf("line %d is not a setting", line), Rule: "lines of KEY=VALUE; a key has letters, digits and _"}
		}
		v, tail, err := parseValue(rest[strings.IndexByte(rest, '=')+1:])
		if err != nil {
			return nil, &state.Invalid{What: fmt.Sprintf("line %d: %v", line, err), Rule: "close the quotation, or write the value without quotes"}
		}
		set[key], rest = v, tail
		line += strings.Count(whole[:before-len(rest)], "\n")
	}
	return set, nil
}

// parseValue reads a value and returns what follows its line.
func parseValue(s string) (value, rest string, err error) {
	s = strings.TrimLeft(s, " \t")
	var b strings.Builder
	solid := 0 // blanks at the end count only inside quotes
	for s != "" && s[0] != '\n' {
		blank := s[0] == ' ' || s[0] == '\t'
		switch s[0] {
		case '\'':
			end := strings.IndexByte(s[1:], '\'')
			if end < 0 {
				return "", "", fmt.Errorf("a ' is not closed")
			}
			b.WriteString(s[1 : 1+end])
			s = s[2+end:]
		case '"':
			n, err := doubleQuoted(&b, s)
			if err != nil {
				return "", "", err
			}
			s = s[n:]
		case '\\':
			if len(s) > 1 && s[1] == '\'' {
				b.WriteByte('\'')
				s = s[2:]
				break
			}
			b.WriteByte('\\')
			s = s[1:]
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
		if !blank {
			solid = b.Len()
		}
	}
	return b.String()[:solid], strings.TrimPrefix(s, "\n"), nil
}

// doubleQuoted reads a "…" at the start of s and returns its length.
func doubleQuoted(b *strings.Builder, s string) (int, error) {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return i + 1, nil
		case s[i] == '\\' && i+1 < len(s):
			i++
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case '"', '\\', '$', '`':
				b.WriteByte(s[i])
			default:
				b.WriteByte('\\')
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return 0, fmt.Errorf(`a " is not closed`)
}
