package nix

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// silence is the longest time without a progress line; the git client's
	// user is promised 5 s, and the ticker looks once a second.
	silence     = 4 * time.Second
	maxSteps    = 256      // derivations whose last lines are kept
	maxMessages = 200      // of nix that are kept for the error
	maxMessage  = 64 << 10 // bytes of one
)

// A monitor follows nix's log: it writes progress and the build log, and keeps
// what an error will want to quote. One goroutine uses it.
type monitor struct {
	progress, logw io.Writer // nil for none
	verbose        bool
	stage          string // what runs where nothing else is known: "evaluating"

	acts      map[uint64]*activity
	steps     map[string]*step // by derivation
	order     []string         // the keys of steps, oldest first
	messages  []event
	lastBuild string // the derivation whose build ended last
	total     int64  // builds to come, as nix said before it began, else as it counts
	stated    bool   // nix said it
	begun     int
	received  map[uint64]int64
	expected  map[uint64]int64
	paths     int // substituted
	saidLoad  bool

	now       func() time.Time
	began     time.Time
	lastWrite time.Time
}

// An activity is something that nix is doing now.
type activity struct {
	kind  int
	drv   string
	name  string
	n     int // of the build, from 1
	phase string
	text  string
	since time.Time
}

// willBuild is said before the first build; an evaluation may need builds too.
var willBuild = regexp.MustCompile(`^th(?:is|ese) (?:(\d{1,6}) )?derivations? will be built:`)

// A step is what an error will want to know of a derivation.
type step struct {
	tail
	phase string
}

func newMonitor(progress, logw io.Writer, verbose bool, now func() time.Time) *monitor {
	return &monitor{
		progress: progress, logw: logw, verbose: verbose, now: now, began: now(), lastWrite: now(),
		acts: map[uint64]*activity{}, steps: map[string]*step{},
		received: map[uint64]int64{}, expected: map[uint64]int64{},
	}
}

// enter begins a stage; builds are counted anew.
func (m *monitor) enter(stage string) {
	m.stage, m.began = stage, m.now()
	m.total, m.begun, m.stated = 0, 0, false
	clear(m.acts)
}

// handle takes one event.
func (m *monitor) handle(ev event) {
	switch ev.action {
	case actStart:
		m.start(ev)
	case actStop:
		if a := m.acts[ev.id]; a != nil && a.kind == typeBuild {
			m.lastBuild = a.drv
		}
		delete(m.acts, ev.id)
	case actResult:
		m.result(ev)
	case actMsg:
		m.message(ev)
	}
}

func (m *monitor) start(ev event) {
	a := &activity{kind: ev.kind, text: clip(clean(ev.text), 300), since: m.now()}
	m.acts[ev.id] = a
	switch ev.kind {
	case typeBuild:
		m.begun++
		a.drv, a.n = ev.str(0), m.begun
		a.name = stepName(a.drv)
		m.logf("building %s", a.drv)
		m.say(m.label(a))
	case typeSubstitute:
		m.paths++
		a.name = stepName(ev.str(0))
		m.logf("%s", a.text)
	case typeCopyPath, typeFileTransfer, typeFetchTree:
		if !strings.Contains(ev.str(0), ".nar") { // of a path that is named already
			a.name = stepName(ev.str(0))
		}
		if a.text != "" {
			m.logf("%s", a.text)
		}
	}
}

func (m *monitor) result(ev event) {
	a := m.acts[ev.id]
	if a == nil {
		return
	}
	switch {
	case ev.kind == resultLogLine || ev.kind == resultPostLine:
		m.buildLine(a, clean(ev.str(0)))
	case ev.kind == resultPhase:
		a.phase = clean(ev.str(0))
		m.step(a.drv).phase = a.phase
		m.logf("%s: %s", a.name, a.phase)
		if short := phaseName(a.phase); short != "" {
			m.say(m.label(a))
		}
	case ev.kind == resultProgress && a.kind == typeBuilds:
		if !m.stated {
			m.total = max(m.total, ev.num(1))
		}
	case ev.kind == resultProgress && (a.kind == typeCopyPath || a.kind == typeFileTransfer):
		m.received[ev.id], m.expected[ev.id] = ev.num(0), ev.num(1)
		if !m.saidLoad && ev.num(0) > 0 {
			m.saidLoad = true
			m.say(m.loading())
		}
	}
}

// step is what is kept of drv, running or not.
func (m *monitor) step(drv string) *step {
	s := m.steps[drv]
	if s == nil {
		if len(m.order) >= maxSteps {
			delete(m.steps, m.order[0])
			m.order = m.order[1:]
		}
		s = &step{}
		m.steps[drv] = s
		m.order = append(m.order, drv)
	}
	return s
}

func (m *monitor) buildLine(a *activity, line string) {
	m.step(a.drv).add(line)
	m.logf("%s> %s", a.name, line)
	if m.verbose {
		m.say(a.name + "> " + line)
	}
}

