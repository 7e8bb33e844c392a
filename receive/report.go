package receive

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// updateRefs does the commands that nothing refused: all in one transaction if the client wants
// them atomic, else one by one.
func (c *conversation) updateRefs(ctx context.Context) {
	var good []*command
	for _, cmd := range c.asked.commands {
		moved := c.push != nil && c.push.moved && cmd.ref == c.push.Ref
		if cmd.status == "" && !moved {
			good = append(good, cmd)
		}
	}
	if c.asked.caps.has("atomic") {
		c.transact(ctx, good...)
	} else {
		for _, cmd := range good {
			c.transact(ctx, cmd)
		}
	}
	if c.push != nil {
		if err := c.request.Repo.setHead(c.push.Ref); err != nil {
			fmt.Fprintf(c.push.Progress, " !     HEAD still names another branch: %v\n", err)
		}
	}
}

func (c *conversation) transact(ctx context.Context, cmds ...*command) {
	var moves []refMove
	for _, cmd := range cmds {
		if cmd.deletes() && cmd.old == zeroID {
			continue // deleting what is not there is done already
		}
		moves = append(moves, refMove{name: cmd.ref, old: cmd.old, new: cmd.new})
	}
	if len(moves) == 0 {
		return
	}
	if err := c.request.Repo.move(ctx, moves); err != nil {
		for _, cmd := range cmds {
			cmd.status = "cannot update ref: " + sanitise(err.Error())
		}
	}
}

// report tells the client what became of its commands, if it asked to know.
func (c *conversation) report() error {
	if !c.asked.caps.has("report-status") && !c.asked.caps.has("report-status-v2") {
		return c.end("")
	}
	var b strings.Builder
	unpack := c.unpack
	if unpack == "" {
		unpack = "ok"
	}
	b.WriteString(pkt("unpack %s\n", unpack))
	for _, cmd := range c.asked.commands {
		ref := strings.ToValidUTF8(sanitise(cmd.ref), "?")
		if cmd.status == "" {
			b.WriteString(pkt("ok %s\n", ref))
		} else {
			b.WriteString(pkt("ng %s %s\n", ref, sanitise(cmd.status)))
		}
	}
	b.WriteString(flushPkt)
	return c.end(b.String())
}

func (c *conversation) end(report string) error {
	var err error
	if c.band != nil {
		err = c.band.finish(report)
	} else {
		_, err = io.WriteString(c.request.Out, report)
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
