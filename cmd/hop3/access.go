package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"hop3/internal/command"
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

// lookup names the owner of a proved key, if it may be used now from there.
func (s *server) lookup(key gossh.PublicKey, remote net.Addr) (string, bool) {
	k, ok, err := s.store.Keys().ByFingerprint(gossh.FingerprintSHA256(key))
	if err != nil {
		s.log.WithError(err).Error("keys cannot be read; nobody is let in")
		return "", false
	}
	addr, err := netip.ParseAddrPort(remote.String())
	if !ok || err != nil || !k.Usable(addr.Addr(), time.Now()) {
		return "", false
	}
	return k.Name, true
}

// unknownKey is what the owner of an unknown key reads.
func unknownKey(fingerprint string) string {
	return fmt.Sprintf(" !     hop3 does not know this key: %s\n       an admin adds it with: ssh -p PORT hop3@HOST keys:add NAME < key.pub\n       or on the server itself: hop3 admin add NAME < key.pub\n", fingerprint)
}

// handle serves one call over ssh and returns its exit code.
func (s *server) handle(ctx context.Context, c *sshd.Call) int {
	// The key is looked up again: it may have lost its rights since login.
	k, ok, err := s.store.Keys().ByFingerprint(c.Who.Fingerprint)
	if err != nil || !ok {
		_, _ = io.WriteString(c.Err, unknownKey(c.Who.Fingerprint)) // a caller that cannot be told has gone
		return command.ExitUnknownKey
	}
	session := &command.Session{Who: k.Name, Key: k, Remote: c.Remote, In: c.In, Out: c.Lines(c.Out), Err: c.Lines(c.Err), RawOut: c.Out, Signals: c.Signals, Stopping: c.Stopping}
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
