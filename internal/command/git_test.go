package command

import (
	"fmt"
	"testing"

	"hop3/internal/state"
)

// TestRights_Git asks for each of git's services, with every role, for an app that is the key's and for one that is not: that
// one is answered like one that does not exist.
func TestRights_Git(t *testing.T) {
	s := testSet(t)
	need := map[string]state.Role{"git-receive-pack": state.Deploy, "git-upload-pack": state.View, "git-upload-archive": state.View}
	for service := range gitServices {
		if need[service] == state.NoRole {
			t.Errorf("%s has no row", service)
		}
	}
	for service, least := range need {
		for _, args := range [][]string{{service, "/own"}, {"git", service[len("git-"):], "own.git"}} {
			if !IsGit(args) {
				t.Errorf("%q is no call of git", args)
			}
		}
		for _, role := range []state.Role{state.NoRole, state.View, state.Deploy, state.Operate, state.Admin} {
			session := &Session{Who: "k", Key: state.Key{Name: "k", Role: role, Apps: []string{"own"}}}
			for app, want := range map[string]int{"own": ExitDone, "other": ExitNotFound, "nope": ExitNotFound} {
				switch {
				case app == "own" && role == state.NoRole:
					want = ExitNotFound
				case app == "own" && role < least:
					want = ExitDenied
				}
				err := s.mayGit(session, service, app)
				if got := exitCode(err); got != want {
					t.Errorf("%s of %s by %s: exit %d (%v), want %d", service, app, role, got, err, want)
				}
				if unknown := s.mayGit(session, service, "nope"); app == "other" && fmt.Sprint(err) != "no such app: other" {
					t.Errorf("%s of other by %s: %v, of an app that is not there: %v", service, role, err, unknown)
				}
			}
		}
	}
}
