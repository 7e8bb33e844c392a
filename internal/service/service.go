// Package service knows the kinds of services that hop3 runs for apps.
//
// A service is run by the code that runs apps: its kind has a tree of files as an app's push has, whose Procfile starts
// the server and whose scripts do what else is to be done with it (init, grant, revoke, backup, restore, client). This
// package holds those trees, and what differs between kinds: the form of an address, and when a server is ready.
//
// We let each attached app have a user of its own in the service, so that detaching one takes its access away and leaves
// the others'. One password for all was considered; it lost because whoever was attached once would keep it.
package service

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed postgres redis
var trees embed.FS

// SocketDir is where an attached app finds the folders of its services' sockets, each under the service's name.
const SocketDir = "/run/services"

// A Kind is a sort of service.
type Kind struct {
	Name     string // "postgres"
	Title    string // for people
	Secret   string // the setting that holds the administrator's password
	Variable string // that an app finds the address in, if it is the first of its kind
	Prefix   string // of the variables of further ones
	Format   string // of a backup
	Stopped  bool   // restore works on a server that is stopped

	aliases  []string // what else app.json and hop3.toml call it
	files    string   // folder in trees
	socket   func(port int) string
	settings func(name, password string, port int) map[string]string
	address  func(Login) *url.URL
	parts    func(Login) map[string]string
	ask      func(ctx context.Context, conn net.Conn, password string) error
}

// A Login is what a user needs to connect.
type Login struct {
	Service  string
	User     string
	Password string
	Port     int // on 127.0.0.1
}

// Kinds are all kinds, by name.
func Kinds() []Kind { return []Kind{postgres(), redis()} }

// Find returns the kind of that name, or that other platforms call so: "heroku-postgresql:mini".
func Find(name string) (Kind, bool) {
	name, _, _ = strings.Cut(name, ":")
	for _, k := range Kinds() {
		if k.Name == name || slices.Contains(k.aliases, name) {
			return k, true
		}
	}
	return Kind{}, false
}

// Names are the names of all kinds.
func Names() []string {
	var out []string
	for _, k := range Kinds() {
		out = append(out, k.Name)
	}
	return out
}

// Files is the tree that the service is built from.
func (k Kind) Files() fs.FS {
	sub, err := fs.Sub(trees, k.files)
	if err != nil { // the name is legal
		panic(err)
	}
	return sub
}

// Settings are the service's own, secret ones among them: the environment of its processes.
func (k Kind) Settings(name, password string, port int) map[string]string {
	return k.settings(name, password, port)
}

// Socket is the file of the server's socket in the folder of it.
func (k Kind) Socket(port int) string { return k.socket(port) }

// URL is the address that an app connects to. The host is the loopback device in every network that an app can have: where
// it has one of its own, its sandbox passes connections on to the socket.
func (k Kind) URL(l Login) string { return k.address(l).String() }

// Values are the parts of an address by the names under which programs look for them, with the address itself.
func (k Kind) Values(l Login) map[string]string {
	out := k.parts(l)
	out[k.Variable], out["URL"] = k.URL(l), k.URL(l)
	out["SOCKET"] = path.Join(SocketDir, l.Service, k.socket(l.Port))
	return out
}

// Parse reads the login out of an address that URL made.
func (k Kind) Parse(service, address string) (Login, error) {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return Login{}, fmt.Errorf("read the address of service %s: it is none", service) // it may hold a password: not quoted
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return Login{}, fmt.Errorf("read the address of service %s: it has no port", service)
	}
	password, _ := u.User.Password()
	return Login{Service: service, User: u.User.Username(), Password: password, Port: port}, nil
}

// Further is the variable of a service that is not the first of its kind at an app.
func (k Kind) Further(service string) string {
	return "HOP3_" + k.Prefix + "_" + strings.ToUpper(strings.ReplaceAll(service, "-", "_")) + "_URL"
}

// Ready asks the server at the other end of conn, in its own protocol, whether it takes work. It does not close conn.
func (k Kind) Ready(ctx context.Context, conn net.Conn, password string) error {
	if t, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(t); err != nil {
			return fmt.Errorf("ask %s: %w", k.Name, err)
		}
	}
	if err := k.ask(ctx, conn, password); err != nil {
		return fmt.Errorf("ask %s: %w", k.Name, err)
	}
	return nil
}
