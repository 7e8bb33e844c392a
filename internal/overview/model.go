package overview

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
)

// model is the state of the screen. Only bubbletea's event loop touches it.
type model struct {
	ctx     context.Context // of the whole overview: what a command of bubbletea's runs in
	src     Source
	running sync.WaitGroup // what commands have started

	size     Size
	snap     Snapshot
	looked   bool
	rates    map[string]*rates // by app
	selected string            // app
	ended    error             // of Look

	lines   []Line // of the selected app's log, oldest first
	access  []Line // of its access log
	visits  bool   // the access log is shown
	feed    *feed  // where more come from
	logOnly bool   // the log has the whole screen
	help    bool

	prompt prompt
	busy   string // the command line that runs
	told   string // how the last one went
	bad    bool   // that was an error
}

func newModel(ctx context.Context, src Source) *model {
	return &model{ctx: ctx, src: src, rates: map[string]*rates{}}
}

type (
	lookMsg struct {
		snap Snapshot
		took time.Duration
		err  error
	}
	againMsg struct{}
	linesMsg struct {
		feed  *feed
		lines []Line
	}
	doneMsg struct {
		line string
		text string
		err  error
	}
)

const (
	// pause is the time between two looks, unless looking is slow: then it
	// takes at most a share of a core.
	pause = time.Second
	share = 20

	// maxLines is what is kept of a log: more than a screen has lines.
	maxLines = 500
)

// Init begins to look.
func (m *model) Init() tea.Cmd { return m.look() }

// look takes a snapshot.
func (m *model) look() tea.Cmd {
	return m.start(func() tea.Msg {
		began := time.Now()
		snap, err := m.src.Look(m.ctx)
		return lookMsg{snap, time.Since(began), err}
	})
}

// start runs f in a goroutine that Run waits for, which bubbletea's own are
// not. A mistake in f ends the overview, not the server.
func (m *model) start(f func() tea.Msg) tea.Cmd {
	out := make(chan tea.Msg, 1)
	m.running.Go(func() {
		defer func() {
			if r := recover(); r != nil {
				out <- lookMsg{err: fmt.Errorf("panic: %v\n%s", r, debug.Stack())}
			}
		}()
		out <- f()
	})
	return func() tea.Msg { return <-out }
}

// Update takes what has happened.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.size = Size{msg.Width, msg.Height}
	case tea.KeyPressMsg:
		return m, m.press(msg)
	case tea.PasteMsg:
		m.prompt.typed(msg.Content)
	case againMsg:
		return m, m.look()
	case lookMsg:
		return m, m.saw(msg)
	case linesMsg:
		if msg.feed != m.feed || msg.lines == nil {
			return m, nil
		}
		m.keep(msg.lines)
		return m, msg.feed.wait
	case doneMsg:
		m.busy, m.told, m.bad = "", msg.text, msg.err != nil
		if msg.err != nil {
			m.told = msg.err.Error()
		}
		return m, m.look()
	}
	return m, nil
}

// saw takes a snapshot and plans the next look.
func (m *model) saw(msg lookMsg) tea.Cmd {
	if msg.err != nil {
		m.ended = msg.err
		return tea.Quit
	}
	m.snap, m.looked = msg.snap, true
	seen := map[string]*rates{}
	for _, a := range m.snap.Apps {
		r := m.rates[a.Name]
		if r == nil {
			r = &rates{}
		}
		r.add(m.snap.At, a)
		seen[a.Name] = r
	}
	m.rates = seen
	var cmd tea.Cmd
	if m.app() == nil {
		cmd = m.choose(0)
	}
	return tea.Batch(cmd, tea.Tick(max(pause, share*msg.took), func(time.Time) tea.Msg { return againMsg{} }))
}

// app is the selected app, or nil.
func (m *model) app() *App {
	if i := m.index(); i >= 0 {
		return &m.snap.Apps[i]
	}
	return nil
}

func (m *model) index() int {
	return slices.IndexFunc(m.snap.Apps, func(a App) bool { return a.Name == m.selected })
}

// choose selects the app at i of the list, as far as there is one, and begins
// to follow its log.
func (m *model) choose(i int) tea.Cmd {
	i = max(0, min(i, len(m.snap.Apps)-1))
	name := ""
	if i < len(m.snap.Apps) {
		name = m.snap.Apps[i].Name
	}
	if name == m.selected {
		return nil
	}
	if m.feed != nil {
		m.feed.stop()
	}
	m.selected, m.lines, m.access, m.feed = name, nil, nil, nil
	if name == "" {
		return nil
	}
	m.feed = m.follow(name)
	return m.feed.wait
}

// keep adds lines to the log that they are of: under load the one of requests
// would leave nothing to be seen of the other.
func (m *model) keep(lines []Line) {
	for _, l := range lines {
		list := &m.lines
		if l.Access {
			list = &m.access
		}
		*list = append(*list, l)
		*list = slices.Delete(*list, 0, max(0, len(*list)-maxLines))
	}
}

// A feed is an app's log as it comes.
type feed struct {
	lines chan Line // closed at its end
	stop  context.CancelFunc
}

func (m *model) follow(app string) *feed {
	ctx, stop := context.WithCancel(m.ctx)
	f := &feed{make(chan Line, maxLines), stop}
	m.running.Go(func() {
		defer close(f.lines)
		err := m.src.Follow(ctx, app, func(l Line) {
			select {
			case f.lines <- l:
			case <-ctx.Done():
			}
		})
		if err != nil && ctx.Err() == nil {
			select {
			case f.lines <- Line{At: time.Now(), Process: "hop3", Text: err.Error()}:
			default: // the reader has enough to read
			}
		}
	})
	return f
}

// wait returns the next lines, all that are there at once; nil at the end.
func (f *feed) wait() tea.Msg {
	msg := linesMsg{feed: f}
	for l := range f.lines {
		msg.lines = append(msg.lines, l)
		if len(f.lines) == 0 || len(msg.lines) == maxLines {
			break
		}
	}
	return msg
}
