package command

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"hop3/internal/state"
)

// maxKey bounds a public key on stdin; an RSA key of 16384 bits has 2.8 kB.
const maxKey = 16 << 10

func keyCommands() []*Command {
	return []*Command{
		{Name: "keys", Group: "access", Short: "list the keys", Role: state.Admin, Answers: []any{keysAnswer{}}, Run: keys},
		{Name: "keys:add", Group: "access", Usage: "NAME [--role ROLE] [--app APP…] [--expires DATE] [--from CIDR…] < KEY.pub", Short: "add a public key, given on stdin", Example: "keys:add ann --role deploy --app blog < ann.pub", Role: state.Admin, Min: 1, Max: 1, Exits: []int{ExitConflict}, Keys: true, Run: keysAdd,
			Flags: func(f *pflag.FlagSet) {
				f.String("role", state.Deploy.String(), "admin, operate, deploy or view")
				f.StringArray("app", nil, "an app that the key is for (all)")
				f.String("expires", "", "the last day, like 2026-12-31, or a time from now, like 720h")
				f.StringArray("from", nil, "an address range that the key is accepted from (all)")
			}},
		{Name: "keys:remove", Group: "access", Usage: "NAME", Short: "remove a key", Example: "keys:remove ann", Role: state.Admin, Min: 1, Max: 1, Run: keysRemove},
		{Name: "whoami", Group: "access", Short: "show your key, its role and apps", Anyone: true, Answers: []any{whoamiAnswer{}}, Run: whoami},
	}
}

type keyJSON struct {
	Name        string   `json:"name"`
	Role        string   `json:"role"`
	Apps        []string `json:"apps"`
	Fingerprint string   `json:"fingerprint"`
	Expires     string   `json:"expires"`
	From        []string `json:"from"`
	AddedBy     string   `json:"added_by"`
}

func asKeyJSON(k state.Key) keyJSON {
	j := keyJSON{Name: k.Name, Role: k.Role.String(), Apps: append([]string{}, k.Apps...), Fingerprint: k.Fingerprint, From: append([]string{}, k.From...), AddedBy: k.AddedBy}
	if !k.Expires.IsZero() {
		j.Expires = k.Expires.UTC().Format(time.RFC3339)
	}
	return j
}

func (k keyJSON) row() []string {
	apps := "all"
	if len(k.Apps) > 0 {
		apps = strings.Join(k.Apps, ",")
	}
	return []string{k.Name, k.Role, apps, k.Fingerprint, orDash(k.Expires)}
}

var keyHeading = []string{"NAME", "ROLE", "APPS", "FINGERPRINT", "EXPIRES"}

type keysAnswer struct {
	Version int       `json:"version"`
	Keys    []keyJSON `json:"keys"`
}

func keys(_ context.Context, c *Call) error {
	list, err := c.Store.Keys().List()
	if err != nil {
		return err
	}
	out, rows := []keyJSON{}, [][]string{keyHeading}
	for _, k := range list {
		out = append(out, asKeyJSON(k))
		rows = append(rows, asKeyJSON(k).row())
	}
	return c.answer(keysAnswer{1, out}, func(w io.Writer) { table(w, rows) })
}

func keysAdd(_ context.Context, c *Call) error {
	text, err := io.ReadAll(io.LimitReader(c.In, maxKey))
	if err != nil {
		return fmt.Errorf("read stdin: %w", err)
	}
	k, err := newKey(c, text)
	if err != nil {
		return err
	}
	c.detail = fmt.Sprintf("%s %s %s", k.Name, asKeyJSON(k).Role, k.Fingerprint)
	for _, app := range k.Apps {
		c.detail += " " + app
	}
	if err := c.Store.Keys().Add(k); err != nil {
		return err
	}
	c.say("-----> Added the key %s (%s) with the role %s", k.Name, k.Fingerprint, k.Role)
	return nil
}

func newKey(c *Call, text []byte) (state.Key, error) {
	k := state.Key{Name: c.Args[0], Added: time.Now().UTC(), AddedBy: c.Who}
	var err error
	if k.Public, k.Fingerprint, _, _, err = state.ParsePublicKey(text); err != nil {
		return k, err
	}
	role, _ := c.Flags.GetString("role") // the flag is declared above
	if k.Role, err = state.ParseRole(role); err != nil {
		return k, err
	}
	k.Apps, _ = c.Flags.GetStringArray("app")     // the flag is declared above
	k.From, _ = c.Flags.GetStringArray("from")    // the flag is declared above
	if k.Role == state.Admin && len(k.Apps) > 0 { // an admin can make keys, so the limit would be none
		return k, &state.Invalid{What: "a key with the role admin cannot be limited to apps", Rule: "use --role operate"}
	}
	for _, a := range k.Apps {
		if err := state.CheckAppName(a); err != nil {
			return k, err
		}
	}
	expires, _ := c.Flags.GetString("expires") // the flag is declared above
	k.Expires, err = parseExpiry(expires, time.Now())
	return k, err
}

// parseExpiry reads a day, which counts to its end in UTC, or a time from now.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil && day.Add(24*time.Hour).After(now) {
		return day.Add(24*time.Hour - time.Second), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d).UTC().Truncate(time.Second), nil
	}
	return time.Time{}, &state.Invalid{What: fmt.Sprintf("%q is no day to come", text), Rule: "a day like 2026-12-31, or a time from now like 720h"}
}

func keysRemove(_ context.Context, c *Call) error {
	if err := c.Store.Keys().Remove(c.Args[0]); err != nil {
		return err
	}
	c.detail = c.Args[0]
	c.say("-----> Removed the key %s", c.Args[0])
	return nil
}

type whoamiAnswer struct {
	Version int `json:"version"`
	keyJSON
}

func whoami(_ context.Context, c *Call) error {
	j := asKeyJSON(c.Key)
	return c.answer(whoamiAnswer{1, j}, func(w io.Writer) { table(w, [][]string{keyHeading, j.row()}) })
}
