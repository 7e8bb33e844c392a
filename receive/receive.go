// Package receive is the server's side of git: the conversation of git-receive-pack, bare
// repositories, and a commit as a file system.
//
// A push is taken in the order that lets it fail without a trace: the refs are advertised, the
// commands are read and judged by name, exactly one pack goes into a quarantine folder inside the
// repository, every object is checked and that nothing is missing, the pushed tree is looked
// through, and only then does the caller's Deploy see it, reading through the quarantine. The
// objects move into the repository when Deploy calls [Push.Accept], the ref moves by
// compare-and-swap after Deploy has returned nil. Until then a reader of the repository sees no
// difference, and afterwards a rejected push has left no file.
//
// The wire formats are those of gitprotocol-pack(5), gitprotocol-capabilities(5) and
// gitprotocol-common(5). go-git makes repositories and reads refs and commits; its server
// transport stays out (it accepts missing objects and refuses thin packs). Packs are indexed by package
// packidx. The git program checks connectivity where a pack leads into the repository, moves refs and serves fetches, each time as a child in its own
// process group, with an environment that holds nothing of the machine's.
package receive

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Limits bound what one push may cost. The zero value of a field stands for its default.
type Limits struct {
	PackBytes int64  // size of the pack on the wire, default 512 MiB (max_push_size)
	Objects   uint32 // objects that the pack's header may announce, default 1,000,000
	Commands  int    // refs in one push, default 1,000
	Files     int    // files in the pushed tree, default 200,000
	TreeBytes int64  // sum of the sizes of the tree's files, default 2 GiB
	Memory    uint64 // address space of a child that reads or indexes packs, default 1 GiB

	ObjectBytes   int64 // size of one object, default PackBytes, but 512 MiB at least; GitIngester is bound by Memory
	InflatedBytes int64 // size of all objects of a pack together, default 16 GiB; GitIngester does not know it
}

func (l Limits) withDefaults() Limits {
	l.PackBytes = orDefault(l.PackBytes, 512<<20)
	l.Objects = orDefault(l.Objects, 1_000_000)
	l.Commands = orDefault(l.Commands, 1000)
	l.Files = orDefault(l.Files, 200_000)
	l.TreeBytes = orDefault(l.TreeBytes, 2<<30)
	l.Memory = orDefault(l.Memory, 1<<30)
	l.ObjectBytes = orDefault(l.ObjectBytes, max(l.PackBytes, 512<<20))
	l.InflatedBytes = orDefault(l.InflatedBytes, 16<<30)
	return l
}

func orDefault[T int | int64 | uint32 | uint64 | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// Server answers pushes. Its zero value works. It has no state of its own, so that one Server
// serves any number of pushes at once.
type Server struct {
	Ingester  Ingester      // nil: GoIngester
	Limits    Limits        //
	Agent     string        // how the server names itself, default "hop3/dev"
	KeepAlive time.Duration // an empty frame is sent after so long a silence, default 5 s
	Linger    time.Duration // how long the rest of a rejected pack is read, default 30 s
}

// Request is one call of git-receive-pack.
type Request struct {
	Repo *Repo
	// In is what the client sends. A Read must fail once ctx has ended (closing the channel does
	// that); one Read may still be waiting when ReceivePack returns, until the caller closes In.
	In           io.Reader
	Out          io.Writer
	Protocol     string // the client's GIT_PROTOCOL
	DeployBranch string // "" = main or master, whichever comes first
	// Deploy is called at most once, when everything that was pushed has been checked. Its context
	// ends when ctx does or when writing to the client fails. A nil error moves the ref. An error
	// rejects the push; if it has a method Reason() string, that is what git prints in brackets.
	// A nil Deploy accepts every push.
	Deploy func(ctx context.Context, p *Push) error
}

// ReceivePack holds the conversation to its end. Rejections are reported to the client and are no
// error here: an error means that the client broke the protocol or went away, or that the
// repository could not be read.
func (s *Server) ReceivePack(ctx context.Context, r Request) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	refs, err := r.Repo.Refs()
	if err != nil {
		return err
	}
	if err := s.advertise(r, visible(refs)); err != nil {
		return fmt.Errorf("advertise refs: %w", err)
	}
	in := bufio.NewReaderSize(r.In, 64<<10)
	limits := s.Limits.withDefaults()
	q, err := readRequest(in, limits)
	if errors.Is(err, errNothing) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read commands: %w", err)
	}
	c := &conversation{server: s, request: r, limits: limits, refs: refs, asked: q, cancel: cancel}
	c.pack = newPackReader(in, limits)
	err = c.run(ctx)
	c.finish(ctx)
	return err
}

