package receive

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// CommitInfo is what a person wants to know of a commit.
type CommitInfo struct {
	ID      string
	Short   string // the first seven digits
	Subject string // the first line of the message, without control characters
	Author  string
	Email   string
	Time    time.Time // when it was committed
}

// TypeError refuses an object that is not a commit.
type TypeError struct{ ID, Type string }

func (e *TypeError) Error() string {
	if e.Type == "" {
		return "object " + short(e.ID) + " is missing"
	}
	return fmt.Sprintf("%s is a %s, not a commit", short(e.ID), e.Type)
}

// Reason is what git prints.
func (e *TypeError) Reason() string { return e.Error() }

// Hint says how to push what a tag names.
func (e *TypeError) Hint() string {
	if e.Type == "tag" {
		return "push the commit of a tag with git push hop3 TAG^0:main"
	}
	return ""
}

// Commit reads a commit. The error is a *TypeError if id names none.
func (r *Repo) Commit(ctx context.Context, id string) (CommitInfo, error) {
	return readCommit(ctx, r.view(), id)
}

func short(id string) string { return id[:min(7, len(id))] }

func readCommit(ctx context.Context, v view, id string) (CommitInfo, error) {
	if !isID(id) {
		return CommitInfo{}, fmt.Errorf("read commit: %q is no object id", id)
	}
	cat, err := startCat(ctx, v, "--batch")
	if err != nil {
		return CommitInfo{}, err
	}
	defer cat.close()
	raw, err := cat.commit(id)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return CommitInfo{}, fmt.Errorf("read commit: %w", err)
	}
	return parseCommit(id, raw)
}

func parseCommit(id, raw string) (CommitInfo, error) {
	obj := &plumbing.MemoryObject{}
	obj.SetType(plumbing.CommitObject)
	if _, err := obj.Write([]byte(raw)); err != nil {
		return CommitInfo{}, fmt.Errorf("read commit: %w", err)
	}
	var c object.Commit
	if err := c.Decode(obj); err != nil {
		return CommitInfo{}, fmt.Errorf("read commit: %w", err)
	}
	subject, _, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n")
	clean := func(s string) string { return sanitise(strings.ToValidUTF8(s, "\ufffd")) }
	return CommitInfo{
		ID: id, Short: short(id), Subject: clean(subject),
		Author: clean(c.Author.Name), Email: clean(c.Author.Email), Time: c.Committer.When,
	}, nil
}
