package packages

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// noMirror in Options.SecurityMirror says that there is none.
const noMirror = "-"

// loadAddresses reads config.json and brings it up to date with the options and
// with what apt and npm have in files. The addresses change no store path.
func (s *Set) loadAddresses() error {
	known := map[string]string{}
	if b, err := os.ReadFile(filepath.Join(s.flakeDir(), configName)); err == nil {
		// What is not JSON is written anew.
		if json.Unmarshal(b, &known) != nil {
			known = map[string]string{}
		}
	}
	archive, security, err := debianMirrors(s.o.AptDir)
	if err != nil {
		return err
	}
	known[sourceDebian], known[sourceSecurity] = archive, security
	for source, v := range map[string]string{
		sourceDebian: s.o.DebMirror, sourceSecurity: s.o.SecurityMirror, sourceNpm: s.o.NpmRegistry, sourceGo: s.o.GoProxy,
	} {
		if v == noMirror {
			known[source] = ""
		} else if v != "" {
			known[source] = v
		}
	}
	for _, source := range []string{sourceDebian, sourceSecurity, sourceNpm, sourceGo} {
		if known[source] != "" {
			known[source] = strings.TrimRight(known[source], "/") + "/"
		} else {
			known[source] = ""
		}
	}
	s.addresses = known
	return s.writeAddresses(known)
}

func (s *Set) writeAddresses(known map[string]string) error {
	b, err := json.MarshalIndent(known, "", " ")
	if err != nil {
		return fmt.Errorf("write addresses: %w", err)
	}
	b = append(b, '\n')
	name := filepath.Join(s.flakeDir(), configName)
	if have, err := os.ReadFile(name); err == nil && string(have) == string(b) {
		return nil
	}
	return writeAtomic(name, b)
}

func (s *Set) known(source string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addresses[source]
}

// address returns the base address of a source and asks the machine's client
// for it the first time: the client itself if it is installed, else the default
// inside its Debian package.
func (s *Set) address(ctx context.Context, w *web, source string) (string, error) {
	if a := s.known(source); a != "" {
		return a, nil
	}
	switch source {
	case sourceDebian:
		return "", &AddressError{What: "a mirror of Debian", Client: "apt"}
	case sourceSecurity:
		return "", &AddressError{What: "a mirror of Debian's security archive", Client: "apt"}
	}
	a := ""
	if source == sourceNpm {
		a = npmRegistry(ctx)
	} else {
		a = goProxy(ctx)
	}
	if a == "" {
		var err error
		if a, err = s.packagedDefault(ctx, w, source); err != nil {
			return "", err
		}
	}
	a = strings.TrimRight(a, "/") + "/"
	s.mu.Lock()
	next := maps.Clone(s.addresses)
	next[source] = a
	s.addresses = next
	s.mu.Unlock()
	return a, s.writeAddresses(next)
}

func (s *Set) packagedDefault(ctx context.Context, w *web, source string) (string, error) {
	what, client := "the npm registry", "npm"
	if source == sourceGo {
		what, client = "a Go module proxy", "go"
	}
	pin, ok := s.current().Clients[source]
	if !ok {
		return "", &AddressError{What: what, Client: client}
	}
	base, err := s.address(ctx, w, pin.Archive)
	if err != nil {
		return "", &AddressError{What: what, Client: client}
	}
	tmp, err := os.MkdirTemp(s.dir, scratchPrefix+"*")
	if err != nil {
		return "", diskError(s.dir, err)
	}
	defer os.RemoveAll(tmp)
	deb := filepath.Join(tmp, pin.File)
	if err := s.download(ctx, w, base, pin.file(), deb, func(int) {}); err != nil {
		return "", err
	}
	a, err := packagedAddress(source, deb)
	if err != nil || a == "" {
		return "", &AddressError{What: what, Client: client}
	}
	return a, nil
}