// conversation is one push from its commands to its report.
type conversation struct {
	server  *Server
	request Request
	limits  Limits
	refs    map[string]string
	asked   *request
	cancel  context.CancelCauseFunc

	pack   *packReader
	band   *sideband // nil: the client has no side-band
	push   *Push     // nil: nothing deploys
	unpack string    // "" = ok
}

// run takes the push as far as it gets and leaves a verdict in each command; then it reports.
func (c *conversation) run(ctx context.Context) (err error) {
	progress := io.Writer(io.Discard)
	if c.asked.caps.has("side-band-64k") {
		c.band = newSideband(c.request.Out, c.cancel)
		stop := c.band.keepAlive(orDefault(c.server.KeepAlive, 5*time.Second))
		defer stop()
		progress = c.band
	}
	lines := &lineWriter{w: progress}
	deployRef := c.judge()
	if update := c.accepted(deployRef); update != nil {
		var q *quarantine
		if q, err = newQuarantine(c.request.Repo); err != nil {
			if full, ok := errors.AsType[*FullError](orFull(err)); ok { // another one is for the log alone
				tell(lines, full)
			}
			c.fail("cannot store objects")
		} else {
			defer func() { err = errors.Join(err, q.remove()) }()
			c.deploy(ctx, q, update, lines)
		}
	}
	if ctx.Err() != nil && c.push == nil {
		for _, cmd := range c.asked.commands {
			cmd.status = cmp.Or(cmd.status, "cancelled")
		}
	}
	c.updateRefs(context.WithoutCancel(ctx)) // what was decided is written, client or no client
	if ferr := lines.flush(); ferr != nil {
		err = errors.Join(err, ferr)
	}
	return errors.Join(err, c.report(), context.Cause(ctx))
}

// deploy receives the pack, checks it and hands it to the caller's hook.
func (c *conversation) deploy(ctx context.Context, q *quarantine, update *command, out *lineWriter) {
	if err := orFull(c.receive(ctx, q, update.new)); err != nil {
		c.unpack = sanitise(err.Error())
		tell(out, err)
		c.fail("unpacker error")
		return
	}
	push := &Push{
		Ref: update.ref, Old: idOrEmpty(update.old), New: update.new, Options: c.asked.options,
		Progress: out, Quiet: c.asked.caps.has("quiet"), Repo: c.request.Repo, quarantine: q, limits: c.limits,
	}
	defer push.close()
	err := orFull(push.check(ctx))
	if err == nil && c.request.Deploy != nil {
		err = c.request.Deploy(ctx, push)
	} else if err != nil {
		tell(out, err)
	}
	if err == nil {
		err = push.Accept()
	}
	if err != nil {
		c.reject(update, reason(err))
		return
	}
	c.push = push
	update.old = idOrZero(push.Old)
}

// receive stores the pack in the quarantine.
func (c *conversation) receive(ctx context.Context, q *quarantine, tip string) error {
	count, err := c.pack.header()
	if err != nil {
		return err
	}
	if count == 0 {
		return c.pack.discardEmpty()
	}
	if err := q.graft(ctx, c.asked.shallow); err != nil {
		return err
	}
	ingester := c.server.Ingester
	if ingester == nil {
		ingester = GoIngester{}
	}
	in := Ingest{Repo: c.request.Repo, Objects: q.objects, Shallow: q.shallow, Pack: c.pack, Tip: tip, Limits: c.limits}
	if q.whole, err = ingester.Ingest(ctx, in); err != nil {
		return err
	}
	return q.trimGraft(ctx)
}

// finish reads what the client still sends of a pack that nobody wanted: a client that is cut off
// while it writes would never read the report.
func (c *conversation) finish(ctx context.Context) {
	if !c.asked.wantsPack() || c.pack.ended() {
		return
	}
	done := make(chan struct{})
	go func() { // ends with the pack, or when the caller closes In
		defer close(done)
		c.pack.drain(c.limits.PackBytes)
	}()
	timer := time.NewTimer(orDefault(c.server.Linger, 30*time.Second))
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}
