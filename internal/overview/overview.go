// Package overview shows what runs on a server, live, in the terminal of
// somebody who has logged in: apps, their processes and releases, requests,
// cpu and memory over the last minutes, and the selected app's log.
//
// It knows nothing of hop3 but Source, and no terminal but the reader and
// writer that it is given. What it changes it changes by a command line, which
// the caller passes through the same gate as any other.
package overview

import (
	"context"
	"errors"
	"io"
	"regexp"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// A Snapshot is all that the caller may see, at one moment.
type Snapshot struct {
	At     time.Time
	Server string // "hop3 1.0.0"
	Who    string // "ann (operate)"
	Apps   []App
}

// An App is one app of a snapshot.
type App struct {
	Name, State, URL string
	Release          string // "v3"; "" before the first
	Formation        map[string]int
	Processes        []Process
	Releases         []Release // newest first
	Requests, Errors uint64    // since the server started; errors are those with 5xx
	InFlight         int64
	MayOperate       bool // restart it, roll it back, scale it
}

// A Process is one running instance.
type Process struct {
	Name, State, Release string
	Pid, Restarts        int
	Since                time.Time
	CPU                  time.Duration // since it started
	Memory               int64         // bytes
}

// A Release is one of an app's releases.
type Release struct {
	Name, Status, Change, By string
	At                       time.Time
}

// A Line is a line of an app's log.
type Line struct {
	At            time.Time
	Process, Text string
	Access        bool // it tells of a request
}

// A Source is where the overview gets what it shows.
type Source struct {
	// Look takes a snapshot. An error ends the overview: the caller may not look any more.
	Look func(context.Context) (Snapshot, error)
	// Follow calls line for the last lines of an app's log and for each new one until ctx ends.
	Follow func(ctx context.Context, app string, line func(Line)) error
	// Do carries out a command line and returns what it says.
	Do func(ctx context.Context, args ...string) (string, error)
}

// A Terminal is the caller's.
type Terminal struct {
	In     io.Reader // each byte as it is typed
	Out    io.Writer // maps LF to CR LF, as a terminal's driver does
	Term   string    // its type, as TERM has it
	Size   Size
	Resize <-chan Size // nil: it never changes
}

// Size is a terminal's size in characters.
type Size struct{ Cols, Rows int }

// Run shows the overview until the caller quits, which is no error, ctx ends,
// or Source.Look fails. Nothing that it has started runs on when it returns.
func Run(ctx context.Context, src Source, t Terminal) error {
	ctx, cancel := context.WithCancel(ctx)
	m := newModel(ctx, src)
	defer m.running.Wait()
	defer cancel()
	environ := []string{"TERM=" + t.Term}
	program := tea.NewProgram(m,
		tea.WithContext(ctx), tea.WithInput(t.In), tea.WithOutput(t.Out), tea.WithWindowSize(t.Size.Cols, t.Size.Rows),
		tea.WithEnvironment(environ), tea.WithColorProfile(colours(t.Term)), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond),
	)
	var resizing sync.WaitGroup
	defer resizing.Wait()
	defer cancel()
	resizing.Go(func() {
		for {
			select {
			case s, ok := <-t.Resize:
				if !ok {
					return
				}
				program.Send(tea.WindowSizeMsg{Width: s.Cols, Height: s.Rows})
			case <-ctx.Done():
				return
			}
		}
	})
	_, err := program.Run()
	if m.ended != nil {
		return m.ended
	}
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// colours is what a type of terminal can show. The library takes terminals
// without colours, as DEC made them, for ones with sixteen.
func colours(term string) colorprofile.Profile {
	if mono.MatchString(term) {
		return colorprofile.ASCII
	}
	return colorprofile.Env([]string{"TERM=" + term})
}

var mono = regexp.MustCompile(`^(vt[125]\d*|.*-m|.*-mono)$`)

// framesPerSecond bounds what goes over the line; a person reads no faster.
const framesPerSecond = 20
