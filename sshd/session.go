package sshd

import (
	"context"
	"regexp"
	"strings"
	"sync"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// session is one channel: what the client asked for before its command, and
// the filter between the client's requests and the library, which
//
//   - panics on a pty-req whose string length overflows,
//   - stalls the whole connection on sizes that nobody reads,
//   - keeps environment variables without bound,
//   - and accepts agent forwarding.
type session struct {
	conn   *conn
	who    Identity
	raw    gossh.Channel
	ctx    context.Context // of the channel
	cancel context.CancelCauseFunc

	// Written by the filter before it lets the command through, read by the
	// command afterwards.
	env       map[string]string
	envs      int
	term      string
	window    Window
	pty       bool
	command   string
	subsystem string
	refusals  []string

	released sync.Once
	started  bool // filter only, and who waits for its end
	resize   chan Window
	signals  chan string
}

// sessionKey is where the session stands in the channel's context.
type sessionKey struct{}

// openSession serves one session channel.
func (s *Server) openSession(srv *ssh.Server, sc *gossh.ServerConn, nc gossh.NewChannel, ctx ssh.Context) {
	c := connOf(ctx)
	defer c.survive("ssh session")
	who := c.identify(sc)
	if who.Name == "" {
		_ = nc.Reject(gossh.Prohibited, "your key is not known here any more") // told or gone
		return
	}
	if !s.beginWork() {
		_ = nc.Reject(gossh.ResourceShortage, "hop3 is stopping") // told or gone
		return
	}
	defer s.work.Done()
	if !s.gate.begin(who.Fingerprint) {
		_ = nc.Reject(gossh.ResourceShortage, "too many commands run with your key, try again later") // told or gone
		return
	}
	ses := &session{
		conn: c, who: who, env: map[string]string{},
		resize: make(chan Window, 1), signals: make(chan string, signalBuffer),
	}
	defer func() {
		c.sessions.Add(-1)
		if !ses.started { // else the command's end releases it
			ses.release()
		}
	}()
	running, open := int(c.running.Add(1)), int(c.sessions.Add(1))
	if running > s.limits.Sessions || open > s.limits.Sessions+closingSessions {
		_ = nc.Reject(gossh.ResourceShortage, "too many sessions on one connection") // told or gone
		return
	}
	c.keepAlive(sc)
	ses.ctx, ses.cancel = context.WithCancelCause(c.ctx)
	defer ses.cancel(ErrClientGone)
	in := &filtered{NewChannel: nc, session: ses}
	defer in.done.Wait()           // the filter ends with the channel, or the connection,
	defer c.survive("ssh session") // which a panic must end first
	ssh.DefaultSessionHandler(srv, sc, in, channelContext{ctx, ses})
}

// closingSessions is how many channels may be open whose command has ended: a
// client may open its next before we have seen it close the last one.
const closingSessions = 100

// release makes room for another session. A command that goes on although its
// client has gone keeps its place: else hanging up would start ever more.
func (ses *session) release() {
	ses.released.Do(func() {
		ses.conn.running.Add(-1)
		ses.conn.srv.gate.ended(ses.who.Fingerprint)
	})
}

// signalBuffer is how many signals wait for a call that does not look; more
// are dropped, as a process keeps one of each.
const signalBuffer = 8

// channelContext is the library's context, with the life of one channel.
type channelContext struct {
	ssh.Context
	session *session
}

func (c channelContext) Done() <-chan struct{} { return c.session.ctx.Done() }
func (c channelContext) Err() error            { return c.session.ctx.Err() }
func (c channelContext) Value(key any) any {
	if key == (sessionKey{}) {
		return c.session
	}
	return c.Context.Value(key)
}

// filtered is a new channel whose requests pass through the session's filter.
type filtered struct {
	gossh.NewChannel
	session *session
	done    sync.WaitGroup
}

// Accept accepts the channel for the library.
func (f *filtered) Accept() (gossh.Channel, <-chan *gossh.Request, error) {
	ch, in, err := f.NewChannel.Accept()
	if err != nil {
		return nil, nil, err
	}
	f.session.raw = ch
	out := make(chan *gossh.Request)
	f.done.Go(func() { f.session.filter(in, out) })
	return ch, out, nil
}

// filter answers the client's requests and hands on to the library what is
// left. It ends, and with it the call's context, when the client closes the
// channel. It must never wait for the call: the connection would wait too.
func (ses *session) filter(in <-chan *gossh.Request, out chan<- *gossh.Request) {
	defer close(out)
	defer close(ses.resize)
	defer close(ses.signals)
	defer ses.cancel(ErrClientGone)
	for req := range in {
		switch ok, forward := ses.judge(req); {
		case forward:
			ses.forward(req, out)
		case req.WantReply:
			_ = req.Reply(ok, nil) // the client is told or gone
		}
	}
}

// forward hands req to the library, which answers it, unless the connection
// ended meanwhile.
func (ses *session) forward(req *gossh.Request, out chan<- *gossh.Request) {
	select {
	case out <- req:
	case <-ses.ctx.Done():
		if req.Type != "pty-req" { // begun by start, and never to run
			ses.release()
			ses.conn.srv.calls.Done()
		}
	}
}

// judge says how to answer req, or that the library is to.
func (ses *session) judge(req *gossh.Request) (ok, forward bool) {
	switch req.Type {
	case "env":
		return ses.setEnv(req.Payload), false
	case "pty-req":
		ok = ses.askPty(req.Payload)
		return ok, ok
	case "window-change":
		return ses.resized(req.Payload), false
	case "signal":
		return ses.signalled(req.Payload), false
	case "shell", "exec", "subsystem":
		ok = ses.start(req)
		return ok, ok
	case "auth-agent-req@openssh.com":
		ses.refuse("agent forwarding is refused: hop3 has no use for your keys", "set ForwardAgent no for this host")
	case "x11-req":
		ses.refuse("X11 forwarding is refused", "set ForwardX11 no for this host")
	}
	return false, false
}

// refuse keeps a sentence that the command prints first: the filter may not
// wait for the client to read it.
func (ses *session) refuse(what, do string) {
	if !ses.started && len(ses.refusals) < 2 {
		ses.refusals = append(ses.refusals, complaint(what, do))
	}
}

// start takes the one command of the session.
func (ses *session) start(req *gossh.Request) bool {
	if ses.started {
		return false
	}
	var line struct{ Value string }
	if req.Type != "shell" && gossh.Unmarshal(req.Payload, &line) != nil {
		return false
	}
	forced, isForced := ses.who.forced()
	switch {
	case isForced:
		ses.command = forced
	case req.Type == "subsystem":
		ses.subsystem = line.Value
	default:
		ses.command = line.Value
	}
	if !ses.conn.srv.beginCall() { // ended by serve
		return false
	}
	ses.conn.settled.Store(true)
	ses.started = true
	return true
}

// envNames are the variables that a client may set: what git's protocol
// version, the language of messages and our own commands need.
var envNames = regexp.MustCompile(`^(GIT_PROTOCOL|LANG|TERM|(LC|HOP3)_[A-Z0-9_]{1,60})$`)

func (ses *session) setEnv(payload []byte) bool {
	l := ses.conn.srv.limits
	var kv struct{ Name, Value string }
	if ses.started || ses.envs >= l.EnvVars || len(payload) > l.EnvBytes || gossh.Unmarshal(payload, &kv) != nil {
		return false
	}
	if !envNames.MatchString(kv.Name) || strings.ContainsRune(kv.Value, 0) {
		return false
	}
	ses.envs++
	ses.env[kv.Name] = kv.Value
	return true
}

// terms are the terminal types that may reach a program's environment.
var terms = regexp.MustCompile(`^[A-Za-z0-9+._-]{1,64}$`)

func (ses *session) askPty(payload []byte) bool {
	var req struct {
		Term                      string
		Cols, Rows, Width, Height uint32
		Modes                     string
	}
	if ses.started || ses.pty || !ses.who.mayPty() || gossh.Unmarshal(payload, &req) != nil {
		return false
	}
	ses.pty = true
	ses.term = "dumb"
	if terms.MatchString(req.Term) {
		ses.term = req.Term
	}
	ses.window = window(req.Cols, req.Rows)
	return true
}

func (ses *session) resized(payload []byte) bool {
	var req struct{ Cols, Rows, Width, Height uint32 }
	if !ses.pty || gossh.Unmarshal(payload, &req) != nil {
		return false
	}
	w := window(req.Cols, req.Rows)
	if !ses.started {
		ses.window = w
		return true
	}
	select { // replace a size that nobody has read
	case <-ses.resize:
	default:
	}
	ses.resize <- w // has room: this is its only sender
	return true
}

func window(cols, rows uint32) Window {
	const most = 1<<16 - 1
	return Window{Cols: uint16(min(cols, most)), Rows: uint16(min(rows, most))}
}

func (ses *session) signalled(payload []byte) bool {
	var req struct{ Name string }
	if gossh.Unmarshal(payload, &req) != nil {
		return false
	}
	switch req.Name { // RFC 4254 section 6.10
	case "ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM", "USR1", "USR2":
	default:
		return false
	}
	select {
	case ses.signals <- req.Name:
		return true
	default:
		return false
	}
}
