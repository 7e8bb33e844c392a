package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"hop3/internal/config"
	"hop3/internal/manual"
	"hop3/internal/state"
)

// admin manages keys on the server's own machine: how the first admin gets in.
// A running server sees the change at once.
func admin(_ context.Context, args []string, io stdio) error {
	set := pflag.NewFlagSet("admin", pflag.ContinueOnError)
	set.Usage = func() {}
	data := set.String("data", "", "the server's folder (as server.toml says, else "+config.Default().Data+")")
	file := set.String("config", config.DefaultFile, "the server's TOML file")
	asJSON := set.Bool("json", false, "answer as one JSON document (list)")
	role := set.String("role", state.Admin.String(), "admin, operate, deploy or view")
	if err := set.Parse(args); err != nil {
		return asUsage(set, err)
	}
	args = set.Args()
	usage := &usageError{"hop3 admin takes add NAME, list or remove NAME", "hop3 admin add ann < ann.pub"}
	if len(args) == 0 {
		return usage
	}
	if *data == "" {
		c, err := config.Load([]string{"--config", *file})
		if err != nil {
			return err
		}
		*data = c.Data
	}
	keys, err := state.OpenKeys(*data)
	if err != nil {
		return err
	}
	switch {
	case args[0] == "add" && len(args) == 2:
		return recorded(*data, "admin add", args[1]+" "+*role, adminAdd(keys, args[1], *role, io))
	case args[0] == "list" && len(args) == 1:
		return adminList(keys, *asJSON, io.out)
	case args[0] == "remove" && len(args) == 2:
		return recorded(*data, "admin remove", args[1], keys.Remove(args[1]))
	}
	return usage
}

// recorded puts what was done to the keys beside the server into its events.
func recorded(dir, what, detail string, err error) error {
	if err != nil {
		return err
	}
	who := "root"
	if uid := os.Getuid(); uid != 0 {
		who = fmt.Sprintf("uid %d", uid)
	}
	return state.RecordBeside(dir, state.Event{At: time.Now().UTC(), Who: who, What: "hop3 " + what, Detail: detail, Result: "ok"})
}

// A helpError asks for a command's flags to be shown.
type helpError struct{ flags []string }

func (e *helpError) Error() string { return "help" }

// asUsage tells a mistake in a command line from the wish for help.
func asUsage(set *pflag.FlagSet, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return &helpError{manual.Flags(set)}
	}
	return &usageError{err.Error(), "see --help"}
}

// maxKey bounds a public key on stdin; an RSA key of 16384 bits has 2.8 kB.
const maxKey = 16 << 10

func adminAdd(keys *state.Keys, name, roleName string, stdio stdio) error {
	role, err := state.ParseRole(roleName)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(stdio.in, maxKey))
	if err != nil {
		return fmt.Errorf("read stdin: %w", err)
	}
	public, fingerprint, _, _, err := state.ParsePublicKey(text)
	if err != nil {
		return err
	}
	k := state.Key{Name: name, Role: role, Public: public, Fingerprint: fingerprint, Added: time.Now().UTC(), AddedBy: "hop3 admin"}
	if err := keys.Add(k); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdio.out, "added %s (%s) with the role %s\n", name, fingerprint, role)
	return err
}

// adminKey is a key in the answer of admin list --json; its keys are some of those of `keys --json`.
type adminKey struct {
	Name        string   `json:"name"`
	Role        string   `json:"role"`
	Apps        []string `json:"apps"`
	Fingerprint string   `json:"fingerprint"`
}

func adminList(keys *state.Keys, asJSON bool, w io.Writer) error {
	list, err := keys.List()
	if err != nil {
		return err
	}
	out := []adminKey{}
	for _, k := range list {
		out = append(out, adminKey{k.Name, k.Role.String(), append([]string{}, k.Apps...), k.Fingerprint})
	}
	if asJSON {
		return json.NewEncoder(w).Encode(struct {
			Version int        `json:"version"`
			Keys    []adminKey `json:"keys"`
		}{1, out})
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, k := range out {
		if _, err := fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", k.Name, k.Role, cmp.Or(strings.Join(k.Apps, ","), "all"), k.Fingerprint); err != nil {
			return err
		}
	}
	return tw.Flush()
}
