package command

import (
	"context"
	"errors"
	"fmt"

	"hop3/internal/state"
	"hop3/receive"
)

// gitServices are the programs that a git client asks for, and what they need.
var gitServices = map[string]state.Role{
	"git-receive-pack":   state.Deploy,
	"git-upload-pack":    state.View,
	"git-upload-archive": state.View,
}

// IsGit reports whether args call one of git's own services, in either of the
// forms that clients use.
func IsGit(args []string) bool {
	_, ok := gitServices[gitService(args)]
	return ok
}

func gitService(args []string) string {
	if len(args) > 1 && args[0] == "git" {
		return "git-" + args[1]
	}
	if len(args) > 0 {
		return args[0]
	}
	return ""
}

// RunGit serves a git client and returns the exit code. What is wrong before
// the conversation begins is told in git's own form, so that its client shows
// a sentence.
func (s *Set) RunGit(ctx context.Context, session *Session, args []string, protocol string) int {
	err := s.git(ctx, session, args, protocol)
	if err == nil {
		return ExitDone
	}
	var refused *refusal
	if errors.As(err, &refused) {
		text := "hop3: " + err.Error()
		if refused.hint != "" {
			text += "; " + refused.hint
		}
		if werr := receive.WriteError(session.Out, text); werr != nil {
			return ExitServer
		}
		return exitCode(refused.err)
	}
	return exitCode(err)
}

// A refusal ends a git call before its conversation has begun.
type refusal struct {
	err  error
	hint string
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refuse(err error) error {
	hint := ""
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		hint = h.Hint()
	}
	return &refusal{err, hint}
}

func (s *Set) git(ctx context.Context, session *Session, args []string, protocol string) error {
	service := gitService(args)
	if args[0] == "git" {
		args = args[1:]
	}
	if len(args) != 2 {
		return refuse(&Usage{What: service + " takes one path", Mend: "a remote is ssh://hop3@HOST:PORT/APP"})
	}
	name, err := receive.ParsePath(args[1])
	if err != nil {
		return refuse(&state.Invalid{What: err.Error(), Rule: hintText(err)})
	}
	if err := s.mayGit(session, service, name); err != nil {
		if is[*Denied](err) {
			s.record(session, &Call{App: name, Command: &Command{Name: "git push"}}, err)
		}
		return refuse(err)
	}
	repo, err := s.Pipeline.Repo(name)
	if err != nil {
		return refuse(err)
	}
	switch service {
	case "git-upload-archive":
		return receive.UploadArchive(ctx, repo, session.In, session.Out, session.Err)
	case "git-upload-pack":
		return receive.UploadPack(ctx, repo, session.In, session.Out, session.Err, protocol)
	}
	app, err := s.Store.App(name)
	if err != nil {
		return refuse(err)
	}
	err = s.Git.ReceivePack(ctx, receive.Request{
		Repo: repo, In: session.In, Out: session.Out, Protocol: protocol, DeployBranch: app.DeployBranch,
		Deploy: func(ctx context.Context, p *receive.Push) error { return s.deploy(ctx, session, name, p) },
	})
	return err
}

func (s *Set) deploy(ctx context.Context, session *Session, app string, p *receive.Push) error {
	err := s.Pipeline.Push(ctx, app, session.Who, p)
	call := &Call{App: app, Command: &Command{Name: "git push"}, detail: p.New}
	s.record(session, call, err)
	return err
}

func hintText(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// mayGit asks whether the key may use the service on the app, and makes an
// app that a first push names.
func (s *Set) mayGit(session *Session, service, name string) error {
	need := gitServices[service]
	_, err := s.Store.App(name)
	if !session.Key.May(state.View, name) {
		return s.unknownApp(session.Key, name)
	}
	if !session.Key.May(need, name) {
		return &Denied{Who: session.Who, What: fmt.Sprintf("push to %s", name), Needs: need.String()}
	}
	if err == nil || service != "git-receive-pack" || s.noCreate.Load() {
		return err
	}
	_, err = s.Pipeline.Create(name, session.Who)
	var conflict *state.Conflict
	if errors.As(err, &conflict) { // made by another push at the same moment
		return nil
	}
	return err
}
