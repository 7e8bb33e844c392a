package command

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/shlex"

	"hop3/internal/state"
)

// rights is what each role may call; "own" means only on apps of the key. A
// command without a row here fails the test: its rights were not thought of.
var rights = map[string]state.Role{
	"apps": state.NoRole, "apps:create": state.Operate, "apps:destroy": state.Admin, "apps:info": state.View,
	"apps:lock": state.Operate, "apps:rename": state.Operate, "apps:unlock": state.Operate, "maintenance:on": state.Operate, "maintenance:off": state.Operate, "git:set": state.Operate,
	"releases:diff": state.View, "releases:verify": state.Deploy, "releases:sbom": state.View, "releases:audit": state.View, "eject": state.Deploy, "enter": state.Operate, "stats": state.View,
	"storage": state.View, "backup": state.Operate, "restore": state.Operate, "apps:clone": state.Operate, "gc": state.Admin, "doctor": state.Admin, "explain": state.NoRole,
	"services": state.View, "services:create": state.Operate, "services:info": state.View, "services:destroy": state.Admin, "services:attach": state.Operate, "services:upgrade": state.Operate, "services:detach": state.Operate,
	"services:backup": state.Operate, "services:restore": state.Operate, "services:connect": state.Operate, "services:logs": state.View, // of services that own apps alone use
	"deploy": state.Deploy, "plan": state.Deploy, "builds": state.View, "builds:cancel": state.Deploy, "builds:attach": state.Deploy, "events": state.View,
	"config": state.View, "config:get": state.Operate, "config:set": state.Operate, "config:unset": state.Operate, "config:import": state.Operate, "config:export": state.Operate,
	"ps": state.View, "ps:scale": state.Operate, "ps:restart": state.Operate, "ps:stop": state.Operate, "ps:start": state.Operate, "ps:rebuild": state.Deploy,
	"run:detached": state.Operate, "cron": state.View, "cron:run": state.Operate,
	"run": state.Operate, "logs": state.View, "logs:build": state.Deploy,
	"releases": state.View, "releases:info": state.View, "rollback": state.Operate,
	"domains": state.View, "domains:add": state.Operate, "domains:remove": state.Operate,
	"certs": state.View, "certs:add": state.Operate, "certs:remove": state.Operate, // the last two only for names of own apps, but for an admin
	"keys": state.Admin, "keys:add": state.Admin, "keys:remove": state.Admin, "whoami": state.NoRole,
	"status": state.NoRole, "overview": state.NoRole, "version": state.NoRole, "help": state.NoRole,
}