func (m *monitor) message(ev event) {
	text := clean(ev.msg)
	if len(text) > maxMessage {
		text = clip(text, maxMessage)
	}
	ev.msg, ev.raw = text, clip(clean(ev.raw), maxMessage)
	// An untrusted client of a daemon is told for each setting that it has no say.
	if strings.Contains(text, "because it is a restricted setting") {
		return
	}
	failed := ev.level <= maxLevelError && (ev.raw != "" || strings.HasPrefix(text, "error:"))
	if failed && len(m.messages) < maxMessages {
		m.messages = append(m.messages, ev)
	}
	// Said as loud as an error, but it is none: another nix holds a lock.
	if !failed && strings.HasPrefix(text, "waiting for ") {
		m.stage = strings.TrimRight(text, ".")
		m.say(m.stage)
	}
	if c := willBuild.FindStringSubmatch(text); c != nil {
		n, _ := strconv.ParseInt(cmp.Or(c[1], "1"), 10, 64) // six digits at most
		m.total, m.stated = int64(m.begun)+n, true
	}
	if ev.level > 3 { // nix's "talkative" and below: which file it reads
		return
	}
	m.logf("%s", text)
	if m.verbose && !failed {
		m.say(text)
	}
}

// tick is called about once a second and breaks a silence.
func (m *monitor) tick() {
	if m.now().Sub(m.lastWrite) >= silence {
		m.say(m.doing())
	}
}

// doing says what runs, and for how long.
func (m *monitor) doing() string {
	var oldest, waiting *activity
	builds := 0
	for _, a := range m.acts {
		switch a.kind {
		case typeBuild:
			builds++
			if oldest == nil || a.n < oldest.n {
				oldest = a
			}
		case typeBuildWaiting:
			waiting = a
		}
	}
	switch {
	case oldest != nil:
		line := m.label(oldest) + ", " + seconds(m.now().Sub(oldest.since))
		if builds > 1 {
			line += fmt.Sprintf(" (and %d more)", builds-1)
		}
		return line
	case m.busyLoading():
		return m.loading() + ", " + seconds(m.now().Sub(m.began))
	case waiting != nil && waiting.text != "":
		return waiting.text + ", " + seconds(m.now().Sub(waiting.since))
	}
	return m.stage + ", " + seconds(m.now().Sub(m.began))
}

// label is "[3/7] blog-deps: npm ci".
func (m *monitor) label(a *activity) string {
	count := fmt.Sprintf("[%d/%d]", a.n, max(m.total, int64(a.n)))
	if phase := phaseName(a.phase); phase != "" {
		return count + " " + a.name + ": " + phase
	}
	return count + " " + a.name
}

func (m *monitor) busyLoading() bool {
	for _, a := range m.acts {
		if a.kind == typeCopyPath || a.kind == typeFileTransfer {
			return true
		}
	}
	return false
}

// loading is "downloading 12.3 of 40.1 MiB: zlib, gcc".
func (m *monitor) loading() string {
	got, want := m.loaded()
	line := "downloading " + mebibytes(got)
	if want > got {
		line = fmt.Sprintf("downloading %.1f of %s", mib(got), mebibytes(want))
	}
	var names []string
	for _, a := range m.acts {
		if (a.kind == typeCopyPath || a.kind == typeFileTransfer || a.kind == typeSubstitute) && a.name != "" {
			names = append(names, a.name)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > 3 {
		names = append(names[:3], "…")
	}
	if len(names) > 0 {
		line += ": " + strings.Join(names, ", ")
	}
	return line
}

func (m *monitor) loaded() (got, want int64) {
	for id, n := range m.received {
		got += n
		want += max(n, m.expected[id])
	}
	return got, want
}

// end says what was downloaded, if anything was.
func (m *monitor) end() {
	if got, _ := m.loaded(); got >= 1<<17 {
		m.say(fmt.Sprintf("downloaded %s in %s", mebibytes(got), seconds(m.now().Sub(m.began))))
	}
}

func (m *monitor) say(line string) {
	m.lastWrite = m.now()
	if m.progress != nil && line != "" {
		// Whoever reads progress may be gone; that ends the build by its context.
		_, _ = io.WriteString(m.progress, strings.ReplaceAll(line, "\n", "\n  ")+"\n")
	}
}

func (m *monitor) logf(format string, args ...any) {
	if m.logw != nil {
		// A full disk must not hide the error of the build itself.
		_, _ = fmt.Fprintf(m.logw, format+"\n", args...)
	}
}

func mib(n int64) float64            { return float64(n) / (1 << 20) }
func mebibytes(n int64) string       { return fmt.Sprintf("%.1f MiB", mib(n)) }
func seconds(d time.Duration) string { return fmt.Sprintf("%d s", int(d.Seconds())) }
