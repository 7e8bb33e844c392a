package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"hop3/internal/access"
	"hop3/internal/command"
	"hop3/internal/config"
	"hop3/internal/state"
	"hop3/procman/sandbox"
	"hop3/sshd"
)

// addAdmins gives the keys of file the role admin. Keys that are known stay
// as they are, so that the flag can be given at every start.
func addAdmins(store *state.Store, file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read --admin-key: %w", err)
	}
	n := 0
	for len(bytes.TrimSpace(text)) > 0 {
		public, fingerprint, comment, rest, err := state.ParsePublicKey(text)
		if err != nil {
			if n > 0 { // only blank and comment lines are left
				break
			}
			return fmt.Errorf("read --admin-key %s: %w", file, err)
		}
		text = rest
		n++
		if _, known, err := store.Keys().ByFingerprint(fingerprint); known || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		k := state.Key{Name: adminName(comment, n), Role: state.Admin, Public: public, Fingerprint: fingerprint, Added: time.Now().UTC(), AddedBy: "--admin-key"}
		if err := addUnderFreeName(store.Keys(), k); err != nil {
			return err
		}
	}
	return nil
}

// adminName makes a legal name of a key's comment.
func adminName(comment string, n int) string {
	name := strings.Map(func(r rune) rune {
		if r < 128 && (r == '@' || r == '.' || r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return -1
	}, comment)
	name = strings.TrimLeft(name, "@._-")
	if name == "" {
		return fmt.Sprintf("admin%d", n)
	}
	return name[:min(len(name), 60)]
}

// addUnderFreeName adds k, with a number behind its name if that is in use.
func addUnderFreeName(keys *state.Keys, k state.Key) error {
	list, err := keys.List()
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, old := range list {
		used[old.Name] = true
	}
	base := k.Name
	for i := 2; used[k.Name]; i++ {
		k.Name = fmt.Sprintf("%s-%d", base, i)
	}
	return keys.Add(k)
}

// trust has certificates accepted as the settings say.
func (s *server) trust(c config.Config) error {
	t := &access.Authorities{Principals: map[string]access.Rights{}}
	for name, p := range c.Principals {
		role, err := state.ParseRole(p.Role)
		if err != nil {
			return fmt.Errorf("read principals.%s: %w", name, err)
		}
		t.Principals[name] = access.Rights{Role: role, Apps: p.Apps}
	}
	if c.UserCA != "" {
		var err error
		if t.CAs, err = access.ReadCAs(c.UserCA); err != nil {
			return err
		}
	}
	s.keys.Trust(t)
	return nil
}

// lookup names the owner of a proved key or certificate, if it may be used now from there.
func (s *server) lookup(key gossh.PublicKey, remote net.Addr) (string, error) {
	k, err := s.find(key, remote)
	return k.Name, err
}

// find returns the rights of a proved key or certificate, or an error for its owner to read.
func (s *server) find(key gossh.PublicKey, remote net.Addr) (state.Key, error) {
	k, err := s.keys.Find(key, remote)
	if _, ok := errors.AsType[*access.Refused](err); err != nil && !ok {
		s.log.WithError(err).Error("keys cannot be read; nobody is let in")
		err = &access.Refused{What: "the server cannot read its keys", Mend: "its log has the details"}
	}
	return k, err
}

// handle serves one call over ssh and returns its exit code.
func (s *server) handle(ctx context.Context, c *sshd.Call) int {
	s.sessions.Add(1)
	defer s.sessions.Add(-1)
	// The key is looked up again: it may have lost its rights since login.
	k, err := s.find(c.Who.Key, c.Remote)
	if err != nil {
		_, _ = fmt.Fprintf(c.Lines(c.Err), " !     %v\n", err) // a caller that cannot be told has gone
		return command.ExitUnknownKey
	}
	session := &command.Session{Who: k.Name, Key: k, Renew: func() (state.Key, error) { return s.find(c.Who.Key, c.Remote) }, Remote: c.Remote, In: c.In, Out: c.Lines(c.Out), Err: c.Lines(c.Err), RawOut: c.Out, Signals: c.Signals, Stopping: c.Stopping}
	if command.IsGit(c.Args) {
		session.Out, session.Err = c.Out, c.Err
		return s.commands.RunGit(ctx, session, c.Args, c.Env["GIT_PROTOCOL"])
	}
	if c.Pty != nil {
		session.Pty = terminal(c.Pty)
	}
	if c.Pty != nil && !command.ReadsTerminal(c.Args) {
		var stop context.CancelFunc
		ctx, stop = c.Interruptible(ctx)
		defer stop()
	}
	return s.commands.Run(ctx, session, c.Args)
}

// terminal is the client's terminal as a sandbox sees it.
func terminal(p *sshd.Pty) *command.Pty {
	sizes := make(chan sandbox.Window, 1) // holds the newest size that was not read yet
	go func() {                           // ends when the client is gone, which closes Resize
		defer close(sizes)
		for w := range p.Resize {
			select {
			case <-sizes:
			default:
			}
			sizes <- sandbox.Window(w)
		}
	}()
	return &command.Pty{Term: p.Term, Pty: sandbox.Pty{Window: sandbox.Window(p.Window), Resize: sizes}}
}