func testSet(t *testing.T) *Set {
	t.Helper()
	store, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for _, name := range []string{"own", "other"} {
		if _, err := store.Create(name, "test", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	return &Set{Store: store}
}

// TestRights asks the gate for every command, every role, and an app that is
// the key's and one that is not.
func TestRights(t *testing.T) {
	s := testSet(t)
	for _, c := range Table() {
		need, known := rights[c.Name]
		if !known {
			t.Errorf("%s has no row in rights", c.Name)
			continue
		}
		if c.Anyone != (need == state.NoRole) {
			t.Errorf("%s: Anyone is %v", c.Name, c.Anyone)
		}
		for _, role := range []state.Role{state.NoRole, state.View, state.Deploy, state.Operate, state.Admin} {
			for _, app := range []string{"own", "other"} {
				key := state.Key{Name: "k", Role: role, Apps: []string{"own"}}
				call, err := s.gate(&Session{Who: "k", Key: key, Err: &bytes.Buffer{}}, callOf(c, app))
				// With one app in sight a word may belong to the command: then it
				// is that app which is meant, never the one that is named.
				passed := err == nil && (c.App == NoApp || call.App == app)
				want := role >= need && (c.App == NoApp || app == "own")
				if passed != want {
					t.Errorf("%s on %s by %s: passed=%v (%v), want %v", c.Name, app, role, passed, err, want)
				}
			}
		}
	}
}

// callOf is a call of the command with operands enough.
func callOf(c *Command, app string) []string {
	args := []string{c.Name}
	if c.App != NoApp {
		args = append(args, app)
	}
	for range c.Min {
		args = append(args, "x")
	}
	return args
}

func TestTable_IsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Table() {
		switch {
		case seen[c.Name]:
			t.Errorf("%s is there twice", c.Name)
		case c.Short == "" || c.Group == "" || c.Run == nil:
			t.Errorf("%s lacks a group, a line or a function", c.Name)
		case !c.Anyone && c.Role == state.NoRole:
			t.Errorf("%s may be called by nobody", c.Name)
		}
		seen[c.Name] = true
	}
	if missing := slices.DeleteFunc(slices.Collect(maps.Keys(rights)), func(n string) bool { return seen[n] }); len(missing) > 0 {
		t.Errorf("rights names commands that are not there: %v", missing)
	}
}

// TestTable_ExamplesFit passes each example through the gate, whose apps are
// those that the examples name.
func TestTable_ExamplesFit(t *testing.T) {
	s := testSet(t)
	for _, name := range []string{"blog", "web"} {
		if _, err := s.Store.Create(name, "test", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range Table() {
		example, _, _ := strings.Cut(c.Entry().Example, " < ")
		example, _, _ = strings.Cut(example, " > ")
		call, err := s.gate(&Session{Who: "k", Key: state.Key{Name: "k", Role: state.Admin}}, words(t, example))
		if err != nil || call.Command.Name != c.Name {
			t.Errorf("%s: %v", example, err)
		}
	}
}

// TestHelp_OfEach asks each command for its help, which needs no right.
func TestHelp_OfEach(t *testing.T) {
	s := testSet(t)
	for _, c := range Table() {
		var out, talk bytes.Buffer
		code := s.Run(t.Context(), &Session{Who: "k", Out: &out, Err: &talk}, []string{c.Name, "--help"})
		text := out.String()
		if code != ExitDone || talk.Len() > 0 || !strings.Contains(text, "Usage: "+c.usage()+"\n") || !strings.Contains(text, "\nExample: "+c.Name) || !strings.Contains(text, "\nRole: ") || !strings.Contains(text, "\nExit codes: 0 done") {
			t.Errorf("%s --help: %d\n%s%s", c.Name, code, text, talk.String())
		}
	}
}

func TestGate_FindsTheApp(t *testing.T) {
	s := testSet(t)
	one := state.Key{Name: "k", Role: state.Admin, Apps: []string{"own"}}
	all := state.Key{Name: "k", Role: state.Admin}
	for _, c := range []struct {
		key  state.Key
		args string
		app  string
		rest string
		exit int
	}{
		{one, "ps", "own", "", 0},
		{one, "config:get A", "own", "A", 0},
		{one, "config:get own A", "own", "A", 0},
		{one, "config:get nope A", "", "", ExitNotFound},
		{one, "ps:scale web=2", "own", "web=2", 0},
		{all, "ps", "", "", ExitNotFound},
		{all, "ps -a other", "other", "", 0},
		{all, "ps other", "other", "", 0},
		{all, "ps othr", "", "", ExitNotFound},
		{all, "config:set A=1", "", "", ExitNotFound},
		{all, "config:set other A=1 B=2", "other", "A=1 B=2", 0},
		{all, "run other -- ls -la", "other", "ls -la", 0},
		{all, "run other ls -la", "other", "ls -la", 0},
		{all, "run other -e A=1 -- ls -e", "other", "ls -e", 0},
		{one, "run -- ls -la", "own", "ls -la", 0},
		{all, "run -a other -- ls -la", "other", "ls -la", 0},
		{all, "enter other web.1 -- ls -la", "other", "web.1 -- ls -la", 0},
		{all, "enter other -e A=1 web.1 ls -la", "other", "web.1 ls -la", 0},
		{one, "enter web.1", "own", "web.1", 0},
		{all, "enter web.1", "", "", ExitNotFound},
		{all, "apps:rename other new", "other", "new", 0},
		{one, "apps:rename new", "own", "new", 0},
		{all, "ps other more", "", "", ExitUsage},
		{all, "ps --bad", "", "", ExitUsage},
	} {
		call, err := s.gate(&Session{Who: "k", Key: c.key}, strings.Fields(c.args))
		if got := exitCode(err); got != c.exit {
			t.Errorf("%s: exit %d (%v), want %d", c.args, got, err, c.exit)
			continue
		}
		if err == nil && (call.App != c.app || strings.Join(call.Args, " ") != c.rest) {
			t.Errorf("%s: app %q, operands %q", c.args, call.App, call.Args)
		}
	}
}

func TestParseSettings(t *testing.T) {
	got, err := parseSettings([]byte("# c\r\nA=1\nexport B = two words  \nC='x\ny'\\''z'\nD=\"a\\nb \\$x \"\nE=\nF='#'# \n"))
	want := map[string]string{"A": "1", "B": "two words", "C": "x\ny'z", "D": "a\nb $x ", "E": "", "F": "##"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	for text, line := range map[string]string{"A=1\n1B=2": "line 2", "A='x\ny": "line 1", "A=\"x": "line 1", "nothing": "line 1", "C='a\nb'\nX": "line 3"} {
		if _, err := parseSettings([]byte(text)); err == nil || !strings.Contains(err.Error(), line) {
			t.Errorf("%q: %v, want %s", text, err, line)
		}
	}
}

// FuzzParseSettings checks that what config:export writes is read back.
func FuzzParseSettings(f *testing.F) {
	f.Add("A", "x'y\nz")
	f.Add("PATH", " \"\\$ ")
	f.Fuzz(func(t *testing.T, k, v string) {
		if _, err := parseSettings([]byte(k + "=" + v)); err != nil && err.Error() == "" {
			t.Error("an error without a word")
		}
		if state.CheckConfigKey(k) != nil || strings.Contains(v, "\r\n") {
			return
		}
		got, err := parseSettings([]byte(k + "='" + strings.ReplaceAll(v, "'", `'\''`) + "'\n"))
		if err != nil || got[k] != v {
			t.Errorf("%q: %q, %v", v, got[k], err)
		}
	})
}

func TestParseScale(t *testing.T) {
	got, err := parseScale([]string{"web=2", "worker+1", "a-b-1"})
	if err != nil || len(got) != 3 || got[2].process != "a-b" || got[2].apply(3) != 2 || got[1].apply(1) != 2 || got[0].apply(9) != 2 {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{"web", "=1", "web=", "web=x", "web=99999", "web=-1x"} {
		if _, err := parseScale([]string{bad}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestParseExpiry(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{"2026-05-01": "2026-05-01T23:59:59Z", "24h": "2026-05-02T12:00:00Z", "2026-04-30": "", "soon": "", "-1h": ""} {
		got, err := parseExpiry(text, now)
		if want == "" != (err != nil) || err == nil && got.Format(time.RFC3339) != want {
			t.Errorf("%q: %v %v, want %q", text, got, err, want)
		}
	}
}

func words(t *testing.T, line string) []string {
	t.Helper()
	list, err := shlex.Split(line)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestOverview_PassesTheGate has the overview of a key that may only look try
// to change something, and one of a key that was taken back meanwhile look.
func TestOverview_PassesTheGate(t *testing.T) {
	s := testSet(t)
	key := state.Key{Name: "k", Role: state.View, Apps: []string{"own"}}
	call := &Call{Session: &Session{Who: "k", Key: key, Renew: func() (state.Key, error) { return key, nil }}, Set: s}
	for _, line := range []string{"ps:restart own", "rollback own", "ps:scale own web=2"} {
		if text, err := call.do(t.Context(), strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), "may not "+line[:strings.IndexByte(line, ' ')]) {
			t.Errorf("%s: %q, %v", line, text, err)
		}
	}
	if _, err := call.do(t.Context(), "ps", "-a", "other"); err == nil || !strings.Contains(err.Error(), "no such app") {
		t.Errorf("another's app: %v", err)
	}
	if err := call.followLines(t.Context(), "other", nil); exitCode(err) != ExitNotFound {
		t.Errorf("another's log: %v", err)
	}
	call.Renew = func() (state.Key, error) { return state.Key{}, context.Canceled }
	if _, err := call.look(t.Context()); exitCode(err) != ExitUnknownKey {
		t.Errorf("a key that is gone looks: %v", err)
	}
}
