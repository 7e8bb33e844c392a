package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"hop3/internal/certs"
	"hop3/internal/state"
)

func certCommands() []*Command {
	return []*Command{
		{Name: "certs", Group: "routing", Short: "list the TLS certificates", Role: state.View, Answers: []any{certsListAnswer{}}, Exits: []int{ExitConflict}, Run: certsList},
		{Name: "certs:add", Group: "routing", Usage: "< FULLCHAIN-AND-KEY.pem", Short: "serve a certificate, given on stdin with chain and private key in PEM", Example: "certs:add < www.example.com.pem", Role: state.Operate, Answers: []any{certsAddAnswer{}}, Exits: []int{ExitConflict}, Run: certsAdd},
		{Name: "certs:remove", Group: "routing", Usage: "NAME", Short: "serve an added certificate no longer", Example: "certs:remove www.example.com", Role: state.Operate, Min: 1, Max: 1, Exits: []int{ExitConflict}, Run: certsRemove},
	}
}

type certJSON struct {
	Name    string   `json:"name"`
	Names   []string `json:"names"`
	Issuer  string   `json:"issuer"`
	Expires string   `json:"expires"`
	Source  string   `json:"source"`
}

func asCertJSON(i certs.Info) certJSON {
	return certJSON{Name: i.Name, Names: i.Names, Issuer: i.Issuer, Expires: i.Expires.UTC().Format(time.RFC3339), Source: i.Source}
}

// noHTTPS is the error of these commands on a server that has no use for certificates.
func (c *Call) noHTTPS() error {
	if c.Certs != nil {
		return nil
	}
	return &state.Conflict{What: "this server does not serve HTTPS", Mend: "an operator turns it on: hop3 serve --https :443"}
}

type certsListAnswer struct {
	Version int        `json:"version"`
	Certs   []certJSON `json:"certs"`
}

func certsList(_ context.Context, c *Call) error {
	if err := c.noHTTPS(); err != nil {
		return err
	}
	out, rows := []certJSON{}, [][]string{{"NAME", "ISSUER", "EXPIRES", "SOURCE", "OTHER NAMES"}}
	for _, i := range c.visibleCerts() {
		out = append(out, asCertJSON(i))
		rows = append(rows, []string{i.Name, i.Issuer, when(i.Expires), i.Source, orDash(strings.Join(i.Names[1:], " "))})
	}
	return c.answer(certsListAnswer{1, out}, func(w io.Writer) { table(w, rows) })
}

// visibleCerts are those that are served for the key's apps, and the server's own.
func (c *Call) visibleCerts() []certs.Info {
	list := c.Certs.List()
	if len(c.Key.Apps) == 0 {
		return list
	}
	hosts := c.hosts(state.View)
	return slices.DeleteFunc(list, func(i certs.Info) bool {
		return i.Source != certs.SourceSelfSigned && !slices.ContainsFunc(hosts, i.Covers)
	})
}

// hosts are the names at which apps answer for which the key has the role.
func (c *Call) hosts(role state.Role) []string {
	var hosts []string
	for _, a := range c.Store.Apps() {
		if c.Key.May(role, a.Name) {
			hosts = append(hosts, c.Pipeline.Hosts(a)...)
		}
	}
	return hosts
}

// mayCertify reports whether the key may decide which certificate is served
// for all of the names: an admin of all apps may for any, others only for
// names at which apps answer that they operate. A * counts as a name of
// nobody's, for it covers names of others.
func (c *Call) mayCertify(names []string) error {
	if c.Key.Role == state.Admin && len(c.Key.Apps) == 0 {
		return nil
	}
	hosts := c.hosts(state.Operate)
	for _, n := range names {
		if !slices.Contains(hosts, n) {
			return &Denied{Who: c.Who, What: c.Command.Name + " for " + n + ", at which no app of its own answers", Needs: state.Admin.String()}
		}
	}
	return nil
}

type certsAddAnswer struct {
	Version int `json:"version"`
	certJSON
}

func certsAdd(_ context.Context, c *Call) error {
	if err := c.noHTTPS(); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(c.In, certs.MaxPEM+1))
	if err != nil {
		return fmt.Errorf("read stdin: %w", err)
	}
	i, err := c.Certs.Add(text, c.mayCertify)
	if err != nil {
		return err
	}
	c.say("-----> The certificate of %s is served, until %s", strings.Join(i.Names, " "), when(i.Expires))
	if !c.JSON {
		return nil
	}
	return c.answer(certsAddAnswer{1, asCertJSON(i)}, nil)
}

func certsRemove(_ context.Context, c *Call) error {
	if err := c.noHTTPS(); err != nil {
		return err
	}
	name := strings.ToLower(c.Args[0])
	err := c.Certs.Remove(name, c.mayCertify)
	if errors.Is(err, certs.ErrNotFound) {
		var names []string
		for _, i := range c.visibleCerts() {
			if i.Source == certs.SourceOwn {
				names = append(names, i.Name)
			}
		}
		return &state.NotFound{Kind: "certificate of your own", Name: name, Near: state.Nearest(name, names)}
	}
	if err == nil {
		c.say("-----> The certificate of %s is not served any more", name)
	}
	return err
}
