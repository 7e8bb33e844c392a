package procman

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hop3/procman/sandbox"
)

// RestartAll in SwapOptions.Restart names every process.
const RestartAll = "*"

// slot is one place in the formation: a process type and an index from 1 on.
type slot struct {
	Type  string
	Index int
}

func (s slot) String() string { return s.Type + "." + strconv.Itoa(s.Index) }

// compareSlots orders web first, then by type, then by index.
func compareSlots(a, b slot) int {
	if (a.Type == Web) != (b.Type == Web) {
		if a.Type == Web {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Index, b.Index))
}

// wanted is what a release wants in a slot.
type wanted struct {
	slot slot
	proc Process
	hash string
}

// wants lists the slots of r's formation, web first.
func (r *Release) wants() []wanted {
	var out []wanted
	for _, p := range r.Processes {
		if p.Type == releaseType {
			continue
		}
		hash := r.hash(p)
		for i := range r.Formation[p.Type] {
			out = append(out, wanted{slot: slot{p.Type, i + 1}, proc: p, hash: hash})
		}
	}
	slices.SortFunc(out, func(a, b wanted) int { return compareSlots(a.slot, b.slot) })
	return out
}

// hash identifies what a running process depends on: two releases in which it is equal can share the process. The
// release's number, its commit, the port and the URL are left out on purpose: they may change under a running process.
func (r *Release) hash(p Process) string {
	b, err := json.Marshal(struct {
		App, StorePath, Type, Command string
		Closure                       []string
		Env                           map[string]string
		Limits                        sandbox.Limits
		UID                           int
		DataDir                       string
		Exclusive                     bool
		// What follows is absent where there is none, as in the hashes of earlier versions.
		Sockets []sandbox.Socket `json:",omitempty"`
		Port    int              `json:",omitempty"`
		Closed  bool             `json:",omitempty"`
		Mounts  []sandbox.Mount  `json:",omitempty"`
	}{r.App, r.StorePath, p.Type, p.Command, r.Closure, r.AppEnv, p.Limits, r.UID, r.DataDir, p.Exclusive, r.Sockets, r.Port, r.Closed, r.Mounts})
	if err != nil { // strings, numbers and maps of strings cannot fail
		panic(fmt.Sprintf("hash process %s: %v", p.Type, err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// present is what runs in a slot.
type present struct {
	slot    slot
	hash    string
	release int
	up      bool // ready
}

// diff is the difference between what runs and what is wanted.
type diff struct {
	keep   []wanted // runs already, as wanted
	start  []wanted // is new or changed
	remove []slot   // runs and is not wanted in any form
}

// compare returns the difference between running and the wishes of release r. restart says which slots are to be
// started anew although nothing changed. What is down is tried again by a new release, and left to its backoff by
// another formation of the same one.
func compare(running map[slot]present, r *Release, restart func(slot) bool) diff {
	var d diff
	want := map[slot]bool{}
	for _, w := range r.wants() {
		want[w.slot] = true
		p, there := running[w.slot]
		if there && p.hash == w.hash && !restart(w.slot) && (p.up || p.release == r.Number) {
			d.keep = append(d.keep, w)
		} else {
			d.start = append(d.start, w)
		}
	}
	for s := range running {
		if !want[s] {
			d.remove = append(d.remove, s)
		}
	}
	slices.SortFunc(d.remove, compareSlots)
	return d
}

// restarter turns names ("web", "web.2", RestartAll) into a choice of slots. A name that fits nothing is an error.
func restarter(names []string, r *Release) (func(slot) bool, error) {
	chosen := map[slot]bool{}
	wants := r.wants()
	for _, name := range names {
		found := false
		for _, w := range wants {
			if name == RestartAll || name == w.slot.Type || name == w.slot.String() {
				chosen[w.slot] = true
				found = true
			}
		}
		if !found && name != RestartAll {
			return nil, &UnknownTypeError{Type: name, Types: running(wants)}
		}
	}
	return func(s slot) bool { return chosen[s] }, nil
}

func running(wants []wanted) []string {
	var out []string
	for _, w := range wants {
		out = append(out, w.slot.String())
	}
	return out
}

// UnknownTypeError names a process type or instance that the release has not.
type UnknownTypeError struct {
	Type  string
	Types []string // those that there are
}

func (e *UnknownTypeError) Error() string {
	return fmt.Sprintf("no process %q in this release", e.Type)
}

// Hint lists what there is.
func (e *UnknownTypeError) Hint() string {
	if len(e.Types) == 0 {
		return "the release has no processes; add a Procfile"
	}
	return "there are: " + strings.Join(e.Types, ", ")
}
